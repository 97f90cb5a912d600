"""What is asked of supervisors, and blocks with one, one case each."""

from __future__ import annotations

from async_world import Slow, World, case, slow, steps

import trio_otp as otp


@case("start_child")
async def _(w: World) -> None:
    w.begin()
    await otp.start_child("sup", slow("new"))


@case("start_child: dynamic")
async def _(w: World) -> None:
    w.begin()
    await otp.start_child("dyn", slow("new"))


@case("ensure_child")
async def _(w: World) -> None:
    w.begin()
    await otp.ensure_child("dyn", slow("new"))


@case("ensure_child: there")
async def _(w: World) -> None:
    w.begin()
    assert otp.whereis("up") is await otp.ensure_child("sup", slow("up"))


@case("terminate_child")
async def _(w: World) -> None:
    w.begin()
    await otp.terminate_child("sup", "up")


@case("terminate_child: dynamic")
async def _(w: World) -> None:
    w.begin()
    await otp.terminate_child("dyn", "dynamic")


@case("restart_child")
async def _(w: World) -> None:
    w.begin()
    await otp.restart_child("sup", "down")


@case("delete_child")
async def _(w: World) -> None:
    w.begin()
    await otp.delete_child("sup", "down")


@case("which_children")
async def _(w: World) -> None:
    w.begin()
    assert 4 == len(await otp.which_children("sup"))


@case("count_children")
async def _(w: World) -> None:
    w.begin()
    assert 3 == (await otp.count_children("sup")).active


@case("which_child")
async def _(w: World) -> None:
    w.begin()
    assert "up" == (await otp.which_child("sup", "up")).id


@case("get_childspec")
async def _(w: World) -> None:
    w.begin()
    assert "up" == (await otp.get_childspec("sup", "up")).id


@case("open_supervisor")
async def _(w: World) -> None:
    w.begin()
    async with otp.open_supervisor([slow("new"), slow("newer")], name="block"):
        await steps()


@case("OpenSupervisor.wait")
async def _(w: World) -> None:
    w.begin()
    last = otp.child(steps).having(restart="temporary", significant=True)
    async with otp.open_supervisor([slow("new"), last], auto_shutdown="any_significant") as sup:
        await sup.wait()


SHOP = otp.partitions("shop")


@case("Partitions.resize")
async def _(w: World) -> None:
    child = otp.child(otp.PartitionSupervisor, Slow, partitions=2).having(name="shop")
    w.returned.append(await otp.start(child))
    w.begin()
    for size in (1, 2):
        await SHOP.resize(size)
    assert "works" == await otp.call(SHOP.via(1), "works")
