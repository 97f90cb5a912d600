"""A durable job queue on SQLite: once `put` has returned, the job gets done, whatever is killed.

For work that must not be lost, on one machine, without a broker. A job that fails or hangs is tried
again, later each time, and finally kept with its error. One that was cut off runs again, never
twice at once, so it must be repeatable. When not: machines share work, or TaskSupervisor will do.
"""

import sqlite3
import tempfile
import time
from functools import partial
from typing import Any

import trio

import trio_otp as otp

AT_ONCE, LIMIT = 2, 60.0  # how many jobs run at a time, and for how many seconds
SETUP = """PRAGMA locking_mode = EXCLUSIVE; -- a second program is refused
    CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, payload, due, tries DEFAULT 5,
        wait DEFAULT 1.0, running DEFAULT 0, error); UPDATE jobs SET running = 0"""
TAKE = """UPDATE jobs SET running = 1 WHERE id = (SELECT id FROM jobs WHERE
    NOT running AND tries > 0 AND due <= ? ORDER BY due, id LIMIT 1) RETURNING id, payload"""
FAILED = """UPDATE jobs SET running = 0, tries = tries - 1, due = ? + wait, wait = wait * 2,
    error = ? WHERE id = ?"""
start: Any = otp.TaskSupervisor.start_async_nolink


class Queue(otp.GenServer):
    def __init__(self, db: sqlite3.Connection, work: Any, clock: Any) -> None:
        self.db, self.work, self.clock = db, work, clock
        self.jobs: dict[Any, int] = {}  # {id of its task: job}

    async def sql(self, text: str, *args: object) -> Any:  # each statement is a transaction
        return await trio.to_thread.run_sync(lambda: self.db.execute(text, args).fetchall())

    @otp.on_call(raises=(sqlite3.Error,))
    async def put(self, payload: str) -> None:
        await self.sql("INSERT INTO jobs (payload, due) VALUES (?, ?)", payload, self.clock())
        otp.send(otp.self(), "look")

    @otp.on_call
    async def listed(self) -> Any:
        return await self.sql("SELECT payload, tries, error FROM jobs ORDER BY id")

    async def handle_info(self, message: object) -> otp.NoReply:
        if isinstance(message, otp.Down) and message.reason == otp.NORMAL:
            await self.sql("DELETE FROM jobs WHERE id = ?", self.jobs.pop(message.ref))
        elif isinstance(message, otp.Down):
            await self.sql(FAILED, self.clock(), repr(message.reason), self.jobs.pop(message.ref))
        while len(self.jobs) < AT_ONCE and (found := await self.sql(TAKE, self.clock())):
            task = await start("tries", self.work, found[0][1], deliver=True)
            self.jobs[task.ref] = found[0][0]
            otp.exit_after(LIMIT, task.pid, otp.TIMEOUT)
        return otp.NoReply(timeout=1.0)  # then it checks which jobs are due


async def job_queue(path: str, work: Any, clock: Any = time.time, *, task_status: Any) -> None:
    connect = partial(sqlite3.connect, isolation_level=None, check_same_thread=False, timeout=0)
    db = await trio.to_thread.run_sync(connect, path)
    try:
        await trio.to_thread.run_sync(db.executescript, SETUP)
        async with otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="tries")]):
            await otp.enter_loop(Queue(db, work, clock), otp.NoReply(timeout=0))
    finally:  # when its jobs have ended, and before the next queue starts
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(db.close)


async def main() -> None:
    send, receive = trio.open_memory_channel[str](0)
    queue = otp.child(job_queue, tempfile.mkdtemp() + "/jobs.db", send.send).having(name="jobs")
    async with otp.open_supervisor([queue]):
        await Queue.at("jobs").put("boil an egg")
        print("done:", await receive.receive())


if __name__ == "__main__":
    trio.run(main)
