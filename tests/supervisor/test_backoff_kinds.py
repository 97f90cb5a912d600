"""Restart back-off of the other supervisors: dynamic ones, partitions, tasks; and of templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import runtime
from supervision_kit import Boom, Journal, Reports, gives_up, leftovers, settle, worker

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import VirtualTime

BACKOFF = otp.Backoff(min_delay=2, max_delay=8, jitter=0)


def pool(**options: Any) -> otp.Child[otp.DynamicSupervisor]:
    """Describe a dynamic supervisor whose children wait."""
    options = {"backoff": BACKOFF, **options}
    return otp.child(otp.DynamicSupervisor, **options).having(name="pool")


async def crash(ref: Any) -> None:
    """Crash a worker, and wait for what follows at once."""
    otp.cast(ref, Boom())
    await settle()


async def infos() -> list[tuple[str, float | None]]:
    """Return the status of each child, and the seconds that are left of its wait."""
    return [(info.status, info.restart_in) for info in await otp.which_children("pool")]


async def test_a_child_that_is_terminated_as_its_wait_ends_stays_away(
    virtual_time: VirtualTime,
) -> None:
    """Its timer has fired, and finds no waiting child."""
    async with otp.open_supervisor([pool(max_restarts=None)]), trio.open_nursery() as nursery:
        await otp.start_child("pool", worker("a", Journal()))
        await crash("a")
        await otp.sys.suspend("pool")
        nursery.start_soon(otp.terminate_child, "pool", "a")
        await virtual_time.advance(3)
        await otp.sys.resume("pool")
        await settle()
        assert [] == await infos()


async def test_a_dynamic_child_waits_longer_each_time(virtual_time: VirtualTime) -> None:
    """Whether it crashes or does not start; one that was well begins anew."""
    journal = Journal()
    async with otp.open_supervisor([pool(max_restarts=None)]):
        reports = Reports()
        await otp.start_child("pool", worker("a", journal))
        await otp.start_child("pool", worker("b", journal))
        journal.fail_inits["a"] = 1
        await crash("a")
        await virtual_time.advance(0.5)
        assert [("restarting", 1.5), ("running", None)] == await infos()
        with pytest.raises(otp.NoProcess):
            await otp.call("a", 1)
        await virtual_time.advance(1.5)
        assert [("restarting", 4.0), ("running", None)] == await infos()
        await virtual_time.advance(4)
        assert [("running", None), ("running", None)] == await infos()
        assert [2.0, 4.0] == [report.restart_in for report in reports]
        await crash("a")
        assert [("running", None), ("restarting", 8.0)] == await infos()
        await virtual_time.advance(8 + 60)
        await crash("a")
        assert [("running", None), ("restarting", 2.0)] == await infos()
        await crash("b")
        assert [("restarting", 2.0), ("restarting", 2.0)] == await infos()
        assert otp.Counts(2, 0, 0, 2) == await otp.count_children("pool")
    assert [] == leftovers()


async def test_a_dynamic_child_may_have_its_own_or_none(virtual_time: VirtualTime) -> None:
    """Its own comes before that of the supervisor; None is none; a temporary one is forgotten."""
    journal = Journal()
    async with otp.open_supervisor([pool()]):
        own = otp.Backoff(min_delay=7, jitter=0)
        await otp.start_child("pool", worker("a", journal).having(backoff=own))
        await otp.start_child("pool", worker("b", journal).having(backoff=None))
        await otp.start_child("pool", worker("c", journal).having(restart="temporary"))
        await otp.start_child("pool", worker("d", journal).having(restart="transient"))
        for tag in "abc":
            await crash(tag)
        otp.cast("d", otp.NORMAL)
        await settle()
        assert [("restarting", 7.0), ("running", None)] == await infos()
        assert 0.0 == trio.current_time()
    await virtual_time.settle()


async def test_a_waiting_dynamic_child_is_terminated_by_its_pid_or_name(
    virtual_time: VirtualTime,
) -> None:
    """It is forgotten, and its timer with it."""
    journal = Journal()
    async with otp.open_supervisor([pool()]):
        pid = await otp.start_child("pool", worker("a", journal))
        await otp.start_child("pool", worker("b", journal))
        for tag in "ab":
            await crash(tag)
        assert "restarting" == (await otp.which_child("pool", pid)).status
        await otp.terminate_child("pool", pid)
        await otp.terminate_child("pool", "b")
        assert [] == await infos()
        assert 0 == runtime().timers.pending()
        with pytest.raises(otp.ChildNotFound):
            await otp.terminate_child("pool", "b")
        journal.clear()
        await virtual_time.advance(10)
        assert [] == journal


async def test_a_name_that_waits_is_not_started_twice(virtual_time: VirtualTime) -> None:
    """So that those who ask for a child by its name do not get round its back-off."""
    journal = Journal()
    child = worker("a", journal)
    async with otp.open_supervisor([pool()]):
        await otp.start_child("pool", child)
        await crash("a")
        await virtual_time.advance(0.5)
        for start in (otp.start_child, otp.ensure_child):
            with pytest.raises(otp.ChildRestarting) as caught:
                await start("pool", child)
            assert 1.5 == caught.value.restart_in
        await virtual_time.advance(1.5)
        assert otp.whereis("a") is await otp.ensure_child("pool", child)
        await otp.terminate_child("pool", "a")
        await otp.start_child("pool", child)  # nothing of the wait is left


async def test_a_waiting_child_takes_its_place(virtual_time: VirtualTime) -> None:
    """There may be no other one for it."""
    async with otp.open_supervisor([pool(max_children=1)]):
        await otp.start_child("pool", worker("a", Journal()))
        await crash("a")
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("pool", worker("b", Journal()))
        await virtual_time.advance(2)
        assert otp.whereis("a") is not None


@pytest.mark.parametrize("how", ["leave", "kill", "stop"])
async def test_a_dynamic_supervisor_that_ends_does_not_wait(
    how: str, virtual_time: VirtualTime
) -> None:
    """And nothing of the wait is left."""
    journal = Journal()
    async with otp.open_supervisor([pool().having(restart="temporary")]):
        await otp.start_child("pool", worker("a", journal))
        await crash("a")
        if how == "kill":
            otp.exit("pool", otp.KILL)
        elif how == "stop":
            await otp.stop("pool")
        await settle()
    assert 0.0 == trio.current_time()
    assert ["+a", "-a", "=a"] == journal
    assert [] == leftovers()
    await virtual_time.settle()


async def test_a_dynamic_supervisor_gives_up_when_the_restart_is_due(
    virtual_time: VirtualTime,
) -> None:
    """Not before: several children may exceed the intensity that one cannot."""
    journal = Journal()
    async with gives_up([pool()], max_restarts=0) as (sup, _):
        for tag in "abcd":
            await otp.start_child("pool", worker(tag, journal))
        for tag in "abcd":
            await crash(tag)
        assert otp.whereis("pool") is not None
        await virtual_time.advance(2)
        await sup.wait()
    assert ["+a", "+b", "+c"] == [word for word in journal[12:] if word[0] == "+"]


async def test_the_children_of_a_template_wait(virtual_time: VirtualTime) -> None:
    """By an option of the template, or of its class."""
    journal = Journal()
    template = otp.template(otp.Agent).having(backoff=BACKOFF)
    async with otp.open_supervisor([pool(template=template, backoff=None)]):
        pid = await otp.start_child("pool", [dict])
        otp.exit(pid, otp.KILL)
        await settle()
        assert [("restarting", 2.0)] == await infos()
        await otp.terminate_child("pool", pid)
        assert [] == await infos()
    assert [] == journal
    await virtual_time.settle()


async def test_a_change_of_code_leaves_what_waits_waiting(virtual_time: VirtualTime) -> None:
    """The delays that follow are those of the new template."""

    class Pool(otp.DynamicSupervisor):
        factor = 2.0

        def init(self) -> Any:
            backoff = otp.Backoff(min_delay=2, max_delay=1000, factor=self.factor, jitter=0)
            template = otp.template(otp.Agent).having(name="a", backoff=backoff)
            return otp.DynamicSupervisor.spec(template=template)

    async with otp.open_supervisor([otp.child(Pool).having(name="pool")]):
        await otp.start_child("pool", [dict])
        otp.exit("a", otp.KILL)
        await settle()
        Pool.factor = 10.0
        await otp.sys.suspend("pool")
        await otp.sys.change_code("pool")
        await otp.sys.resume("pool")
        assert [("restarting", 2.0)] == await infos()
        with pytest.raises(otp.ChildRestarting):
            await otp.start_child("pool", [dict])
        await virtual_time.advance(2)
        otp.exit("a", otp.KILL)
        await settle()
        assert [("restarting", 20.0)] == await infos()
        await otp.terminate_child("pool", "a")
        assert [] == await infos()


# -- partitions and tasks --------------------------------------------------------------------------


class Echo(otp.GenServer):
    """Says which partition it is."""

    def __init__(self, number: int) -> None:
        self.number = number

    def handle_call(self, request: object, from_: otp.From[int]) -> otp.Reply[int]:
        if request == "crash":
            raise Boom
        return otp.Reply(self.number)


async def test_the_keys_of_a_partition_that_waits_are_nobodys(virtual_time: VirtualTime) -> None:
    """A call raises `NoProcess` at once; the others go on; a resize leaves the wait alone."""
    parts = otp.partitions("parts")
    child = otp.child(
        otp.PartitionSupervisor,
        lambda number: otp.child(Echo, number),
        partitions=3,
        backoff=BACKOFF,
    )
    async with otp.open_supervisor([child.having(name="parts")]):
        with pytest.raises(otp.ServerExited):
            await otp.call(parts.via(1), "crash")
        await settle()
        assert [None, 2.0, None] == [i.restart_in for i in await otp.which_children("parts")]
        with pytest.raises(otp.NoProcess):
            await otp.call(parts.via(1), "?")
        assert 2 == await otp.call(parts.via(2), "?")
        assert 3 == await parts.resize(2)
        assert 2 == await parts.resize(3)
        assert 0.0 == trio.current_time()
        await virtual_time.advance(2)
        assert 1 == await otp.call(parts.via(1), "?")
        with pytest.raises(otp.ServerExited):
            await otp.call(parts.via(1), "crash")
        await settle()
        assert 3 == await parts.resize(1)  # takes it out of its wait
        assert 0 == runtime().timers.pending()
        assert 1 == await parts.resize(2)
        assert 1 == await otp.call(parts.via(1), "?")


async def test_a_task_that_is_run_again_waits(virtual_time: VirtualTime) -> None:
    """As a job that needs a service that is down."""
    times = []

    async def job() -> None:
        times.append(trio.current_time())
        if len(times) < 4:
            raise Boom

    tasks = otp.child(otp.TaskSupervisor, backoff=BACKOFF).having(name="tasks")
    async with otp.open_supervisor([tasks]):
        await otp.TaskSupervisor.start_child("tasks", job, restart="transient")
        await virtual_time.advance(60)
        assert [0.0, 2.0, 6.0, 14.0] == times
        assert [] == await otp.TaskSupervisor.children("tasks")
