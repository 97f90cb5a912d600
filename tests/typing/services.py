"""What the checkers make of services: the stream of a handler is that of the listeners."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any, assert_type

import trio

import trio_otp as otp


async def tcp(stream: trio.SocketStream) -> None:
    await stream.aclose()


async def tls(stream: trio.SSLStream[trio.SocketStream]) -> None:
    await stream.aclose()


async def anything(stream: trio.abc.Stream) -> None:
    await stream.aclose()


listen = partial(trio.open_tcp_listeners, 8080)
secure = partial(trio.open_ssl_over_tcp_listeners, 443, ssl.create_default_context())


def check_services() -> None:
    """A handler takes what its listeners accept."""
    web = otp.child(otp.ConnectionSupervisor, tcp, listen, max_connections=3, drain_timeout=None)
    assert_type(web, otp.Child[otp.ConnectionSupervisor])
    otp.child(otp.ConnectionSupervisor, tls, secure, on_full=anything)
    otp.child(otp.ConnectionSupervisor, anything, listen, on_full=tcp)
    otp.child(otp.ConnectionSupervisor, tls, listen)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(otp.ConnectionSupervisor, tcp, 8080)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.child(otp.ConnectionSupervisor, tcp, listen, limit=3)  # type: ignore[arg-type] # pyright: ignore[reportCallIssue]
    assert_type(otp.ConnectionSupervisor.connections("web"), list[otp.Pid[Any]])
    assert_type(otp.ConnectionSupervisor.counts("web").active, int)


async def check_draining(stream: trio.SocketStream) -> bytes:
    """A block that may be left early does not hide what comes after it."""
    with otp.move_on_when_draining() as scope:
        assert_type(scope, trio.CancelScope)
        return bytes(await stream.receive_some())
    await otp.wait_draining()
    assert_type(otp.is_draining(), bool)
    return b""
