"""otpylib: asyncio, processes with pids and modules as classes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from otpylib import gen_server, process
from otpylib.gen_server import NoReply, Reply
from otpylib.gen_server.atoms import KILLED
from otpylib.module import GEN_SERVER, OTPModule
from otpylib.runtime import set_runtime
from otpylib.runtime.backends.asyncio_backend import AsyncIOBackend

from ..measure import Sample, Watch, traced

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Server(metaclass=OTPModule, behavior=GEN_SERVER, version="1.0.0"):
    async def init(self, _: Any) -> list[int]:
        return [0]

    async def handle_call(self, request: Any, from_: Any, state: list[int]) -> Any:
        return Reply(state[0] if request is None else request + 1), state

    async def handle_cast(self, message: Any, state: list[int]) -> Any:
        state[0] += message
        return NoReply(), state

    async def handle_info(self, message: Any, state: list[int]) -> Any:
        return NoReply(), state

    async def terminate(self, reason: Any, state: list[int]) -> None:
        pass


def _in_process(work: Callable[[int], Awaitable[Sample]]) -> Callable[[int], Sample]:
    async def main(n: int) -> Sample:
        runtime = AsyncIOBackend()
        set_runtime(runtime)
        await runtime.initialize()
        done: asyncio.Future[Sample] = asyncio.get_running_loop().create_future()

        async def body() -> None:
            try:
                done.set_result(await work(n))
            except Exception as exc:
                done.set_exception(exc)

        await process.spawn(body, mailbox=True)
        try:
            return await done
        finally:
            await runtime.shutdown()

    return lambda n: asyncio.run(main(n))


async def call(n: int) -> Sample:
    await gen_server.start(Server, name="server")
    answer = 0
    watch = Watch()
    for i in range(n):
        answer = await gen_server.call("server", i, timeout=5)
    return watch.sample(answer)


async def cast(n: int) -> Sample:
    pid = await gen_server.start(Server, name="server")
    watch = Watch()
    for _ in range(n):
        await gen_server.cast(pid, 1)
    return watch.sample(await gen_server.call("server", None))


async def trickle(n: int) -> Sample:
    pid = await gen_server.start(Server, name="server")
    watch = Watch()
    for _ in range(n):
        await gen_server.cast(pid, 1)
        await asyncio.sleep(0)
    return watch.sample(await gen_server.call("server", None))


async def start(n: int) -> Sample:
    watch = Watch()
    pids = [await gen_server.start(Server) for _ in range(n)]
    return watch.sample(sum(process.is_alive(pid) for pid in pids))


async def stop(n: int) -> Sample:
    stopped = 0
    watch = Watch()
    for _ in range(n):
        pid = await gen_server.start(Server)
        await process.exit(pid, KILLED)
        while process.is_alive(pid):  # noqa: ASYNC110 - it tells nobody else
            await asyncio.sleep(0)
        stopped += 1
    return watch.sample(stopped)


async def memory(n: int) -> Sample:
    with traced() as memory:
        pids = [await gen_server.start(Server) for _ in range(n)]
        memory.weigh()
    return Sample(memory.bytes, len(pids))


WORK = {
    "call": call,
    "cast": cast,
    "trickle": trickle,
    "start": start,
    "stop": stop,
    "memory": memory,
}
LANES = {race: _in_process(work) for race, work in WORK.items()}
