"""Tasks: run a function beside what you do now, and take its result later.

**Why.** A server that waits serves nobody meanwhile. A task does the waiting, or one job of many,
in a process of its own; `otp.task` holds the functions, as `Task` does in Elixir.

>>> import trio, trio_otp as otp
>>> async def area(width, height):
...     await trio.sleep(0.01)
...     return width * height
>>> async def main():
...     async with otp.open_process():
...         big, small = otp.task.start_async(area, 30, 40), otp.task.start_async(area, 3, 4)
...         print(await big, await otp.task.await_one(small, timeout=1))
...         async with otp.task.async_stream([1, 2, 3], area, 10, max_concurrency=2) as areas:
...             print([result.unwrap() async for result in areas])
>>> trio.run(main)
1200 12
[10, 20, 30]

**Client and server side.** The process that starts a task owns it: only it may wait for the task,
and the two are linked, so that neither outlives the crash of the other. The function is the server
side; what it returns is the result, what it raises is the crash. `await_one` and `await_many` wait;
`yield_one` and `yield_many` look, and can look again; `shutdown` and `ignore` give up. A GenServer
that must go on meanwhile starts the task with `deliver=True` and gets messages: a `TaskReply(task,
value)` and then a `Down(task.ref, pid, NORMAL)`, or the `Down` alone with the reason of a crash.

>>> class Shop(otp.GenServer):
...     @otp.on_cast
...     def measure(self, width: int, height: int) -> None:
...         self.task = otp.task.start_async(area, width, height, deliver=True)
...     @otp.on_info(otp.TaskReply)
...     def measured(self, reply: otp.TaskReply) -> None:
...         otp.demonitor(reply.task.ref, flush=True)  # the Down is of no interest any more
...         print(f"measured: {reply.value}")
>>> async def main():
...     async with otp.open_supervisor([otp.child(Shop).having(name="shop")]):
...         Shop.at("shop").measure(5, 6)
...         await trio.sleep(0.1)
>>> trio.run(main)
measured: 30

In plain Trio code give `start_async` a nursery. There is no process to link to, so a crash is only
logged, and raised where it is awaited.

**Supervise** tasks together: `otp.child(otp.TaskSupervisor).having(name="tasks")` is a place for
tasks, which then live apart from their owners: see `otp.TaskSupervisor`. A task that is a child of
a supervisor itself is `otp.task.child(fn, *args)`.

**When not to use it.** A function that is awaited at once needs no task. Jobs that belong together
and end together are a Trio nursery. What keeps state or serves requests is a GenServer.

Follows: Elixir's `Task`.
"""

from __future__ import annotations

from ._task.functions import child, completed, start, start_async, start_link
from ._task.handle import Task, TaskReply
from ._task.result import Exited, Ok, Outcome, TaskExited, TaskNotOwned, TaskTimeout
from ._task.shutdown import ignore, shutdown
from ._task.stream import async_stream
from ._task.stream_loop import TaskStream
from ._task.wait import await_many, await_one, yield_many, yield_one

__all__ = [
    "Exited",
    "Ok",
    "Outcome",
    "Task",
    "TaskExited",
    "TaskNotOwned",
    "TaskReply",
    "TaskStream",
    "TaskTimeout",
    "async_stream",
    "await_many",
    "await_one",
    "child",
    "completed",
    "ignore",
    "shutdown",
    "start",
    "start_async",
    "start_link",
    "yield_many",
    "yield_one",
]


def __dir__() -> list[str]:
    return __all__
