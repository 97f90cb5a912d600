"""Nodes, one case each; the other node is played, at a Unix socket, so that no time passes."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import trio
from async_world import World, case

import trio_otp as otp
from trio_otp.cluster.wire.handshake import Acceptor, Local, PeerNamed, Send

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

HERE, THERE = "here@127.0.0.1", "there@127.0.0.1"
COOKIE = "secret of the case"


@asynccontextmanager
async def reachable() -> AsyncGenerator[Any]:
    """Play a node; the value opens one that can reach it."""
    with TemporaryDirectory() as directory:
        options, sock = prepare(Path(directory))
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, play, [listener])
            yield partial(otp.cluster.open_node, HERE, epmd=False, **options)
            nursery.cancel_scope.cancel()


def prepare(directory: Path) -> tuple[dict[str, Any], socket.socket]:
    """Return the options of a node, and what the other one listens at; no thread is needed."""
    cookie, path = directory / "cookie", str(directory / "there")
    cookie.touch(0o600)
    cookie.write_text(COOKIE)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    sock.listen()
    return {"cookie_file": cookie, "resolve": {THERE: path}}, sock


async def play(stream: trio.SocketStream) -> None:
    """Take a connection, and listen to whatever is said."""
    shake = Acceptor(Local(THERE, 7, COOKIE.encode()))
    try:
        while data := await stream.receive_some():
            for event in shake.feed(bytes(data)):
                answers = shake.answer("ok") if isinstance(event, PeerNamed) else [event]
                for answer in answers:
                    if isinstance(answer, Send):
                        await stream.send_all(answer.data)
    except trio.BrokenResourceError:  # who has come is gone
        pass
    finally:
        await trio.aclose_forcefully(stream)


@case("cluster.open_node")
async def _(w: World) -> None:
    w.begin()
    async with otp.cluster.open_node(HERE, epmd=False):
        assert HERE == otp.cluster.node()


@case("cluster.connect")
async def _(w: World) -> None:
    async with reachable() as open_node, open_node():
        w.begin()
        await otp.cluster.connect(THERE)
        assert [THERE] == otp.cluster.nodes()


@case("cluster.connect: again")
async def _(w: World) -> None:
    async with reachable() as open_node, open_node():
        await otp.cluster.connect(THERE)
        w.begin()
        await otp.cluster.connect(THERE)
