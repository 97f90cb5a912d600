"""Random scripts leave the same traces with a server that sleeps and with one that never does.

A script is a list of things that happen to two servers, which are linked or monitored at times.
What the servers did, what the client got, and what `process_info` says at the end is compared. In
one of the runs both sleep whenever they are idle, in another after a while, in the third never.
"""

from __future__ import annotations

import contextvars
from functools import partial
from typing import Any

import trio
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp

NOTE: contextvars.ContextVar[int] = contextvars.ContextVar("note")
NAMES = ("one", "two")
# What takes time takes a fraction of a second more, of its own: what happens at one instant of Trio
# happens in any order. Sums of the first four, 20 of each at most, differ as the fractions do; on
# the others nothing follows. All are powers of two, so that nothing is rounded.
APART = {
    "slow": {"one": 2**-25, "two": 2**-20},
    "ask": {"one": 2**-15, "two": 2**-10},
    "idle": {"one": 2**-5, "two": 2**-4},
    "later": {"one": 2**-3, "two": 2**-2},
}
CALL_TIMEOUT = 4 + 2**-1
CAUGHT = (
    otp.ServerExited,
    otp.NoProcess,
    otp.CallTimeout,
    otp.DeadlockError,
    otp.CallingSelf,
    otp.AlreadyRegistered,
    otp.CallbackFailed,
)


class Actor(otp.GenServer):
    """Does what its messages say, and notes it in a list that outlives it."""

    def __init__(self, name: str, log: list[Any]) -> None:
        self.log = log
        self.apart = {what: fractions[name] for what, fractions in APART.items()}
        self.kept: list[otp.From[Any]] = []
        self.tokens: list[contextvars.Token[int]] = []

    def __repr__(self) -> str:
        return "an actor"

    def init(self) -> Any:
        self.log.append("init")

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:  # noqa: PLR0912
        self.log.append(request)
        match request:
            case ("defer", _):
                self.kept.append(from_)
                return otp.NoReply()
            case ("answer", number):
                answered = [otp.reply(kept, number) for kept in self.kept]
                self.kept.clear()
                return otp.Reply(answered)
            case ("slow", number):
                await trio.sleep(number + self.apart["slow"])
            case ("idle", number):
                return otp.Reply("idle", timeout=number + self.apart["idle"])
            case ("continue", number):
                return otp.Reply("first", continue_=number)
            case ("crash", number):
                raise ValueError(number)
            case ("end", number):
                return otp.Stop(otp.Shutdown(number), reply=number)
            case ("set", number):
                self.tokens.append(NOTE.set(number))
            case ("reset", _) if self.tokens:
                NOTE.reset(self.tokens.pop())
            case ("ask other", number):
                other = NAMES[number % 2]
                ask = partial(otp.call, timeout=2 + self.apart["ask"])
                return otp.Reply(await attempt(ask, other, ("echo", number)))
            case ("link", number):
                otp.link(otp.whereis(NAMES[number % 2]) or otp.self())
            case ("unlink", number):
                otp.unlink(otp.whereis(NAMES[number % 2]) or otp.self())
            case ("monitor", number):
                otp.monitor(NAMES[number % 2])
            case ("trap", number):
                otp.trap_exit(number % 2 == 0)
            case ("later", number):
                otp.send_after(otp.self(), ("tick", number), number + self.apart["later"])
        return otp.Reply(NOTE.get(-1))

    def handle_cast(self, message: Any) -> Any:
        self.log.append(("cast", message))
        match message:
            case ("burst", number):
                for each in range(number):
                    otp.cast(otp.self(), each)
            case ("crash", number):
                raise ValueError(number)

    def handle_info(self, message: Any) -> None:
        self.log.append(shown(message))

    def handle_continue(self, token: Any) -> None:
        self.log.append(("continued", token))

    async def terminate(self, reason: object) -> None:
        self.log.append(("terminate", shown(reason)))
        await trio.lowlevel.checkpoint()


def shown(value: Any) -> Any:
    """Return a value as a text that is the same in each run."""
    match value:
        case otp.Down(pid=pid, reason=reason):
            return "down", str(pid), shown(reason)
        case otp.Exit(pid=pid, reason=reason):
            return "exit", str(pid), shown(reason)
        case _:
            return repr(value)


async def attempt(function: Any, *args: Any) -> Any:
    """Return what a function gives, or the name of its error."""
    try:
        return await function(*args)
    except CAUGHT as exc:
        return type(exc).__name__, shown(getattr(exc, "reason", None))


# -- what happens ----------------------------------------------------------------------------------


CALLS = [
    "echo",
    "defer",
    "answer",
    "slow",
    "idle",
    "continue",
    "crash",
    "end",
    "set",
    "reset",
    "ask other",
    "link",
    "unlink",
    "monitor",
    "trap",
    "later",
]


class Client:
    """Plays a script in a run of its own."""

    def __init__(self, after: float | None) -> None:
        # Apart, as what happens in one step of Trio happens in any order.
        self.logs: dict[str, list[Any]] = {name: [] for name in NAMES}
        self.answers: dict[int, Any] = {}
        self.kind = type("Actor", (Actor,), {"hibernate_after": after})

    async def play(self, script: list[tuple[str, str, int, bool]]) -> None:
        """Do all of it, letting things settle where the script says so."""
        children = [otp.child(self.kind, name, self.logs[name]).having(name=name) for name in NAMES]
        async with (
            trio.open_nursery() as nursery,
            otp.open_supervisor(children, max_restarts=1000),
        ):
            for number, (kind, what, amount, wait) in enumerate(script):
                for log in self.logs.values():
                    log.append(number)
                self.do(nursery, number, kind, what, amount)
                if wait:
                    await trio.sleep(amount)
                await wait_all_tasks_blocked()
            await trio.sleep(100)
            self.look()

    def do(self, nursery: trio.Nursery, number: int, kind: str, what: str, amount: int) -> None:
        """Begin a step."""
        name = NAMES[amount % 2]

        def ask(function: Any, *args: Any) -> None:
            nursery.start_soon(self.ask, number, function, name, *args)

        match kind:
            case "call":
                ask(partial(otp.call, timeout=CALL_TIMEOUT), (what, amount))
            case "cast":
                otp.cast(name, (what, amount))
            case "sys":
                ask(partial(otp.sys.replace_state, timeout=CALL_TIMEOUT), lambda state: state)
            case "kill" if otp.whereis(name):
                otp.exit(name, otp.KILL)
            case "signal" if otp.whereis(name):
                otp.exit(name, amount)
            case "stop":
                ask(partial(otp.stop, timeout=CALL_TIMEOUT), otp.Shutdown(amount))
            case "tell" if otp.whereis(name):
                otp.send(name, amount)

    async def ask(self, number: int, function: Any, *args: Any) -> None:
        """Note what came of a request."""
        self.answers[number] = shown(await attempt(function, *args))

    def look(self) -> None:
        """Note what is known of the servers."""
        for name, log in self.logs.items():
            info = otp.process_info(name)
            log.append((info.status, info.handled, info.unanswered, info.trap_exit))
            for pids in (info.links, info.monitors, info.monitored_by):
                log.append(sorted(map(str, pids)))


def trace(script: list[tuple[str, str, int, bool]], after: float | None) -> Any:
    """Play a script with servers that sleep after so many seconds."""
    client = Client(after)
    trio.run(client.play, script, clock=MockClock(autojump_threshold=0))
    return client.logs, sorted(client.answers.items())


STEP = st.one_of(
    st.tuples(st.just("call"), st.sampled_from(CALLS), st.integers(0, 5), st.booleans()),
    st.tuples(
        st.just("cast"), st.sampled_from(["x", "burst", "crash"]), st.integers(0, 5), st.booleans()
    ),
    st.tuples(
        st.sampled_from(["sys", "kill", "signal", "stop", "tell"]),
        st.just(""),
        st.integers(0, 5),
        st.booleans(),
    ),
)


@settings(max_examples=few(60))
@given(st.lists(STEP, max_size=20))
def test_nobody_notices(script: list[tuple[str, str, int, bool]]) -> None:
    """The trace is that of servers that never sleep."""
    awake = trace(script, None)
    assert awake == trace(script, 0.0)
    assert awake == trace(script, 2.25)
