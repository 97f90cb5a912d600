"""What is asked of an event manager, one case each."""

from __future__ import annotations

from async_world import Listener, World, case

import trio_otp as otp


@case("gen_event.sync_notify")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.sync_notify("events", "event")


@case("gen_event.call")
async def _(w: World) -> None:
    w.begin()
    assert "ping" == await otp.gen_event.call("events", Listener, "ping")


@case("gen_event.add_handler")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.add_handler("events", Listener(), id="new")


@case("gen_event.add_sup_handler")
async def _(w: World) -> None:
    w.returned.append(otp.whereis("events"))  # it is linked to whoever owns a handler
    w.begin()
    await otp.gen_event.add_sup_handler("events", Listener(), id="new")


@case("gen_event.delete_handler")
async def _(w: World) -> None:
    w.begin()
    assert "reason" == await otp.gen_event.delete_handler("events", Listener, "reason")


@case("gen_event.swap_handler")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.swap_handler("events", Listener, Listener(), id="new")


@case("gen_event.swap_sup_handler")
async def _(w: World) -> None:
    w.returned.append(otp.whereis("events"))
    w.begin()
    await otp.gen_event.swap_sup_handler("events", Listener, Listener())


@case("gen_event.which_handlers")
async def _(w: World) -> None:
    w.begin()
    assert [Listener] == await otp.gen_event.which_handlers("events")


@case("alarm_handler.get_alarms")
async def _(w: World) -> None:
    await otp.start_child("sup", otp.alarm_handler.child())
    w.begin()
    assert [] == await otp.alarm_handler.get_alarms()


@case("gen_event.stop")
async def _(w: World) -> None:
    w.begin()
    await otp.gen_event.stop("events")
