"""Whom the socket of the observer hangs up on, without a word; the log says why."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import trio

from trio_otp.observer.socket import server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import pytest


async def served_by(
    session: Callable[[trio.SocketStream, str], Awaitable[object]],
) -> bytes:
    """Connect to the socket with such a session; return what it says until it hangs up."""
    async with trio.open_nursery() as nursery:
        path = await nursery.start(server.serve_socket, session)
        async with await trio.open_unix_socket(os.fspath(path)) as stream:
            said = b"".join([bytes(data) async for data in stream])
        nursery.cancel_scope.cancel()
    return said


async def greet(stream: trio.SocketStream, _: str) -> None:
    await stream.send_all(b"hello")


async def fail(stream: trio.SocketStream, peer: str) -> None:
    raise ValueError(peer)


async def test_another_user_is_refused(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """Also where the modes of the file would let one in."""
    monkeypatch.setattr(server, "peer_of", lambda _: (1, os.geteuid() + 1))
    assert b"" == await served_by(greet)
    assert f"refused a connection of user {os.geteuid() + 1}" in caplog.text


async def test_there_are_so_many_connections_and_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    assert b"hello" == await served_by(greet)
    monkeypatch.setattr(server, "MOST", 0)
    assert b"" == await served_by(greet)
    assert "refused a connection: 0 are open" in caplog.text


async def test_a_session_that_fails_is_logged_and_ends_alone(caplog: Any) -> None:
    async with trio.open_nursery() as nursery:
        path = await nursery.start(server.serve_socket, fail)
        for _ in range(2):
            async with await trio.open_unix_socket(os.fspath(path)) as stream:
                assert b"" == await stream.receive_some()
        nursery.cancel_scope.cancel()
    assert 2 == caplog.text.count("a session of the observer has failed")


async def test_a_client_that_is_gone_is_not_logged(caplog: Any) -> None:
    async def break_off(stream: trio.SocketStream, peer: str) -> None:
        raise trio.BrokenResourceError

    assert b"" == await served_by(break_off)
    assert caplog.records == []
