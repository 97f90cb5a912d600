"""How a server that is watched handles a message: as any other, and it tells what it does.

Follows: Erlang's `gen_server`, its calls of `sys:handle_debug/4`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._behaviour.behaviour import finish
from .._behaviour.messages import Cast
from .._behaviour.results import Reply, Stop, is_value
from .._process.request import From

if TYPE_CHECKING:
    from .._process.debug import Debug
    from .loop import ServerLoop


async def handle_debugged(loop: ServerLoop, debug: Debug, message: Any) -> None:
    """Handle a message as `ServerLoop` does, with debug events."""
    if message.__class__ is From and message.server is loop.process:
        debug.event("in", message.message, client=message)
        await _call(loop, debug, message)
    else:
        await _take(loop, debug, message)
        debug.event("noreply")


async def _take(loop: ServerLoop, debug: Debug, message: Any) -> None:
    if message.__class__ is not Cast:
        debug.event("in", message)
        await loop._handle_info(message)
        return
    debug.event("in", message.message)
    result = await finish(loop.run_cast(message.message))
    loop.emit_stop("cast", message.message)
    loop._carry_on("handle_cast", result)


async def _call(loop: ServerLoop, debug: Debug, from_: From[Any]) -> None:
    result = await finish(loop.run_call(from_))
    loop.emit_stop("call", from_.message)
    if is_value(from_.message, result):
        result = Reply(result)
    _tell(debug, from_, result)
    loop.answer(from_, result)


def _tell(debug: Debug, from_: From[Any], result: Any) -> None:
    if result.__class__ is Reply:
        debug.event("out", result.value, client=from_)
    elif not isinstance(result, Stop):
        debug.event("noreply")
