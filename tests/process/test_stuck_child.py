"""Children that do not die when they are killed: named with their stack, never abandoned."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio
from supervision_kit import Journal, Reports, kill, leftovers, settle, statuses, worker, workers

import trio_otp as otp


class Hold:
    """What a stuck child waits for; the test lets it go."""

    def __init__(self) -> None:
        self.event = trio.Event()

    async def sit_here(self) -> None:
        """Wait where no cancellation reaches; not for ever, lest a test that fails hangs."""
        with trio.move_on_after(10_000, shield=True):
            await self.event.wait()


class Stubborn(otp.GenServer):
    """A server that is stuck, when it is to end, until it is let go."""

    def __init__(self, tag: str, journal: Journal, hold: Hold, where: str = "handler") -> None:
        self.tag = tag
        self.journal = journal
        self.hold = hold
        self.where = where

    async def init(self) -> None:
        self.journal.append(f"+{self.tag}")
        if self.where == "init":
            await self.hold.sit_here()

    async def handle_cast(self, message: object) -> None:
        await self.hold.sit_here()

    async def terminate(self, reason: object) -> None:
        self.journal.append(f"-{self.tag}")
        if self.where == "terminate":
            await self.hold.sit_here()


def stubborn(journal: Journal, hold: Hold, where: str = "handler") -> otp.Child[Stubborn]:
    """Describe a child named `s` that is stuck, with two seconds to end."""
    return otp.child(Stubborn, "s", journal, hold, where).having(name="s", shutdown=2)


async def let_go_at(time: float, hold: Hold) -> None:
    """Let the child go at some time."""
    await trio.sleep_until(time)
    hold.event.set()


async def get_stuck(ref: str = "s") -> None:
    """Let a stubborn server get stuck in its handler."""
    otp.cast(ref, "go")
    await settle()


def only_notice(notices: Reports) -> str:
    """Return the text of the only notice there is."""
    (notice,) = notices
    return str(notice.text)


async def test_a_stuck_child_is_named_with_its_stack_and_waited_for(autojump_clock: Any) -> None:
    """One second after its kill; when it ends at last, the supervisor goes on."""
    journal, hold = Journal(), Hold()
    children = [worker("a", journal), stubborn(journal, hold), worker("b", journal)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_at, 100.0, hold)
        async with otp.open_supervisor(children):
            notices = Reports("notice")
            reports = Reports()
            await get_stuck()
            pid = otp.whereis("s")
            journal.clear()
    text = only_notice(notices)
    assert pid is notices[0].pid
    assert text.startswith(f"{pid!r} was killed 1 s ago and does not end; it sits in:\n")
    own = [line for line in text.splitlines() if f"{__file__}:" in line]
    assert ["in handle_cast", "in sit_here"] == [line[line.index("in ") :] for line in own]
    assert notices[0].detail["stack"] == [line.strip() for line in text.splitlines()[1:]]
    assert ["-b", "=b", "-a", "=a"] == journal
    assert [("shutdown_error", "s", otp.KILLED)] == [
        (report.context, report.child_id, report.reason) for report in reports
    ]
    assert 100.0 == trio.current_time()
    assert [] == leftovers()


async def test_it_is_named_when_its_limit_and_one_second_are_over(autojump_clock: Any) -> None:
    """Not before, and once."""
    journal, hold = Journal(), Hold()
    async with otp.open_supervisor([stubborn(journal, hold)]) as sup:
        notices = Reports("notice")
        await get_stuck()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.terminate_child, sup, "s")
            await trio.sleep(2.9)
            assert [] == notices
            await trio.sleep(0.2)
            assert 1 == len(notices)
            await trio.sleep(1000)
            assert 1 == len(notices)
            hold.event.set()


@pytest.mark.parametrize("where", ["handler", "terminate"])
async def test_calls_in_its_queue_are_answered_when_it_ends(
    autojump_clock: Any, where: str
) -> None:
    """Until then it may yet answer; a new call is refused at once, as to the dead."""
    journal, hold = Journal(), Hold()
    answers: list[object] = []

    async def ask() -> None:
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("s", 1, timeout=None)
        answers.append((trio.current_time(), caught.value.reason))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_at, 50.0, hold)
        async with otp.open_supervisor([stubborn(journal, hold, where)]) as sup:
            await get_stuck()
            nursery.start_soon(ask)
            await settle()
            nursery.start_soon(otp.terminate_child, sup, "s")
            await trio.sleep(10)
            with pytest.raises(otp.NoProcess):
                await otp.call("s", 1)
            await trio.sleep(50)
    assert [(50.0, otp.KILLED)] == answers


async def test_its_supervisor_takes_up_what_waited_when_it_ends(autojump_clock: Any) -> None:
    """Management calls and the ends of other children, in their order."""
    journal, hold = Journal(), Hold()
    async with otp.open_supervisor([stubborn(journal, hold), *workers("ab", journal)]) as sup:
        await get_stuck()
        journal.clear()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.terminate_child, sup, "s")
            await settle()
            await kill("a")
            nursery.start_soon(otp.terminate_child, sup, "b")
            await trio.sleep(10)
            assert [] == journal
            hold.event.set()
        assert ["+a", "-b", "=b"] == journal
        assert {"s": "undefined", "a": "running", "b": "undefined"} == statuses(
            await otp.which_children(sup)
        )


async def test_a_group_restart_goes_on_when_it_ends(autojump_clock: Any) -> None:
    """A sibling that is stuck delays the restart, and then takes part in it."""
    journal, hold = Journal(), Hold()
    children = [worker("a", journal), stubborn(journal, hold)]
    async with otp.open_supervisor(children, strategy="one_for_all"):
        notices = Reports("notice")
        await get_stuck()
        journal.clear()
        await kill("a")
        await trio.sleep(10)
        assert [] == journal
        assert "in sit_here" in only_notice(notices)
        hold.event.set()
        await settle()
        assert ["+a", "+s"] == journal


async def test_the_rest_of_the_program_goes_on_meanwhile(autojump_clock: Any) -> None:
    """Other supervisors restart, answer and stop their children."""
    journal, hold = Journal(), Hold()
    stuck = otp.child(otp.Supervisor, [stubborn(journal, hold)]).having(name="stuck")
    fine = otp.child(otp.Supervisor, workers("ab", journal)).having(name="fine")
    async with otp.open_supervisor([stuck, fine]) as sup:
        await get_stuck()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.terminate_child, "stuck", "s")
            await trio.sleep(10)
            journal.clear()
            await kill("a")
            await otp.terminate_child("fine", "b")
            assert {"stuck": "running", "fine": "running"} == statuses(
                await otp.which_children(sup)
            )
            await otp.terminate_child(sup, "fine")
            assert ["+a", "-b", "=b", "-a", "=a"] == journal
            assert 10.0 == trio.current_time()
            hold.event.set()


async def test_a_limit_on_its_supervisor_lets_the_levels_above_go_on(autojump_clock: Any) -> None:
    """The supervisor is killed and dead at once; only the nursery around all waits for the rest."""
    journal, hold = Journal(), Hold()
    inner = otp.child(otp.Supervisor, [stubborn(journal, hold)]).having(name="inner", shutdown=3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_at, 50.0, hold)
        async with otp.open_supervisor([worker("a", journal), inner]) as sup:
            notices = Reports("notice")
            await get_stuck()
            journal.clear()
            await otp.terminate_child(sup, "inner")
            assert 3.0 == trio.current_time()
            await otp.terminate_child(sup, "a")
            assert ["-a", "=a"] == journal
            assert 3.0 == trio.current_time()
    assert all("in sit_here" in notice.text for notice in notices)
    assert 1 <= len(notices)
    assert 50.0 == trio.current_time()
    assert [] == leftovers()


@pytest.mark.parametrize("timeout", [0.5, 1.0, 4.0])
async def test_an_init_that_is_stuck_beyond_its_time_out_is_named(
    timeout: float, autojump_clock: Any
) -> None:
    """Its starter waits for its end, then is told of the time-out.

    A second is the time after which it is named, too: the end of one limit then sets another that
    is as long.
    """
    journal, hold = Journal(), Hold()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_at, 50.0, hold)
        async with otp.open_supervisor() as sup:
            notices = Reports("notice")
            with pytest.raises(otp.StartError) as caught:
                await otp.start_child(sup, stubborn(journal, hold, "init").having(timeout=timeout))
            assert 50.0 == trio.current_time()
    assert otp.TIMEOUT is caught.value.reason
    assert "in init" in only_notice(notices)


@pytest.mark.parametrize("timeout", [0.5, 1.0, 4.0])
async def test_a_task_of_a_stream_that_is_stuck_beyond_its_time_is_named(
    timeout: float, autojump_clock: Any
) -> None:
    """It is killed when its time is up; the stream waits for its end."""
    hold = Hold()

    async def item(_: int) -> None:
        await hold.sit_here()

    notices = Reports("notice")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_at, 50.0, hold)
        async with otp.task.async_stream(
            [1], item, timeout=timeout, on_timeout="kill_task"
        ) as results:
            assert 1 == len([each async for each in results])
    assert 50.0 == trio.current_time()
    assert "in sit_here" in only_notice(notices)


async def test_a_process_killed_by_hand_that_does_not_end_is_named(autojump_clock: Any) -> None:
    """Also when no supervisor waits for it; it is restarted when it is dead."""
    journal, hold = Journal(), Hold()
    async with otp.open_supervisor([stubborn(journal, hold)]):
        notices = Reports("notice")
        await get_stuck()
        otp.exit("s", otp.KILL)
        await trio.sleep(0.9)
        assert [] == notices
        assert None is otp.whereis("s")
        await trio.sleep(0.2)
        assert "in sit_here" in only_notice(notices)
        assert ["+s"] == journal.take()
        hold.event.set()
        await settle()
        assert ["+s"] == journal.take()
        assert None is not otp.whereis("s")


async def test_the_others_of_a_dynamic_supervisor_do_not_wait_for_it(autojump_clock: Any) -> None:
    """All are stopped at once; each one that is stuck is named."""
    journal = Journal()
    holds = [Hold(), Hold()]
    async with trio.open_nursery() as nursery:
        for hold in holds:
            nursery.start_soon(let_go_at, 50.0, hold)
        async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="d")]):
            notices = Reports("notice")
            for number, hold in enumerate(holds):
                child = stubborn(journal, hold).having(name=f"s{number}")
                await otp.start_child("d", child)
                await get_stuck(f"s{number}")
            await otp.start_child("d", worker("a", journal, slow=1))
            journal.clear()
    assert ["-a", "=a"] == journal
    assert 2 == len({notice.pid for notice in notices})
    assert 2 == len(notices)
    assert 50.0 == trio.current_time()


async def test_a_function_that_shields_is_named(autojump_clock: Any) -> None:
    """With the line in the user's code where it sits."""
    hold = Hold()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go_at, 50.0, hold)
        async with otp.open_supervisor([otp.child(hold.sit_here).having(shutdown=0)]):
            notices = Reports("notice")
            await settle()
    assert "in sit_here" in only_notice(notices)


async def test_a_child_in_a_thread_that_cannot_be_left_is_named(autojump_clock: Any) -> None:
    """Plain `to_thread.run_sync` ignores cancellation; the stack leads there."""
    blocked = threading.Event()

    async def threaded() -> None:
        await trio.to_thread.run_sync(blocked.wait, 60)

    async with otp.open_supervisor([otp.child(threaded).having(shutdown="brutal_kill")]) as sup:
        notices = Reports("notice")
        await settle()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(otp.terminate_child, sup, "threaded")
            await trio.sleep(2)
            text = only_notice(notices)
            blocked.set()
    assert "in threaded" in text
    assert "in to_thread_run_sync" in text


async def test_a_child_that_dies_of_its_kill_is_not_named(autojump_clock: Any) -> None:
    """Nothing is told of those that end as they should, however late it gets."""
    journal = Journal()
    async with otp.open_supervisor([worker("a", journal, slow=60).having(shutdown=1)]) as sup:
        notices = Reports("notice")
        await otp.terminate_child(sup, "a")
        await otp.restart_child(sup, "a")
        await kill("a")
        await trio.sleep(10)
        assert [] == notices
