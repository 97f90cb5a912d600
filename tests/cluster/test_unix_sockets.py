"""A node at a Unix socket: what a killed one has left is removed, and nobody's place is taken."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import trio
from other_node import HERE, THERE

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

    from other_node import Net


def bound(path: Path) -> socket.socket:
    """Return a socket that is bound to a path and does not listen."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(str(path))
    return made


async def enter(net: Net, path: Path) -> None:
    async with otp.cluster.open_node(HERE, **net.options(listen=path)):
        assert otp.cluster.node() == HERE


async def test_what_a_killed_node_has_left_is_no_hindrance(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    bound(path).close()
    with net.there(listen=path):
        net.addresses[THERE] = str(path)
        async with net.here():
            await otp.cluster.connect(THERE)
    assert not path.exists()


async def test_a_living_node_keeps_its_place(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with net.there(listen=path):
        net.addresses[THERE] = str(path)
        with pytest.raises(otp.StartError, match="in use"):
            await enter(net, path)
        async with net.here():
            await otp.cluster.connect(THERE)


async def test_a_busy_node_keeps_its_place(net: Net, tmp_path: Path) -> None:
    """It listens, and does not take any more connections for now."""
    path = tmp_path / "socket"
    with ExitStack() as stack:
        busy = stack.enter_context(bound(path))
        busy.listen(0)
        result = 0
        while result == 0:
            client = stack.enter_context(socket.socket(socket.AF_UNIX))
            client.setblocking(False)
            result = client.connect_ex(str(path))
        assert result == errno.EAGAIN
        with pytest.raises(otp.StartError, match="in use"):
            await enter(net, path)
        assert path.is_socket()


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
async def test_what_is_no_socket_is_left_alone(net: Net, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "socket"
    if kind == "file":
        path.write_text("of somebody")
    elif kind == "directory":
        path.mkdir()
    else:
        bound(tmp_path / "other").close()
        path.symlink_to(tmp_path / "other")
    with pytest.raises(otp.StartError, match="in use"):
        await enter(net, path)
    assert path.exists()


async def test_a_directory_that_is_not_there(net: Net, tmp_path: Path) -> None:
    with pytest.raises(otp.StartError, match="No such file"):
        await enter(net, tmp_path / "none" / "socket")


async def test_nodes_begin_to_listen_one_after_the_other(
    net: Net, tmp_path: Path, autojump_clock: trio.abc.Clock
) -> None:
    """Or one could remove what another has bound, and does not listen at yet."""
    path = tmp_path / "socket"
    directory = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)

    async def let_go() -> None:
        await trio.sleep(1)
        assert not path.exists()
        os.close(directory)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(let_go)
        await enter(net, path)
        assert trio.current_time() >= 1
