"""A service for tests that send it signals: `trio-otp run drained:Shop --set path=FILE`.

It stores the numbers that it is sent, one to a line, and answers each when it is stored. It prints
its port, and a line for each thing that happens.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import trio

import trio_otp as otp


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  (its tests read this)


class Store(otp.GenServer):
    """Keeps what it is given."""

    def __init__(self, path: str) -> None:
        self.file = Path(path).open("ab")  # noqa: SIM115 - it is closed at the end

    @otp.on_call
    async def put(self, line: bytes) -> None:
        self.file.write(line)
        self.file.flush()
        await trio.sleep(0.002)

    def terminate(self, reason: object) -> None:
        self.file.close()
        say("store down")


async def handle(stream: trio.SocketStream) -> None:
    """Store each line, and say so."""
    buffer = b""
    while True:
        with otp.move_on_when_draining() as idle:
            chunk = await stream.receive_some()
        if idle.cancelled_caught or not chunk:
            return
        buffer += chunk
        while b"\n" in buffer:
            line, buffer = buffer.split(b"\n", 1)
            if line in {b"stay", b"cling"}:
                await stream.send_all(line + b"ing\n")
                with trio.CancelScope(shield=line == b"cling"):
                    await trio.sleep_forever()
            await Store.put("store", line + b"\n")
            await stream.send_all(line + b"\n")


async def tell() -> None:
    """Print the port, and when draining begins."""
    say("port", otp.process_info("web").started[0].socket.getsockname()[1], os.getpid())
    await otp.wait_draining()
    say("draining")
    await trio.sleep_forever()


class Shop(otp.Application):
    """The store, and what is before it."""

    name = "shop"
    environment = {"path": "", "drain_timeout": 60.0}  # noqa: RUF012 - as users write it

    def start(self) -> Any:
        web = otp.child(
            otp.ConnectionSupervisor,
            handle,
            partial(trio.open_tcp_listeners, 0, host="127.0.0.1"),
            drain_timeout=self.environment["drain_timeout"],
        )
        store = otp.child(Store, self.environment["path"]).having(name="store")
        return otp.Supervisor.spec([store, web.having(name="web"), tell])
