"""Tables that are made when they are needed, and packed while nothing is added."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing
from inside import packed, process_of, with_key, without_key

import trio_otp as otp

FEW = tuple(range(8))
MANY = tuple(range(9))


@pytest.mark.parametrize("table", [None, (), {}, (1, 2), {1: None, 2: None}])
def test_a_key_is_added_once_and_last(table: Any) -> None:
    """Whatever stood for the table, it is a dict with the key afterwards."""
    before = list(table or ())
    assert [*before, 3] == list(with_key(table, 3))
    assert [*before, 3] == list(with_key(with_key(table, 3), 3))


@pytest.mark.parametrize("table", [None, (), {}, (1, 2), {1: None, 2: None}])
def test_a_key_is_removed_wherever_it_stands(table: Any) -> None:
    """The others keep their order; a key that is not there is no error."""
    assert [key for key in table or () if key != 1] == list(without_key(table, 1) or ())
    assert list(table or ()) == list(without_key(table, 3) or ())


def test_a_dict_stays_the_same_object() -> None:
    """Who goes through a table sees what is added and removed."""
    table: dict[int, None] = {1: None}
    assert table is with_key(table, 2)
    assert table is without_key(table, 1)
    assert {2: None} == table


def test_only_a_small_table_is_packed() -> None:
    """As a tuple more than a few keys would be slow to look for; an empty one is no table."""
    assert FEW == packed(dict.fromkeys(FEW))
    assert MANY == tuple(packed(dict.fromkeys(MANY)) or ())
    assert isinstance(packed(dict.fromkeys(MANY)), dict)
    assert packed({}) is packed(()) is packed(None) is None


class Sleeper(otp.GenServer):
    """Sleeps as soon as it may."""

    hibernate_after = 0

    def handle_call(self, request: Any, from_: otp.From[Any]) -> otp.Reply[Any]:
        return otp.Reply(request)


async def test_what_is_linked_with_a_sleeper_goes_on_as_before(autojump_clock: Any) -> None:
    """Links and monitors are kept while it sleeps; more can be added and removed."""
    async with otp.open_process(trap_exit=True) as me:
        pid = await otp.start_link(Sleeper)
        kept, gone = otp.monitor(pid), otp.monitor(pid)
        await trio.testing.wait_all_tasks_blocked()
        assert (process_of(me),) == process_of(pid).links
        assert otp.demonitor(gone)
        other = await otp.start_link(Sleeper)
        process_of(pid).add_link(process_of(other))
        process_of(pid).remove_link(process_of(other))
        assert not otp.demonitor(gone)
        assert "awake" == await otp.call(pid, "awake")
        otp.exit(pid, otp.KILL)
        assert otp.Exit(pid, otp.KILLED) == await otp.receive(otp.Exit, timeout=1)
        assert otp.Down(kept, pid, otp.KILLED) == await otp.receive(otp.Down, timeout=1)
        assert otp.is_alive(other)


async def test_how_a_process_ends_is_asked_by_predicates() -> None:
    """An exit signal, a shutdown and the death of a process, told apart."""
    release = trio.Event()

    class Slow(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            await release.wait()

    async with trio.open_nursery() as nursery, otp.open_process():
        pid = await otp.start(Slow, nursery=nursery)
        process = process_of(pid)
        assert (True, False, True) == (process.alive, process.is_exiting, process.may_terminate)
        nursery.start_soon(otp.stop, pid, otp.SHUTDOWN)
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
            assert (False, True, True) == (process.alive, process.is_exiting, process.may_terminate)
            release.set()
            await process.wait_dead()
        assert process.exit_reason is otp.SHUTDOWN
