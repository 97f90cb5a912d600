"""A supervisor as a block of plain Trio code: what ends it, and what leaves it."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from supervision_kit import (
    Boom,
    Journal,
    gives_up,
    kill,
    leftovers,
    settle,
    worker,
    workers,
)

import trio_otp as otp

STOPPED = ["-b", "=b", "-a", "=a"]


class Body(Exception):
    """Raised by the body of a block."""


# -- the block -------------------------------------------------------------------------------------


async def test_the_children_run_while_the_block_does() -> None:
    """They are there from its first line, and stopped newest first when it is left."""
    journal = Journal()
    async with otp.open_supervisor(workers("ab", journal)):
        assert "pong" == await otp.call("a", "pong")
        assert ["+a", "+b"] == journal.take()
    assert STOPPED == journal.take()
    assert [] == leftovers()


async def test_the_handle_is_a_reference() -> None:
    """It goes wherever a pid or a name goes, and tells whether the supervisor runs."""
    async with otp.open_supervisor(name="top") as sup:
        assert sup.pid is otp.whereis(sup)
        assert sup.pid is otp.whereis("top")
        assert otp.is_alive(sup)
        assert repr(sup).endswith("running>")
        assert [] == await otp.which_children(sup)
    assert not otp.is_alive(sup)
    assert None is otp.whereis("top")
    assert repr(sup).endswith("ended>")


async def test_the_body_stays_plain_code() -> None:
    """It has no pid; what needs a process says what to write."""
    async with otp.open_supervisor():
        with pytest.raises(otp.NotAProcess):
            otp.self()


async def test_entering_and_leaving_are_checkpoints() -> None:
    """Also with nothing to start."""
    with trio.testing.assert_checkpoints():
        block = otp.open_supervisor()
        await block.__aenter__()
    with trio.testing.assert_checkpoints():
        await block.__aexit__(None, None, None)


async def test_a_cancelled_block_is_not_entered() -> None:
    """No child is started where the caller is cancelled already."""
    journal = Journal()
    with trio.CancelScope() as scope:
        scope.cancel()
        async with otp.open_supervisor(workers("ab", journal)):
            raise AssertionError("the block must not be entered")
    assert [] == journal.take()
    assert [] == leftovers()


def test_two_runs_share_nothing() -> None:
    """The same names are free in the next run, and none of its processes is known there."""
    old: list[otp.Pid[Any]] = []

    async def main() -> None:
        assert not any(otp.is_alive(pid) for pid in old)
        async with otp.open_supervisor(workers("ab", Journal())):
            old.append(otp.whereis("a"))  # type: ignore[arg-type]
            assert not any(otp.is_alive(pid) for pid in old[:-1])

    trio.run(main)
    trio.run(main)
    assert old[0] is not old[1]


# -- errors of the body ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Body, KeyboardInterrupt, SystemExit, GeneratorExit])
async def test_an_error_of_the_body_leaves_bare(error: type[BaseException]) -> None:
    """Not in a group, and after the children have been stopped in order."""
    journal = Journal()
    raised = error("text")
    with pytest.raises(error) as caught:
        async with otp.open_supervisor(workers("ab", journal)):
            raise raised
    assert raised is caught.value
    assert STOPPED == journal.take()[2:]
    assert [] == leftovers()


async def test_an_error_of_the_body_keeps_its_cause_and_context() -> None:
    """The block adds nothing to them and takes nothing away."""
    cause, context = KeyError("cause"), KeyError("context")

    async def body() -> None:
        async with otp.open_supervisor():
            try:
                raise context
            except KeyError:
                raise Body from cause

    with pytest.raises(Body) as caught:
        await body()
    assert cause is caught.value.__cause__
    assert context is caught.value.__context__


async def test_groups_of_the_body() -> None:
    """They leave as they are, a group of one as well; not so that of a nursery."""
    for raised in (ExceptionGroup("many", [Body(1), Body(2)]), ExceptionGroup("one", [Body()])):
        with pytest.raises(ExceptionGroup) as caught:
            async with otp.open_supervisor():
                raise raised
        assert raised is caught.value
    with pytest.raises(Body):
        async with otp.open_supervisor(), trio.open_nursery():
            raise Body


async def test_an_error_of_nested_blocks_leaves_bare() -> None:
    """However deep it is raised."""
    journal = Journal()
    with pytest.raises(Body):
        async with (
            otp.open_supervisor(workers("a", journal)),
            otp.open_supervisor(workers("b", journal)),
            otp.open_supervisor(workers("c", journal)),
        ):
            raise Body
    assert ["-c", "=c", "-b", "=b", "-a", "=a"] == journal.take()[3:]


async def test_the_error_of_the_body_outdoes_the_end_of_the_supervisor() -> None:
    """If the body fails while it is cancelled by the supervisor, its error is what is told."""

    async def body() -> None:
        async with otp.open_supervisor(workers("a", Journal()), max_restarts=0):
            otp.exit("a", otp.KILL)
            try:
                await trio.sleep_forever()
            finally:
                raise Body

    with pytest.raises(Body) as caught:
        await body()
    assert isinstance(caught.value.__context__, otp.SupervisorExited)
    assert [] == leftovers()


# -- the end of the supervisor ---------------------------------------------------------------------


async def test_giving_up_cancels_the_body() -> None:
    """The children are stopped first; then the block raises one error with the history."""
    journal = Journal()
    boom = Boom("why")
    cancelled = []
    async with gives_up(workers("ab", journal), max_restarts=0) as (_, caught):
        otp.cast("b", boom)
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            cancelled += journal.take()
            raise
    assert ["+a", "+b", *STOPPED] == cancelled
    assert otp.SHUTDOWN is caught.value.reason
    assert [("b", boom)] == [(child_id, why) for _, child_id, why in caught.value.history]
    assert boom is caught.value.__cause__
    assert "child 'b': Boom: why" in str(caught.value)


async def test_the_history_tells_when(autojump_clock: Any) -> None:
    """Each end with the time at which it was noticed, oldest first, and a hundred at most."""
    async with gives_up(workers("a", Journal()), max_restarts=1, max_seconds=1) as (sup, caught):
        for _ in range(150):
            await trio.sleep(4)
            await kill("a")
        otp.exit("a", otp.KILL)
        await sup.wait()
    times = [time for time, _, _ in caught.value.history]
    assert [*(4.0 * n for n in range(52, 151)), 600.0] == times


async def test_wait_serves_on_until_the_supervisor_is_stopped() -> None:
    """A stop with a quiet reason ends the wait, not the body."""
    for reason in (otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("deploy")):
        journal = Journal()
        async with otp.open_supervisor(workers("ab", journal)) as sup:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(sup.wait)
                await settle()
                assert otp.is_alive(sup)
                await otp.stop(sup, reason)
            assert STOPPED == journal.take()[2:]
            await trio.lowlevel.checkpoint()
            with pytest.raises(otp.NoProcess):
                await otp.which_children(sup)


async def test_wait_for_a_supervisor_that_has_ended_returns_at_once() -> None:
    """And is a checkpoint all the same."""
    async with otp.open_supervisor() as sup:
        await otp.stop(sup)
        with trio.testing.assert_checkpoints():
            await sup.wait()


@pytest.mark.parametrize("reason", ["odd", Boom("odd")], ids=repr)
async def test_a_stop_with_another_reason_is_a_failure(reason: object) -> None:
    """The block raises it."""
    async with gives_up(workers("a", Journal())) as (sup, caught):
        await otp.stop(sup, reason)
        await sup.wait()
    assert reason is caught.value.reason


async def test_a_supervisor_that_is_killed_takes_its_children_along() -> None:
    """They die of the link, without their terminate; the block raises KILLED."""
    journal = Journal()
    async with gives_up(workers("ab", journal)) as (sup, caught):
        otp.exit(sup, otp.KILL)
        await sup.wait()
    assert ["+a", "+b"] == journal.take()
    assert otp.KILLED is caught.value.reason


async def test_a_failed_supervisor_is_told_even_if_the_body_has_not_noticed() -> None:
    """A body that is over before it could be cancelled does not hide the failure."""
    async with gives_up(workers("a", Journal())) as (sup, _):
        otp.exit(sup, otp.KILL)
        with trio.CancelScope(shield=True):
            await settle()
        assert not otp.is_alive(sup)


# -- cancellation ----------------------------------------------------------------------------------


async def test_a_deadline_around_the_block_stops_the_children_in_order(autojump_clock: Any) -> None:
    """Each gets its time, and the deadline is what ended the block."""
    journal = Journal()
    with trio.move_on_after(5) as scope:
        async with otp.open_supervisor(workers("abc", journal, slow=2)) as sup:
            await sup.wait()
    assert scope.cancelled_caught
    assert 11.0 == trio.current_time()
    assert ["-c", "=c", "-b", "=b", "-a", "=a"] == journal.take()[3:]
    assert [] == leftovers()


async def test_a_scope_inside_of_the_body_is_its_own_affair(autojump_clock: Any) -> None:
    """Its cancellation does not touch the supervisor."""
    async with otp.open_supervisor(workers("ab", Journal())) as sup:
        with trio.move_on_after(1) as scope:
            await sup.wait()
        assert scope.cancelled_caught
        assert "pong" == await otp.call("a", "pong")


async def test_a_cancelled_nursery_around_several_blocks_stops_each_in_order() -> None:
    """Every block stops its own children newest first."""
    journals = [Journal() for _ in range(5)]

    async def serve(number: int) -> None:
        children = [worker(f"{tag}{number}", journals[number]) for tag in "abc"]
        async with otp.open_supervisor(children) as sup:
            await sup.wait()

    async with trio.open_nursery() as nursery:
        for number in range(5):
            nursery.start_soon(serve, number)
        await settle()
        nursery.cancel_scope.cancel()
    for number, journal in enumerate(journals):
        ends = [word.replace(str(number), "") for word in journal if word[0] == "-"]
        assert ["-c", "-b", "-a"] == ends
    assert [] == leftovers()


# -- inside of a process ---------------------------------------------------------------------------


async def test_a_process_may_hold_a_block_of_its_own() -> None:
    """When the process ends, its children have been stopped; when it is killed, too."""
    for reason in (otp.NORMAL, otp.KILL):
        journal = Journal()

        async def boss(journal: Journal = journal) -> None:
            async with otp.open_supervisor(workers("ab", journal)):
                otp.send(me, "ready")
                await otp.receive()

        async with otp.open_process() as me:
            pid, monitor = otp.spawn_monitor(boss)
            assert "ready" == await otp.receive(str)
            if reason is otp.KILL:
                otp.exit(pid, otp.KILL)
            else:
                otp.send(pid, "end")
            down = await otp.receive(otp.Down)
            ended = otp.KILLED if reason is otp.KILL else reason
            assert otp.Down(monitor, pid, ended) == down
        assert STOPPED == journal.take()[2:]
        assert [] == leftovers()


async def test_a_block_that_is_cancelled_as_its_supervisor_gives_up_tells_why() -> None:
    """Both ends meet; the error of the supervisor leaves, bare."""

    async def use(scope: trio.CancelScope) -> None:
        async with otp.open_supervisor(workers("a", Journal()), max_restarts=0):
            otp.exit("a", Boom())
            scope.cancel()
            with trio.CancelScope(shield=True):
                await settle()
            await trio.lowlevel.checkpoint()

    with trio.CancelScope() as scope, pytest.raises(otp.SupervisorExited) as caught:
        await use(scope)
    assert isinstance(caught.value.__cause__, Boom)
