"""The chat as an application: `trio-otp run examples.chat.app:Chat --set port=8000`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import trio

import trio_otp as otp

from . import session

if TYPE_CHECKING:
    from collections.abc import Mapping


class Chat(otp.Application):
    """A registry of rooms, a supervisor of rooms, and last, so that it ends first, the web."""

    name = "chat"
    environment: ClassVar[Mapping[str, Any]] = {
        "host": "127.0.0.1",
        "port": 8000,
        "max_connections": 1000,
        "max_per_address": 100,
        "handshake_timeout": 5.0,
        "send_timeout": 10.0,
        "waiting_lines": 1000,
        "idle_after": 60.0,
        "drain_timeout": 5.0,
    }

    def start(self) -> Any:
        env = self.environment
        listen = partial(trio.open_tcp_listeners, env["port"], host=env["host"])
        web = otp.child(
            otp.ConnectionSupervisor,
            partial(session.serve, env),
            listen,
            max_connections=env["max_connections"],
            max_per_address=env["max_per_address"],
            on_full=session.refuse,
            drain_timeout=env["drain_timeout"],
            mailbox=otp.BoundedMailbox(env["waiting_lines"]),
        )
        children = [
            otp.child(otp.Registry).having(name="rooms"),
            otp.child(otp.DynamicSupervisor).having(name="room supervisor"),
            web.having(name="web"),
        ]
        return otp.Supervisor.spec(children, strategy="rest_for_one")
