"""The answers to the questions of the protocol that do something, or tell what is a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..acting import actions
from ..acting.shell import Shell, function_in
from ..reading.references import find
from .link import Link
from .protocol import Refused

if TYPE_CHECKING:
    from ..hub import Hub

    Memory = dict[Any, Any]
    Answer = dict[str, Any]


async def url(  # noqa: ASYNC124 - other answers wait
    hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool
) -> Answer:
    """Answer `url`: the address of the page, with the token that opens it."""
    if hub.url is None:
        raise Refused("NoPage", "this program serves no page, but the socket alone")
    return {"url": hub.url, "address": hub.url.partition("/#")[0]}


async def act(hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool) -> Answer:
    """Answer `act`: what was done to a process."""
    actions.need_actions(hub)
    process = find(hub.tables, arguments["ref"])
    action, typed = arguments["action"], arguments["confirm"]
    return await actions.act(hub, process, action, typed, memory[Link].peer)


async def replace_state(
    hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool
) -> Answer:
    """Answer `replace_state`: `source` is a function of the state that gives another one."""
    actions.need_actions(hub)
    process = find(hub.tables, arguments["ref"])
    actions.check_confirmed(process, arguments["confirm"])
    function = function_in(arguments["source"])
    return await actions.replace_state(hub, process, function, memory[Link].peer)


async def evaluate(hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool) -> Answer:
    """Answer `eval`: what the shell of this connection has to say."""
    actions.need_actions(hub)
    link: Link = memory[Link]
    if link.shell is None:
        link.shell = Shell(hub, link.peer)
        link.closing.callback(link.shell.close)
    return await link.shell.evaluate(arguments["source"], interrupt=arguments["interrupt"])
