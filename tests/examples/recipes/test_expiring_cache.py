"""A value is loaded once for all that want it, and kept until it expires."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from examples.recipes import expiring_cache
from examples.recipes.expiring_cache import Cache

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Database:
    """Counts what is looked up, and takes a second for it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def load(self, key: str) -> str:
        self.asked.append(key)
        await trio.sleep(1)
        if self.error is not None:
            raise self.error
        return f"{key} {len(self.asked)}"


@asynccontextmanager
async def cache() -> AsyncGenerator[tuple[Cache, Database]]:
    """Run a cache over a database."""
    database = Database()
    child = otp.child(Cache, database.load, keep=60.0).having(name="cache")
    async with otp.open_supervisor([child]):
        yield Cache.at("cache"), database


async def test_a_value_is_loaded_once_for_all_that_want_it(autojump_clock: Any) -> None:
    """Also if they come while it is being loaded; other keys do not wait for that."""
    async with cache() as (client, database):
        got: list[Any] = []

        async def get(key: str) -> None:
            got.append((await client.get(key), trio.current_time() - began))

        began = trio.current_time()
        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(get, "tea")
            nursery.start_soon(get, "milk")
        assert ["milk", "tea"] == sorted(database.asked)
        assert {1.0} == {seconds for _, seconds in got}
        assert 51 == len(got)


async def test_a_value_expires(autojump_clock: Any) -> None:
    """It is kept for its time, however often it is asked for, and nothing is left of it."""
    async with cache() as (client, _):
        assert "tea 1" == await client.get("tea")
        for _ in range(5):
            await trio.sleep(11)
            assert "tea 1" == await client.get("tea")
        await trio.sleep(11)
        state = await otp.sys.get_state("cache")
        assert ({}, {}) == (state.values, state.waiting)
        assert "tea 2" == await client.get("tea")


async def test_a_load_that_fails_is_told_and_not_kept(autojump_clock: Any) -> None:
    """The cache survives, and the next caller loads the value again."""
    async with cache() as (client, database):
        await client.get("milk")
        database.error = OSError("no database")
        with pytest.raises(OSError, match="no database"):
            await client.get("tea")
        database.error = None
        assert "tea 3" == await client.get("tea")
        assert "milk 1" == await client.get("milk")


async def test_a_caller_that_gives_up_spoils_nothing(autojump_clock: Any) -> None:
    """The value is loaded for the next."""
    async with cache() as (client, database):
        with trio.move_on_after(0.5):
            await client.get("tea")
        assert "tea 1" == await client.get("tea")
        assert ["tea"] == database.asked


async def test_nobody_waits_for_a_load_that_was_killed(autojump_clock: Any) -> None:
    """The cache ends with it, is started again, and is empty."""
    async with cache() as (client, _):

        async def kill() -> None:
            await trio.sleep(0.5)
            [loader] = [pid for pid in otp.processes() if "fetch" in otp.process_info(pid).label]
            otp.exit(loader, otp.KILL)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            with pytest.raises(otp.ServerExited):
                await client.get("tea")
        await trio.testing.wait_all_tasks_blocked()
        assert "tea 2" == await client.get("tea")


async def test_what_it_prints(autojump_clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred callers, one look-up; after its time another one."""
    await expiring_cache.main()
    assert ["looking up tea", "TEA"] * 2 == capsys.readouterr().out.splitlines()
