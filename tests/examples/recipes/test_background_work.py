"""A server answers while work goes on beside it, hears of errors, and leaves nothing behind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio
import trio.testing

import trio_otp as otp
from examples.recipes import background_work
from examples.recipes.background_work import TASKS, Mirror

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import pytest

MIRROR = Mirror.at("mirror")


class Site:
    """Serves files, each in 10 s, except `broken` and `endless`; counts requests under way."""

    def __init__(self, *names: str) -> None:
        self.names, self.down = list(names), False
        self.looked, self.fetched = 0, list[str]()

    async def look(self) -> list[str]:
        self.looked += 1
        await trio.sleep(1)
        if self.down:
            raise OSError("no site")
        return self.names

    async def fetch(self, name: str) -> str:
        self.fetched.append(name)
        await trio.sleep(10 if name != "endless" else 1e9)
        if name == "broken":
            raise OSError("no file")
        return name.upper()


@asynccontextmanager
async def mirror(site: Site) -> AsyncGenerator[None]:
    tasks = otp.child(otp.TaskSupervisor).having(name=TASKS)
    child = otp.child(Mirror, site.look, site.fetch).having(name="mirror")
    async with otp.open_supervisor([tasks, child], strategy="one_for_all"):
        yield


async def test_it_answers_at_once_whatever_goes_on(autojump_clock: Any) -> None:
    """While it looks, and while files are fetched, all at a time."""
    async with mirror(Site("a", "b")):
        for seconds, expected in ((0.5, {}), (1.5, {"a": None, "b": None})):
            await trio.sleep(seconds)
            now = trio.current_time()
            assert expected == await MIRROR.status()
            assert now == trio.current_time()
        await trio.sleep(10)
        assert {"a": "A", "b": "B"} == await MIRROR.status()


async def test_it_looks_again_and_fetches_once(autojump_clock: Any) -> None:
    """Each minute; nothing of what has ended is kept."""
    site = Site("a")
    async with mirror(site):
        await trio.sleep(130)
        site.names.append("b")
        await trio.sleep(65)
        assert ["a", "b"] == site.fetched
        assert 4 == site.looked
        assert {} == (await otp.sys.get_state("mirror")).tasks


async def test_an_error_of_a_task_is_told_and_others_go_on(autojump_clock: Any) -> None:
    """So is a kill; the server is the same."""
    async with mirror(Site("broken", "a", "endless")):
        server = otp.whereis("mirror")
        await trio.sleep(12)
        for pid in await otp.TaskSupervisor.children(TASKS):
            otp.exit(pid, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        status = await MIRROR.status()
        assert "no file" == str(status["broken"])
        assert ("A", otp.KILLED) == (status["a"], status["endless"])
        assert server == otp.whereis("mirror")


async def test_an_error_of_the_loop_ends_the_server(autojump_clock: Any) -> None:
    """Its supervisor starts it anew, with a loop."""
    site = Site("a")
    async with mirror(site):
        await trio.sleep(30)
        server = otp.whereis("mirror")
        site.down = True
        await trio.sleep(32.5)
        site.down = False
        assert server != otp.whereis("mirror")
        await trio.sleep(30)
        assert {"a": "A"} == await MIRROR.status()


async def test_nothing_is_left_behind(autojump_clock: Any) -> None:
    """However the server ends: no loop, no task."""
    site = Site("endless")
    async with mirror(site):
        before = otp.process_count()
        for _ in range(2):
            await trio.sleep(5)
            otp.exit("mirror", otp.KILL)
        await trio.sleep(5)
        assert 1 == len(await otp.TaskSupervisor.children(TASKS))
        assert before + 1 == otp.process_count()  # as at the start, and this task
    assert 0 == otp.process_count()


async def test_what_it_prints(autojump_clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """It answers while both are fetched, and has the result of each."""
    await background_work.main()
    assert [
        "{'tea': None, 'milk': None}",
        "{'tea': None, 'milk': None}",
        "{'tea': '200 g of tea', 'milk': ZeroDivisionError('division by zero')}",
    ] == capsys.readouterr().out.splitlines()
