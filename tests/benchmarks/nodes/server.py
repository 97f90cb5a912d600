"""The other node: `python -m tests.benchmarks.nodes.server NAME COOKIE_FILE EPMD_PORT`.

It also has the floor: TCP, msgspec, a mailbox with a task behind it. It says where that listens,
and runs until its stdin ends.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import trio

import trio_otp as otp


class Server(otp.GenServer):
    """Adds one to what it is sent, and sums up what it is told."""

    def __init__(self) -> None:
        self.sum = 0

    @otp.on_call
    def add(self, number: int) -> int:
        return number + 1

    @otp.on_call
    def total(self) -> int:
        return self.sum

    @otp.on_call
    def primes(self, below: int) -> int:
        return sum(all(n % d for d in range(2, int(n**0.5) + 1)) for n in range(2, below))

    @otp.on_cast
    def note(self, number: int) -> None:
        self.sum += number


async def serve_floor(stream: trio.SocketStream) -> None:
    """Answer each request of a connection by a task behind a mailbox."""
    send, receive = trio.open_memory_channel[tuple[int, int]](1000)
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder().decode

    async def answer() -> None:
        async for number, value in receive:
            data = encode((number, value + 1))
            await stream.send_all(len(data).to_bytes(4, "big") + data)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        buffer = bytearray()
        while chunk := await stream.receive_some():
            buffer += chunk
            while len(buffer) >= 4 and len(buffer) >= (
                end := 4 + int.from_bytes(buffer[:4], "big")
            ):
                send.send_nowait(decode(bytes(buffer[4:end])))
                del buffer[:end]
        nursery.cancel_scope.cancel()


class FloorClient:
    """The other end of the floor: requests with a number each, and a time-out."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._waiting: dict[int, trio.MemorySendChannel[int]] = {}
        self._encode = msgspec.msgpack.Encoder().encode
        self._last = 0
        self._turn = trio.Lock()

    async def read(self) -> None:
        """Hand out the answers."""
        decode = msgspec.msgpack.Decoder().decode
        buffer = bytearray()
        async for chunk in self._stream:
            buffer += chunk
            while len(buffer) >= 4 and len(buffer) >= (
                end := 4 + int.from_bytes(buffer[:4], "big")
            ):
                number, value = decode(bytes(buffer[4:end]))
                self._waiting.pop(number).send_nowait(value)
                del buffer[:end]

    async def call(self, value: int) -> Any:
        """Ask, and wait for the answer."""
        self._last += 1
        number = self._last
        send, receive = trio.open_memory_channel[int](1)
        self._waiting[number] = send
        data = self._encode((number, value))
        with trio.fail_after(5):
            async with self._turn:
                await self._stream.send_all(len(data).to_bytes(4, "big") + data)
            return await receive.receive()


async def main(name: str, cookie_file: str, port: str) -> None:
    server = otp.child(Server).having(name="server")
    async with (
        otp.cluster.open_node(name, cookie_file=cookie_file, epmd=int(port)),
        otp.open_supervisor([server]),
        trio.open_nursery() as nursery,
    ):
        listeners = await nursery.start(trio.serve_tcp, serve_floor, 0)
        sys.stdout.write(f"{listeners[0].socket.getsockname()[1]}\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read)
        nursery.cancel_scope.cancel()


async def serve(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Be a peer with the server."""
    async with otp.open_supervisor([otp.child(Server).having(name="server")]) as sup:
        task_status.started()
        await sup.wait()


if __name__ == "__main__":
    trio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
