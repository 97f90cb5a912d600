"""A table outlives the servers that own it, one after the other, and has one owner at a time."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from examples.recipes import surviving_state
from examples.recipes.surviving_state import Keeper, Owned, Visits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

CHILDREN = [otp.child(Keeper).having(name="keeper"), otp.child(Visits).having(name="visits")]
VISITS = Visits.at("visits")


@asynccontextmanager
async def service() -> AsyncGenerator[None]:
    """Run a keeper and a server below a supervisor of their own, which may give up once."""
    inner = otp.child(otp.Supervisor, CHILDREN, strategy="rest_for_one")
    async with otp.open_supervisor([inner]):
        yield


async def crash() -> None:
    """Crash the server, and wait for the next one."""
    with pytest.raises(otp.ServerExited):
        await VISITS.visit(None)  # type: ignore[arg-type]  # that is what it cannot bear
    await trio.testing.wait_all_tasks_blocked()


async def test_counts_go_on_after_a_crash_and_after_a_kill() -> None:
    """In another process, with the very same table."""
    async with service():
        first = otp.whereis("visits")
        assert [1, 2] == [await VISITS.visit("home") for _ in range(2)]
        await crash()
        assert 3 == await VISITS.visit("home")
        otp.exit("visits", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert 4 == await VISITS.visit("home")
        assert first != otp.whereis("visits")


async def test_a_crash_in_the_middle_changes_nothing() -> None:
    """What fails comes before the change."""
    async with service():
        await VISITS.visit("home")
        before = dict((await otp.sys.get_state("keeper")).tables["visits"])
        await crash()
        assert before == (await otp.sys.get_state("keeper")).tables["visits"]


async def test_a_table_has_one_owner_at_a_time() -> None:
    """Until it ends; tables with other names are apart."""
    async with service(), otp.open_process() as me:
        assert {} == await Keeper.borrow("keeper", "other", me)
        with pytest.raises(Owned):
            await Keeper.borrow("keeper", "visits", me)
        await crash()
        with pytest.raises(Owned):
            await Keeper.borrow("keeper", "visits", me)


async def test_a_dead_owner_leaves_it_free() -> None:
    """Also one that was dead before it asked."""

    async def owner() -> None:
        await trio.sleep_forever()

    async with service(), otp.open_process() as me:
        pids = [otp.spawn(owner) for _ in range(2)]
        otp.exit(pids[0], otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        table = await Keeper.borrow("keeper", "mine", pids[0])
        table["k"] = "v"
        assert table is await Keeper.borrow("keeper", "mine", pids[1])
        otp.exit(pids[1], otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert {"k": "v"} == await Keeper.borrow("keeper", "mine", me)


async def test_no_server_goes_on_with_a_table_that_nobody_keeps() -> None:
    """The death of the keeper is that of the server; both start anew."""
    async with service():
        server = otp.whereis("visits")
        await VISITS.visit("home")
        otp.exit("keeper", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert server != otp.whereis("visits")
        assert 1 == await VISITS.visit("home")


async def test_a_table_that_kills_each_server_is_given_up() -> None:
    """The supervisor of both exceeds its intensity, and the one above starts them anew."""
    async with service():
        keeper = otp.whereis("keeper")
        await VISITS.visit("home")
        for _ in range(4):
            await crash()
        assert keeper != otp.whereis("keeper")
        assert 1 == await VISITS.visit("home")


async def test_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """A crash, and the counts go on."""
    await surviving_state.main()
    printed: list[Any] = capsys.readouterr().out.splitlines()
    assert ["home 1", "home 2"] == printed[:2]
    assert printed[2].startswith("crashed: 'NoneType'")
    assert ["home 3"] == printed[3:]
