"""GenStatem as a process: how it starts, the two ways to write callbacks, calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import process_of

import trio_otp as otp
from tests.support.statem_kit import Entered, Lamp, Light, Obedient, inside, keep, postpone, settled

if TYPE_CHECKING:
    from collections.abc import Callable

# -- start -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("init", "state"),
    [
        (None, "a"),
        (otp.KeepState(), "a"),
        (otp.NextState("b"), "b"),
        (otp.NextState(("b", 1)), ("b", 1)),
    ],
    ids=repr,
)
async def test_init_gives_the_first_state(init: Any, state: Any) -> None:
    """NextState says it, without one it is the class attribute `initial`."""
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Obedient, init))
        assert state == inside(pid).state


async def test_a_start_returns_before_the_first_enter_call() -> None:
    """Only init is waited for; then come the enter call and the events of init (SM-1,2)."""
    log: list[str] = []

    class Slow(otp.GenStatem[str]):
        initial = "a"
        state_enter = True

        def init(self) -> otp.KeepState:
            log.append("init")
            return otp.KeepState(otp.NextEvent("first"))

        async def handle_event(self, kind: Any, content: Any, state: str) -> None:
            await trio.lowlevel.checkpoint()
            log.append(f"{content} in {state}")

    async with otp.open_process():
        pid = await otp.start_link(Slow)
        log.append("started")
        otp.cast(pid, "second")
        await settled()
        assert ["init", "started", "a in a", "first in a", "second in a"] == log


@pytest.mark.parametrize(
    "init",
    [7, "b", otp.NoReply(), otp.RepeatState(), otp.KeepState(otp.Reply(1)), otp.Stop("bad")],
    ids=["number", "text", "NoReply", "RepeatState", "Reply", "Stop"],
)
async def test_a_bad_init_is_a_start_error(init: Any) -> None:
    """What init may not return is an error of the start, and leaves nothing (SM-19)."""
    async with otp.open_process(name="me"):
        with pytest.raises(otp.StartError) as caught:
            await otp.start_link(otp.child(Obedient, init).having(name="machine"))
        assert "bad" == caught.value.reason or isinstance(caught.value.reason, otp.BadReturn)
        assert None is otp.whereis("machine")


async def test_init_may_ignore() -> None:
    """IGNORE gives None to the starter."""
    async with otp.open_process():
        assert None is await otp.start_link(otp.child(Obedient, otp.IGNORE))


async def test_without_initial_init_has_to_say_the_state() -> None:
    """The error says both ways."""

    class Lost(otp.GenStatem[str]):
        """It has no first state."""

    async with otp.open_process():
        with pytest.raises(otp.StartError, match="class attribute `initial`"):
            await otp.start_link(Lost)


def test_there_is_no_state_before_init() -> None:
    """`self.state` says so; it is no part of what reports show of the data."""
    machine = Obedient()
    with pytest.raises(AttributeError, match="no state until its init has returned"):
        assert machine.state
    assert "state" not in str(machine.format_status())


# -- callbacks -------------------------------------------------------------------------------------


async def test_state_functions() -> None:
    """The function of the state handles the event; the same event means other things in others."""
    async with otp.open_process():
        lamp = await otp.start_link(Lamp)
        found = []
        for _ in range(3):
            otp.cast(lamp, "switch")
            found.append(await otp.call(lamp, "?"))
        assert [(Light.ON, 1), (Light.OFF, 1), (Light.ON, 2)] == found


def test_a_state_function_is_an_ordinary_method() -> None:
    """It can be called in a test, without a process."""
    assert otp.NextState(Light.ON) == Lamp().off(otp.Event.CAST, "switch")
    assert None is Lamp().off(otp.Event.INFO, "dust")


async def test_a_subclass_overrides_state_functions_by_name() -> None:
    """Dispatch is by name on the instance, as for the methods of a GenServer."""

    class Strobe(Lamp):
        def off(self, kind: Any, content: object) -> Any:
            return otp.KeepState(otp.Reply("never off"))

    async with otp.open_process():
        assert "never off" == await otp.call(await otp.start_link(Strobe), "?")


async def test_one_function_for_several_states() -> None:
    """`on_state` takes several states; `self.state` tells which it is."""

    class Door(otp.GenStatem[str]):
        initial = "open"

        @otp.on_state("open", "shut")
        def any_state(self, kind: Any, content: str) -> Any:
            return otp.NextState(content, otp.Reply(self.state))

    async with otp.open_process():
        door = await otp.start_link(Door)
        assert ["open", "shut"] == [await otp.call(door, "shut"), await otp.call(door, "open")]


async def test_any_term_is_a_state_of_handle_event() -> None:
    """States are compared by value; they need not be hashable."""
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Entered, otp.NextState(["x", 1])))
        otp.cast(pid, otp.NextState(["x", 1]))
        otp.cast(pid, otp.NextState({"y": 2}))
        await settled()
        entered = [entry for entry in inside(pid).log if entry[0] is otp.Event.ENTER]
        assert [(otp.Event.ENTER, ["x", 1], ["x", 1]), (otp.Event.ENTER, ["x", 1], {"y": 2})] == (
            entered
        )


@pytest.mark.parametrize("to", ["dark", 7, [1]])
async def test_a_state_without_a_function_is_a_crash_at_once(to: Any) -> None:
    """With state functions, going to a state that has none is refused, naming those there are."""

    class Door(otp.GenStatem[Any]):
        initial = "open"

        @otp.on_state("open")
        def handle(self, kind: Any, content: Any) -> Any:
            return otp.NextState(content)

    async with otp.open_process(trap_exit=True):
        door = await otp.start_link(Door)
        with pytest.raises(otp.ServerExited, match="a state of on_state: 'open'"):
            await otp.call(door, to)


async def test_an_undeclared_change_of_state_is_a_crash() -> None:
    """Where a state declares its transitions there are no others, so a drawing tells the truth."""

    class Door(otp.GenStatem[str]):
        initial = "open"
        transitions = {"open": {"push": "shut"}}  # noqa: RUF012

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            return otp.NextState(content, otp.Reply("done"))

    async with otp.open_process(trap_exit=True):
        door = await otp.start_link(Door)
        answers = [await otp.call(door, to) for to in ("open", "shut", "locked")]
        assert ["done"] * 3 == answers  # to itself, declared, and from a state that declares none
        door = await otp.start_link(Door)
        with pytest.raises(otp.ServerExited, match="a declared transition, to 'shut'"):
            await otp.call(door, "locked")


async def test_an_event_without_a_callback_is_a_crash() -> None:
    """There is no default, not even for a plain message (SM-17)."""

    class Deaf(otp.GenStatem[str]):
        initial = "a"

    async with otp.open_process(trap_exit=True):
        deaf, monitor = await otp.start_monitor(Deaf)
        otp.send(deaf, "hello")
        down = await otp.receive(otp.Down)
        assert isinstance(down.reason, otp.NoCallback)
        assert down.ref is monitor


def test_one_way_to_write_callbacks() -> None:
    """A class with both, or with two functions for a state, is refused when it is made."""
    with pytest.raises(otp.SpecError, match="expected only one of them"):

        class Both(Lamp):  # pyright: ignore[reportUnusedClass]
            def handle_event(self, kind: Any, content: Any, state: Light) -> None:
                pass

    with pytest.raises(otp.SpecError, match="one and two are for 'x'"):

        class Twice(otp.GenStatem[str]):  # pyright: ignore[reportUnusedClass]
            @otp.on_state("x")
            def one(self, kind: Any, content: Any) -> None:
                pass

            @otp.on_state("x")
            def two(self, kind: Any, content: Any) -> None:
                pass


@pytest.mark.parametrize("states", [(), (7,), ("a", None)])
def test_on_state_takes_strings_and_members_of_enums(states: Any) -> None:
    """Anything else is refused at the decorator."""
    with pytest.raises(TypeError, match="strings or enum members"):
        otp.on_state(*states)


@pytest.mark.parametrize(
    "make",
    [
        lambda: otp.StateTimeout(-1),
        lambda: otp.EventTimeout(float("nan")),
        lambda: otp.GenericTimeout("n", True),
        lambda: otp.StateTimeout(float("nan"), absolute=True),
        lambda: otp.NextEvent("x", otp.Event.ENTER),
        lambda: otp.NextEvent("x", "cast"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments_of_actions_are_refused_where_they_are_made(make: Callable[[], Any]) -> None:
    """The error names the argument, the value and what is accepted."""
    with pytest.raises(ValueError, match=r"(seconds|kind)=.*: expected"):
        make()


def test_actions_that_name_what_is_none_are_refused() -> None:
    """A caller is a From, callbacks are a GenStatem, a name is hashable."""
    bad: Any = "x"
    with pytest.raises(TypeError, match="from_='x'"):
        otp.ReplyTo(bad, 1)
    with pytest.raises(TypeError, match="callbacks='x'"):
        otp.PushCallbacks(bad)
    with pytest.raises(TypeError, match="callbacks=GenServer"):
        otp.ChangeCallbacks(otp.GenServer)
    with pytest.raises(TypeError, match="unhashable"):
        otp.GenericTimeout([], 1)


# -- calls -----------------------------------------------------------------------------------------


async def test_a_postponed_call_is_answered_in_the_next_state() -> None:
    """Its caller waits; more than one is handled again in order (SM-8)."""
    answers: dict[int, Any] = {}
    served: list[None] = []

    def serve(kind: Any) -> Any:
        state = inside(otp.self()).state
        if state == "a":
            return postpone(kind)
        served.append(None)
        return keep(otp.Reply((state, len(served))))

    async def ask(number: int) -> None:
        answers[number] = await otp.call(pid, serve)

    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await otp.start_link(Obedient)
        for number in range(3):
            nursery.start_soon(ask, number)
            await settled()
        assert {} == answers
        otp.cast(pid, otp.NextState("b"))
        await settled()
        assert {0: ("b", 1), 1: ("b", 2), 2: ("b", 3)} == answers


@pytest.mark.parametrize("how", ["crash", "stop", "kill", "shutdown"])
async def test_however_it_ends_every_caller_hears_of_it(how: str) -> None:
    """Postponed, kept for later and queued calls are answered with the reason (law 2)."""
    failed: list[Any] = []

    async def ask(request: Any) -> None:
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call(pid, request, timeout=None)
        failed.append(caught.value.reason)

    async def slow(_: object) -> Any:
        await trio.sleep_forever()

    async with otp.open_process(trap_exit=True), trio.open_nursery() as nursery:
        sup = await otp.start_link(otp.child(otp.Supervisor, [], strategy="one_for_one"))
        pid = await otp.start_child(sup, otp.child(Obedient).having(restart="temporary"))
        assert pid is not None
        for request in (postpone, lambda _: keep(), slow, "queued"):
            nursery.start_soon(ask, request)
            await settled()
        if how == "crash":
            otp.exit(pid, ValueError("x"))
        elif how == "stop":
            await otp.terminate_child(sup, "Obedient")
        elif how == "kill":
            otp.exit(pid, otp.KILL)
        else:
            await otp.stop(sup)
    expected = {"crash": "ValueError('x')", "kill": "KILLED"}.get(how, "SHUTDOWN")
    assert [expected] * 4 == [repr(reason) for reason in failed]


async def test_a_call_is_answered_from_a_later_event() -> None:
    """The From is kept as data, and `ReplyTo` answers it (SM-23)."""
    kept: list[Any] = []

    def wait(kind: Any) -> Any:
        kept.append(kind)
        return otp.NextState("b")

    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                assert "late" == await otp.call(pid, wait)

            nursery.start_soon(ask)
            await settled()
            otp.cast(pid, lambda _: keep(otp.ReplyTo(kept[0], "late")))


async def test_answers_of_a_stop_leave_before_terminate() -> None:
    """StopAndReply, and Stop with a reply, answer first (SM-18)."""
    order: list[str] = []

    class Ending(Obedient):
        async def terminate(self, reason: object) -> None:
            await settled()
            order.append("terminate")

    async with otp.open_process(trap_exit=True):
        for result in (otp.Stop("end", reply="bye"), otp.StopAndReply("end", otp.Reply("bye"))):
            pid, _ = await otp.start_monitor(Ending)
            order.append(await otp.call(pid, result))
            down = await otp.receive(otp.Down)
            order.append(down.reason)
    assert ["bye", "terminate", "end"] * 2 == order


async def test_a_circle_over_a_postponed_call_is_found(autojump_clock: Any) -> None:
    """A caller whose call is postponed waits for the machine, so calling it back is a deadlock."""
    found: list[Any] = []

    class Asker(otp.GenServer):
        def __init__(self, machine: Any) -> None:
            self.machine = machine

        async def handle_cast(self, message: Any) -> None:
            found.append(await otp.call(self.machine, message, timeout=1))

        def handle_call(self, request: Any, from_: Any) -> Any:
            return otp.Reply("pong")

    async def ask_back(_: object) -> Any:
        try:
            found.append(await otp.call("asker", "ping"))
        except otp.DeadlockError:
            found.append("deadlock")
        return otp.NextState("b")

    def keep_or_answer(kind: Any) -> Any:
        return postpone(kind) if inside(otp.self()).state == "a" else keep(otp.Reply("postponed"))

    async with otp.open_process():
        pid = await otp.start_link(Obedient)
        await otp.start_link(otp.child(Asker, pid).having(name="asker"))
        otp.cast("asker", keep_or_answer)
        await settled()
        otp.cast(pid, ask_back)
        await settled()
        assert ["deadlock", "postponed"] == found


async def test_a_circle_over_a_call_that_is_answered_later_is_none() -> None:
    """The machine may call whom it owes an answer, if another answers that call."""
    kept: list[Any] = []

    async def helper() -> None:
        async with otp.open_process():
            assert "ok" == await otp.call(pid, lambda kind: kept.append(kind) or keep())

    async def answer(_: object) -> Any:
        return keep(otp.ReplyTo(kept[0], "ok"))

    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await otp.start_link(Obedient)
        nursery.start_soon(helper)
        await settled()
        process = process_of(pid)
        [request] = process.requests
        assert None is request._caller
        otp.cast(pid, answer)
