"""How a server that is watched handles a message: as any other, and it tells what it does.

Follows: Erlang's `gen_server`, its calls of `sys:handle_debug/4`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .request import From
from .server_messages import Cast, Handled
from .server_results import Reply, Stop

if TYPE_CHECKING:
    from .debug import Debug
    from .server_loop import ServerLoop


async def handle_debugged(loop: ServerLoop, debug: Debug, message: Any) -> None:
    """Handle a message as `ServerLoop` does, with debug events."""
    if message.__class__ is From and message.server is loop.process:
        debug.event("in", message.message, client=message)
        await _call(loop, debug, message)
    else:
        debug.event("in", message.message if message.__class__ is Cast else message)
        await loop._handle(message)
        debug.event("noreply")


async def _call(loop: ServerLoop, debug: Debug, from_: From[Any]) -> None:
    result = await loop._run("call", from_.message, partial(_ask, loop.instance, from_))
    _tell(debug, from_, result)
    loop.answer(from_, result)


def _ask(instance: Any, from_: From[Any], request: Any) -> Any:
    if isinstance(request, Handled):
        return request.handle_call(instance, from_)
    return instance.handle_call(request, from_)


def _tell(debug: Debug, from_: From[Any], result: Any) -> None:
    if result.__class__ is Reply:
        debug.event("out", result.value, client=from_)
    elif not isinstance(result, Stop):
        debug.event("noreply")
