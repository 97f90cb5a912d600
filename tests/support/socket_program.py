"""A program with nothing but the observer's Unix socket, which answers each line with itself.

It prints the path of the socket, serves until it is told to end on standard input, and says `end`.
Its arguments are the number of a user that it becomes, and `open`, to open the directory
and the socket to everybody, as nobody should.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import trio

from trio_otp.observer.socket.server import serve_socket

if TYPE_CHECKING:
    from pathlib import Path

HELLO = {"hello": {"version": 1, "pid": os.getpid(), "program": "echo"}}


async def session(stream: trio.SocketStream, who: str) -> None:
    """Say hello, and give back what comes."""
    await stream.send_all(json.dumps(HELLO).encode() + b"\n")
    async for chunk in stream:
        if b'"loop"' in chunk:
            await stream.send_all(b'{"id": 1, "result": {}, "loop": null}\n')
            continue
        if b'"fail"' in chunk:
            raise RuntimeError(f"asked to fail by {who}")
        await stream.send_all(chunk)


def open_to_all(path: Path) -> None:
    path.parent.chmod(0o755)
    path.chmod(0o666)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main() -> None:
    async with trio.open_nursery() as nursery:
        path: Path = await nursery.start(serve_socket, session)
        if "open" in sys.argv:
            open_to_all(path)
        say(str(path))
        await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)
        nursery.cancel_scope.cancel()
    say("end")


def become(uid: int) -> None:
    """Become another user; what is imported has to be by now, as that user may not read it."""
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


for word in sys.argv[1:2]:
    if word.isdecimal():
        become(int(word))
trio.run(main)
