"""No job that was taken is lost, none runs twice at once, and what fails is tried again later."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from examples.recipes import job_queue
from examples.recipes.job_queue import AT_ONCE, LIMIT, Queue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

QUEUE = Queue.at("jobs")


class Work:
    """Notes when each job begins, and how many of one run at a time; jobs are told what to do."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, float]] = []
        self.running: list[str] = []
        self.most = 0
        self.finished: list[str] = []
        self.news = trio.lowlevel.ParkingLot()

    async def __call__(self, payload: str) -> None:
        assert payload not in self.running, "it runs twice at once"
        self.begun.append((payload, trio.current_time()))
        self.running.append(payload)
        self.most = max(self.most, len(self.running))
        self.news.unpark_all()
        try:
            await self.do(payload.split(maxsplit=1)[0])
        finally:
            self.running.remove(payload)
        self.finished.append(payload)
        self.news.unpark_all()

    async def do(self, what: str) -> None:
        if what == "fail":
            raise OSError("broken")
        await trio.sleep({"hang": math.inf, "rest": 10}.get(what, 0))

    async def until_finished(self, count: int) -> list[str]:
        while len(self.finished) < count:
            await self.news.park()
        return sorted(self.finished)

    async def until_begun(self, count: int) -> None:
        while len(self.begun) < count:
            await self.news.park()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "jobs.db")


@asynccontextmanager
async def queue(path: str, work: Any, clock: Any = trio.current_time) -> AsyncGenerator[None]:
    child = otp.child(job_queue.job_queue, path, work, clock).having(name="jobs")
    with trio.fail_after(100_000):
        async with otp.open_supervisor([child], max_restarts=1000):
            yield


def rows(path: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT payload, tries, error FROM jobs ORDER BY id").fetchall()


def test_jobs_run_so_many_at_a_time(path: str, clock_beside_threads: Any) -> None:
    """In order, and what is done is gone."""
    work = Work()

    async def main() -> None:
        async with queue(path, work):
            for number in range(5):
                await QUEUE.put(f"rest {number}")
            await work.until_finished(5)
            await trio.sleep(1)
            assert [] == await QUEUE.listed()

    trio.run(main, clock=clock_beside_threads)
    assert [f"rest {number}" for number in range(5)] == [name for name, _ in work.begun]
    assert work.most == AT_ONCE


def test_what_fails_is_tried_again_later_each_time(path: str, clock_beside_threads: Any) -> None:
    """After 1, 2, 4 and 8 seconds; then it is kept, and others go on."""
    work = Work()

    async def main() -> None:
        async with queue(path, work):
            await QUEUE.put("fail")
            await trio.sleep(1000)
            await QUEUE.put("egg")
            assert ["egg"] == await work.until_finished(1)
            assert ("fail", 0, "OSError('broken')") == (await QUEUE.listed())[0]

    trio.run(main, clock=clock_beside_threads)
    times = [round(time) for name, time in work.begun if name == "fail"]
    assert [0, 1, 3, 7, 15] == times


def test_what_hangs_keeps_no_place(path: str, clock_beside_threads: Any) -> None:
    """It is stopped after its limit, and counts as failed."""
    work = Work()

    async def main() -> None:
        async with queue(path, work):
            for name in ("hang 1", "hang 2", "egg"):
                await QUEUE.put(name)
            await work.until_finished(1)
            assert LIMIT == trio.current_time()
            assert repr(otp.TIMEOUT) == (await QUEUE.listed())[0][2]

    trio.run(main, clock=clock_beside_threads)
    assert ["egg"] == work.finished


def test_a_killed_try_is_made_again(path: str, clock_beside_threads: Any) -> None:
    """Whatever ends the process that works on it."""
    work = Work()

    async def main() -> None:
        async with queue(path, work):
            await QUEUE.put("rest")
            await work.until_begun(1)
            [pid] = await otp.TaskSupervisor.children("tries")
            otp.exit(pid, otp.KILL)
            await work.until_finished(1)

    trio.run(main, clock=clock_beside_threads)
    assert 2 == len(work.begun)


@pytest.mark.parametrize("victim", ["jobs", "tries"])
def test_a_killed_queue_loses_nothing_and_repeats_nothing_at_once(
    path: str, clock_beside_threads: Any, victim: str
) -> None:
    """All that was taken is done, by whichever queue; `Work` would see two at once."""
    work, taken = Work(), []

    async def main() -> None:
        async with queue(path, work):
            for number in range(20):
                try:
                    await QUEUE.put(f"rest {number}")
                    taken.append(f"rest {number}")
                except (otp.ServerExited, otp.NoProcess):
                    await trio.sleep(1)
                if number % 4 == 3 and (pid := otp.whereis(victim)):
                    otp.exit(pid, otp.KILL)
            await trio.sleep(1000)
            assert [] == await QUEUE.listed()

    trio.run(main, clock=clock_beside_threads)
    assert 10 < len(taken)
    assert set(taken) <= set(work.finished)


def test_a_call_that_is_given_up_spoils_nothing(path: str, clock_beside_threads: Any) -> None:
    """It may be in the queue or not; the next one is."""
    work = Work()

    async def main() -> None:
        async with queue(path, work):
            with trio.move_on_after(0):
                await QUEUE.put("lost?")
            await QUEUE.put("egg")
            while "egg" not in work.finished:
                await work.news.park()

    trio.run(main, clock=clock_beside_threads)


def test_a_second_program_is_refused(path: str, clock_beside_threads: Any) -> None:
    """It would run the same jobs at the same time."""

    async def main() -> None:
        async with queue(path, Work()):
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                rows(path)

    rows_of = sqlite3.connect

    def impatient(*args: Any, **options: Any) -> sqlite3.Connection:
        return rows_of(*args, **options | {"timeout": 0})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", impatient)
        trio.run(main, clock=clock_beside_threads)


def test_the_loop_goes_on_while_the_disk_is_slow(path: str) -> None:
    """The file is only touched in a thread."""
    import threading

    threads: set[str] = set()

    class Traced(sqlite3.Connection):
        def execute(self, *args: Any) -> Any:
            threads.add(threading.current_thread().name)
            return super().execute(*args)

        def executescript(self, *args: Any) -> Any:
            threads.add(threading.current_thread().name)
            return super().executescript(*args)

        def close(self) -> None:
            threads.add(threading.current_thread().name)
            super().close()

    connect = sqlite3.connect

    def traced(*args: Any, **options: Any) -> sqlite3.Connection:
        threads.add(threading.current_thread().name)
        return connect(*args, **options, factory=Traced)

    async def main() -> None:
        work = Work()
        async with queue(path, work):
            await QUEUE.put("egg")
            await work.until_finished(1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        trio.run(main)
    assert threads
    assert threading.main_thread().name not in threads


PROGRAM = """
import sys, trio, trio_otp as otp
from examples.recipes.job_queue import Queue, job_queue

async def work(payload):
    print("begun", payload, flush=True)
    await trio.sleep_forever()

async def main():
    async with otp.open_supervisor([otp.child(job_queue, sys.argv[1], work).having(name="jobs")]):
        for number in range(1_000_000):
            await Queue.at("jobs").put(str(number))
            print("taken", number, flush=True)

trio.run(main)
"""


def test_sigkill_of_the_program_loses_nothing(path: str) -> None:
    """What it had taken is done by the next one, also what it had begun."""
    taken, begun = set[str](), set[str]()
    command = [sys.executable, "-c", PROGRAM, path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            word, number = line.split()
            (taken if word == "taken" else begun).add(number)
            if len(taken) >= 20 and len(begun) == AT_ONCE:
                program.kill()
    assert -signal.SIGKILL == program.returncode

    async def main() -> None:
        work = Work()
        async with queue(path, work, time.time):
            while not taken <= set(work.finished):
                await work.news.park()
        assert begun <= set(work.finished)
        assert len(work.finished) == len(set(work.finished))

    trio.run(main)


async def test_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """The job was done."""
    await job_queue.main()
    assert "done: boil an egg\n" == capsys.readouterr().out
