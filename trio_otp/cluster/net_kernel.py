"""The process `net_kernel`, which `Node.ping` monitors and asks.

Its pid also stands for all that is no process: plain Trio code that calls or sends. Every peer can
end it, as any process; it is then started again, with another pid.

Follows: Erlang's `net_kernel`, `net_adm:ping/1`.
"""

from __future__ import annotations

from typing import Any

from .._behaviour.results import NoReply, Reply
from .._gen_server.server import GenServer
from .wire.terms import Atom


class NetKernel(GenServer):
    """Answers that this node is here; whatever else a peer sends changes nothing."""

    def handle_call(self, request: Any, from_: object) -> Reply[Atom] | NoReply:
        """Answer `{:is_auth, node}`."""
        match request:
            case (Atom("is_auth"), _):
                return Reply(Atom("yes"))
            case _:
                return Reply(Atom("ignored"))

    def handle_cast(self, message: object) -> None:
        """Leave it."""

    def handle_info(self, message: object) -> None:
        """Leave it."""
