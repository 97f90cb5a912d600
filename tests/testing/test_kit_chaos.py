"""Chaos: the faults of a storm do what they say, and nobody waits for ever because of them."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from depth import few
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inside import process_of
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp
from trio_otp.testing import ACTIONS, ChaosCrash, Fault, Storm, chaos, replay, schedules, task_order

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


FINDS = settings(
    max_examples=200, database=None, phases=[Phase.generate, Phase.shrink], derandomize=True
)


class Echo(otp.GenServer):
    """Answers at once, and counts."""

    def __init__(self, done: list[Any]) -> None:
        self.done = done

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        self.done.append(request)
        return otp.Reply(request)

    def handle_cast(self, message: Any) -> None:
        self.done.append(message)


class Deferring(otp.GenServer):
    """Answers later, from another callback."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return otp.NoReply(continue_=(from_, request))

    def handle_continue(self, token: Any) -> None:
        otp.reply(*token)


class Machine(otp.GenStatem[str]):
    """Answers with its state."""

    initial = "on"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        return otp.KeepState(otp.ReplyTo(kind, content)) if isinstance(kind, otp.From) else None


async def special() -> None:
    """Answer, as a hand-written loop."""
    me = otp.SpecialProcess()
    while True:
        from_ = await me.receive(otp.From)
        otp.reply(from_, from_.message)


SERVERS: dict[str, otp.Child[Any]] = {
    "GenServer": otp.child(Echo, []),
    "deferred reply": otp.child(Deferring),
    "GenStatem": otp.child(Machine),
    "SpecialProcess": otp.child(special),
}


@asynccontextmanager
async def tree(*children: Any, max_restarts: int = 1000) -> AsyncGenerator[None]:
    """Open a supervisor called top."""
    async with otp.open_supervisor(children, name="top", max_restarts=max_restarts):
        yield


async def ask(request: Any = "hello", timeout: float | None = 5.0) -> Any:
    """Call the server, and give the answer or the reason why there is none."""
    try:
        return await otp.call("server", request, timeout=timeout)
    except otp.CallTimeout:
        return otp.TIMEOUT
    except otp.ServerExited as exc:
        return type(exc.reason) if isinstance(exc.reason, Exception) else exc.reason


# -- each fault ------------------------------------------------------------------------------------

# Fault and time-out of the caller: what the caller gets, when; and what the next caller gets.
OUTCOMES: list[tuple[Fault, float | None, Any, float]] = [
    (Fault(0, "crash"), None, ChaosCrash, 1),
    (Fault(0, "delay", seconds=2), None, "hello", 3),
    (Fault(0, "delay", seconds=7), 5, otp.TIMEOUT, 6),
    (Fault(0, "hang"), 5, otp.TIMEOUT, 6),
    (Fault(0, "hang"), None, otp.KILLED, 61),
    (Fault(0, "hang", seconds=3), None, otp.KILLED, 4),
    (Fault(0, "drop_reply"), 5, otp.TIMEOUT, 6),
    (Fault(0, "drop_reply"), None, otp.TIMEOUT, 61),
    (Fault(0, "drop_reply", seconds=3), None, otp.TIMEOUT, 4),
    (Fault(0, "drop_reply", seconds=3), 5, otp.TIMEOUT, 6),
]


@pytest.mark.parametrize("kind", SERVERS)
@pytest.mark.parametrize("outcome", OUTCOMES, ids=repr)
async def test_callers_of_a_server_that_is_hit_learn_of_it(
    kind: str, outcome: tuple[Fault, float | None, Any, float], autojump_clock: Any
) -> None:
    """An answer or an error, at the time that the fault says, and the next caller is served."""
    fault, timeout, answer, at = outcome
    async with tree(SERVERS[kind].having(name="server")):
        with replay("top", [fault]) as storm:
            await trio.sleep(1)
            assert answer == await ask(timeout=timeout)
            assert at == trio.current_time()
            await trio.sleep(60)
            assert "again" == await ask("again")
        assert 1 == len(storm.hits)


async def test_a_killed_server_is_started_again(autojump_clock: Any) -> None:
    """`kill` ends a server at once, with calls in hand and queued."""
    async with tree(otp.child(Echo, []).having(name="server")):
        first = otp.whereis("server")
        with replay("top", [Fault(1, "delay"), Fault(2.5, "kill")]):
            await trio.sleep(2)
            answers: list[Any] = []

            async def caller() -> None:
                answers.append(await ask(timeout=None))

            async with trio.open_nursery() as nursery:
                for _ in range(3):
                    nursery.start_soon(caller)
        assert [otp.KILLED] * 3 == answers
        assert 2.5 == trio.current_time()
        assert otp.whereis("server") not in (None, first)


async def test_a_lost_reply_is_of_a_request_that_was_handled(autojump_clock: Any) -> None:
    """The server has done what it was asked; messages without an answer pass by."""
    done: list[Any] = []
    async with tree(otp.child(Echo, done).having(name="server")):
        with replay("top", [Fault(0, "drop_reply")]):
            await trio.sleep(1)
            otp.cast("server", "cast")
            assert otp.TIMEOUT is await ask("lost")
            assert "kept" == await ask("kept")
    assert ["cast", "lost", "kept"] == done


async def test_a_plain_process_crashes_at_once(autojump_clock: Any) -> None:
    """A function has no messages to wait for: it ends, with that reason."""
    reports: list[Any] = []

    async with tree(otp.child(trio.sleep_forever).having(name="server")), otp.open_process() as me:
        otp.monitor("server")
        with replay("top", [Fault(1, "delay"), Fault(2, "crash")]) as storm:
            reports.append(await otp.receive(otp.Down))
        assert me is not None
    assert isinstance(reports[0].reason, ChaosCrash)
    assert [False, True] == [hit.pid is not None for hit in storm.hits]


async def test_faults_of_a_server_come_one_after_another(autojump_clock: Any) -> None:
    """Two faults that are due hit two messages."""
    async with tree(otp.child(Echo, []).having(name="server")):
        with replay("top", [Fault(0, "drop_reply"), Fault(0, "delay", seconds=3)]):
            await trio.sleep(1)
            assert otp.TIMEOUT is await ask()
            assert "hello" == await ask()
            assert 9 == trio.current_time()
            assert "hello" == await ask()
            assert 9 == trio.current_time()


@pytest.mark.parametrize("kind", [Echo, Machine])
async def test_an_order_to_end_is_no_message_to_hit(kind: Any, autojump_clock: Any) -> None:
    """A server that traps exits gets the order of its supervisor whatever is to come."""
    ends: list[Any] = []

    class Trapping(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            otp.trap_exit()

        def terminate(self, reason: object) -> None:
            ends.append(reason)

    async with tree(otp.child(Trapping).having(name="server")):
        with replay("top", [Fault(0, "crash")]):
            await trio.sleep(1)
            await otp.terminate_child("top", "server")
    assert [otp.SHUTDOWN] == ends


# -- the end of a storm ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        (Fault(0, "delay", seconds=50), "hello"),
        (Fault(0, "hang"), otp.KILLED),
        (Fault(0, "drop_reply"), otp.TIMEOUT),
    ],
)
async def test_the_end_of_a_storm_leaves_nobody_waiting(
    fault: Fault, answer: Any, autojump_clock: Any
) -> None:
    """What a storm holds up, it lets go at its end, and what was to come does not."""
    answers: list[Any] = []

    async def caller() -> None:
        answers.append(await ask(timeout=None))

    async with tree(otp.child(Echo, []).having(name="server")), trio.open_nursery() as nursery:
        with replay("top", [fault, Fault(5, "kill")]) as storm:
            await trio.sleep(1)
            nursery.start_soon(caller)
            await wait_all_tasks_blocked()
            assert [] == answers
        await wait_all_tasks_blocked()
        assert [answer] == answers
        assert 1 == len(storm.hits)
        await trio.sleep(10)
        assert "again" == await ask("again")
        process = process_of(otp.whereis("server"))
        assert process.debug is None


async def test_a_storm_that_is_stopped_hits_nobody(autojump_clock: Any) -> None:
    """`stop` ends it inside of its block, armed faults included; leaving the block then is all."""
    async with tree(otp.child(Echo, []).having(name="server")):
        with replay("top", [Fault(0, "crash"), Fault(2, "kill")]) as storm:
            await trio.sleep(1)
            storm.stop()
            assert "hello" == await ask()
            await trio.sleep(5)
    assert 1 == len(storm.hits)


# -- whom it hits ----------------------------------------------------------------------------------


def workers(*names: str) -> list[otp.Child[Any]]:
    return [otp.child(Echo, []).having(name=name) for name in names]


async def test_targets_are_the_children_beneath_in_the_order_of_the_tree(
    autojump_clock: Any,
) -> None:
    """A number chooses among those that the fault can hit; inner supervisors can be killed only."""
    inner = otp.child(otp.Supervisor, workers("b", "c")).having(name="inner")
    others = otp.child(otp.Supervisor, workers("other")).having(name="others")
    pool = otp.child(otp.DynamicSupervisor).having(name="pool")
    top = otp.child(otp.Supervisor, [*workers("a"), inner, pool]).having(name="top")
    async with otp.open_supervisor([others, top], max_restarts=1000):
        await otp.start_child("pool", workers("d")[0])
        schedule = [Fault(at, "delay", target=at) for at in range(5)]
        schedule += [Fault(5, "kill", target=9), Fault(6, "kill", target=1), Fault(7, "kill", "a")]
        with replay("top", schedule) as storm:
            await trio.sleep(10)
    hit = [None if pid is None else pid._name for _, pid in storm.hits]
    assert ["a", "b", "c", "d", "a", "c", "inner", "a"] == hit


async def test_a_child_that_does_not_run_is_not_hit(autojump_clock: Any) -> None:
    """A fault hits one that does; the one that waits for its restart counts no more."""
    late = otp.child(Echo, []).having(name="late", backoff=otp.Backoff(min_delay=30))
    async with tree(late, *workers("on")):
        schedule = [Fault(0, "kill", "late"), Fault(1, "kill"), Fault(2, "kill", target=1)]
        with replay("top", schedule) as storm:
            await trio.sleep(10)
    assert ["late", "on", "on"] == [pid and pid._name for _, pid in storm.hits]


async def test_a_fault_without_a_target_hits_nobody(autojump_clock: Any) -> None:
    """There may be no child, or none of the name, or none that it can happen to."""
    async with tree(otp.child(trio.sleep_forever)):
        schedule = [Fault(0, "kill", "nobody"), Fault(0, "hang"), Fault(0, "drop_reply", "top")]
        schedule.append(Fault(0, "kill", ("via", "top", "key")))  # which is not a registry
        with replay("top", schedule) as storm:
            await trio.sleep(1)
    assert [None] * 4 == [pid for _, pid in storm.hits]


async def test_a_tree_that_gives_up_says_what_it_was_hit_by(
    autojump_clock: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The cancellation of the block would lose a note, so the code is printed."""

    async def main() -> None:
        async with tree(*workers("server"), max_restarts=0):
            with replay("top", [Fault(0.5, "kill"), Fault(1.5, "kill")]):
                await trio.sleep_forever()

    with pytest.raises(otp.SupervisorExited):
        await main()
    assert (
        "replay; to repeat it write\n"
        "    with replay('top', [\n"
        "        Fault(0.5, 'kill'),  # <Pid 2 Echo 'server'>\n"
        "    ]):\n"
    ) == capsys.readouterr().out


# -- schedules -------------------------------------------------------------------------------------


async def storm_of(seed: int, *, load: int = 30) -> tuple[Storm, list[Any]]:
    """Let a storm hit three servers that are called all the time."""
    answers: list[Any] = []

    async def caller(name: str) -> None:
        for number in range(load):
            try:
                answers.append((name, trio.current_time(), await otp.call(name, number)))
            except otp.OtpError as exc:
                answers.append((name, trio.current_time(), type(exc)))
            await trio.sleep(0.7)

    async with tree(*workers("a", "b", "c")):
        with chaos("top", seed=seed, rate=2) as storm:
            async with trio.open_nursery() as nursery:
                for name in ("a", "b", "c"):
                    nursery.start_soon(caller, name)
    return storm, answers


def run(function: Any, *args: Any, seed: int = 0) -> Any:
    with task_order(seed):
        return trio.run(function, *args, clock=MockClock(autojump_threshold=0))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_seed_is_the_same_storm_each_time(seed: int) -> None:
    """The same faults, targets, answers and times; another seed gives another storm."""
    storm, answers = run(storm_of, seed)
    again, same = run(storm_of, seed)
    _, other = run(storm_of, seed + 100)

    assert len(storm.hits) > 10
    assert str(storm) == str(again)
    assert answers == same
    assert answers != other
    assert {otp.CallTimeout, otp.ServerExited} <= {answer for *_, answer in answers}


def test_a_storm_is_code_that_repeats_it() -> None:
    """What a storm says, run as code, hits the same ones."""
    storm, _ = run(storm_of, 7)
    code = str(storm).partition("\n")[2]
    scope: dict[str, Any] = {"Fault": Fault, "replay": replay}
    exec(f"if True:\n{code.replace('with', 'storm =').removesuffix(':')}", scope)

    assert storm.schedule[: len(storm.hits)] == scope["storm"].schedule


def test_an_action_more_does_not_change_the_times() -> None:
    """A schedule depends on nothing but its arguments; all actions come up."""
    random.seed(1)
    first = chaos("top", seed=5, rate=1, seconds=1000)
    random.seed(2)
    assert first.schedule == chaos("top", seed=5, rate=1, seconds=1000).schedule
    kills = chaos("top", seed=5, rate=1, seconds=1000, actions=["kill"])

    assert set(ACTIONS) == {fault.action for fault in first.schedule}
    assert {"kill"} == {fault.action for fault in kills.schedule}
    assert 900 < len(first.schedule) < 1100
    assert all(0 < fault.at < 1000 for fault in first.schedule)


@settings(max_examples=few(50), suppress_health_check=[HealthCheck.too_slow])
@given(schedule=schedules(), timeout=st.sampled_from([None, 5.0]))
def test_no_schedule_makes_a_caller_hang(schedule: list[Fault], timeout: float | None) -> None:
    """Law 2 under fire: each call ends within a minute, and afterwards all is well."""

    async def main() -> None:
        async with tree(*workers("server")):
            with replay("top", schedule):
                for _ in range(10):
                    with trio.fail_after(61):
                        await ask(timeout=timeout)
                    await trio.sleep(1)
            await wait_all_tasks_blocked()
            assert "well" == await otp.call("server", "well")

    run(main)


def test_hypothesis_finds_the_smallest_schedule() -> None:
    """A client that cannot bear a lost reply: one fault, as early as can be, is what is shown."""

    async def main(schedule: list[Fault]) -> None:
        async with tree(*workers("first", "server")):
            with replay("top", schedule):
                for _ in range(10):
                    await trio.sleep(1)
                    assert otp.TIMEOUT is not await ask()

    @settings(FINDS)
    @given(schedule=schedules(actions=["kill", "drop_reply"]))
    def test(schedule: list[Fault]) -> None:
        run(main, schedule)

    with pytest.raises(AssertionError) as caught:
        test()
    notes = "".join(caught.value.__notes__)
    assert "schedule=[Fault(0.0, 'drop_reply', 1)]" in notes
    assert "with replay('top', [\n        Fault(0.0, 'drop_reply', 1),  # <Pid 3 Echo" in notes


# -- bad use ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: chaos("top", seed="x"), TypeError, "seed='x': expected a whole number"),  # type: ignore[arg-type]
        (
            lambda: chaos("top", rate=0),
            ValueError,
            "rate=0: expected a finite number of faults > 0",
        ),
        (lambda: chaos("top", seconds=-1), ValueError, "seconds=-1: expected a finite number"),
        (lambda: chaos("top", actions="kill"), TypeError, r"write actions=\['kill'\]"),
        (lambda: chaos("top", actions=["burn"]), ValueError, "actions='burn': expected 'kill'"),  # type: ignore[list-item]
        (lambda: chaos("top", actions=[]), ValueError, "expected one or more of kill, crash"),
        (
            lambda: replay("top", ["kill"]),
            TypeError,
            "schedule has 'kill' in it; expected only Fault",
        ),  # type: ignore[list-item]
        (lambda: Fault(-1, "kill"), ValueError, "at=-1: expected a finite number of seconds"),
        (lambda: Fault(1, "burn"), ValueError, "action='burn': expected 'kill', 'crash'"),  # type: ignore[arg-type]
        (
            lambda: Fault(1, "kill", -1),
            ValueError,
            "target=-1: expected a whole number >= 0 or a",
        ),
        (lambda: Fault(1, "kill", 1.5), TypeError, "1.5 is not a reference to a process"),  # type: ignore[arg-type]
        (lambda: schedules(max_faults=-1), ValueError, "max_faults=-1: expected a whole number"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, error: type[Exception], text: str) -> None:
    """The text says which argument, what it was and what is accepted."""
    with pytest.raises(error, match=text):
        make()


async def test_a_storm_needs_a_supervisor_and_virtual_time(autojump_clock: Any) -> None:
    """What is wrong when the block is entered is said then."""
    async with tree(*workers("server")):
        with pytest.raises(TypeError, match="ref='server': expected a supervisor"):
            chaos("server").__enter__()
        with pytest.raises(TypeError, match=r"ref=None: .*until start_supervised has started"):
            chaos(None).__enter__()  # type: ignore[arg-type]
        with pytest.raises(otp.NoProcess):
            chaos("nobody").__enter__()
        with chaos("top") as storm, pytest.raises(RuntimeError, match="can be entered only once"):
            storm.__enter__()


async def test_a_storm_refuses_real_time() -> None:
    """A storm on the real clock would take its time, and not be the same twice."""
    async with tree(*workers("server")):
        with pytest.raises(
            RuntimeError, match=r"chaos\(seed=0, rate=0.2\) needs virtual time; let the"
        ):
            chaos("top").__enter__()


def test_a_storm_refuses_plain_code() -> None:
    """Outside of a run there is nothing to hit."""
    with pytest.raises(otp.NotInRun):
        chaos("top").__enter__()
