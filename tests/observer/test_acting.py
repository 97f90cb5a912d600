"""What a client may do to a process: what is refused, and what takes longer than it waits."""

from __future__ import annotations

from typing import Any

import trio
import trio.testing
from observer_kit import Server, client_here

import trio_otp as otp

SHOP = [otp.child(Server).having(name="shop")]


async def act(client: Any, ref: str, action: str) -> Any:
    """Do something to a process; return what the answer says, or the kind and text of its error."""
    answer = await client.answer(await client.say("act", ref=ref, action=action, confirm=ref))
    return answer["result"] if "result" in answer else tuple(answer["error"].values())[:2]


async def test_an_action_that_there_is_not_is_named(autojump_clock: Any) -> None:
    async with otp.open_supervisor(SHOP), client_here() as client:
        client.hub.actions = True
        kind, text = await client.refused("act", ref="shop", action="sing", confirm="shop")
        assert ("BadAction", True) == (kind, text.startswith("action='sing': expected kill"))
        assert otp.is_alive("shop")


async def test_a_child_that_would_not_come_back_is_not_restarted(autojump_clock: Any) -> None:
    """It is temporary; what a dynamic supervisor keeps comes back by being killed."""
    once = otp.child(Server).having(name="once", restart="temporary")
    dynamic = otp.child(otp.DynamicSupervisor, max_restarts=5).having(name="dynamic")
    async with otp.open_supervisor([once, dynamic]), client_here() as client:
        client.hub.actions = True
        kind, text = await client.refused("act", ref="once", action="restart", confirm="once")
        assert ("Temporary", True) == (kind, "would not come back" in text)
        assert otp.is_alive("once")
        old = await otp.start_child("dynamic", otp.child(Server).having(name="again"))
        result = await act(client, "again", "restart")
        assert result["text"] == "killed; its supervisor restarts it, and counts that"
        assert await otp.wait_for_name("again", timeout=20) != old


async def test_what_takes_longer_goes_on_or_is_given_up(autojump_clock: Any) -> None:
    """A suspension is given up, or the process would be suspended when nobody expects it."""
    gate = trio.Event()
    async with otp.open_supervisor(SHOP), client_here() as client, trio.open_nursery() as nursery:
        client.hub.actions = True
        nursery.start_soon(Server.at("shop", timeout=None).wait, gate)
        await trio.testing.wait_all_tasks_blocked()
        kind, text = await client.refused("act", ref="shop", action="suspend", confirm="shop")
        assert ("NoAnswer", True) == (kind, text.endswith("; it is given up"))
        assert "handler busy" in text
        result = await act(client, "shop", "resume")
        assert (False, True) == (result["done"], result["text"].endswith("; it goes on"))
        gate.set()
        assert otp.process_info("shop").status != "suspended"
