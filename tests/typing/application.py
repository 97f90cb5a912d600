"""What both type checkers make of applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, assert_type

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Mapping


class Store(otp.Application):
    name = "store"
    environment: ClassVar[Mapping[str, Any]] = {"path": "shop.db"}

    def start(self) -> otp.Child[otp.Supervisor]:
        assert_type(self.environment["path"], Any)
        return otp.child(otp.Supervisor, [])


class Shop(otp.Application):
    dependencies: ClassVar[tuple[type[otp.Application], ...]] = (Store,)
    environment: ClassVar[Mapping[str, Any]] = {"port": 80}

    async def start(self) -> type[otp.Supervisor]:
        return otp.Supervisor

    async def prep_stop(self) -> None:
        pass

    def stop(self) -> None:
        pass


async def use() -> None:
    async with otp.open_application(Shop, environment={"port": 1}, type="permanent") as shop:
        assert_type(shop.name, str)
        assert_type(shop.pid, otp.Pid[Any])
        assert_type(shop.environment, "Mapping[str, Any]")
        assert_type(await otp.which_children(shop), list[otp.ChildInfo])
    assert_type(await otp.application.ensure_all_started([Store, "shop"]), list[str])
    assert_type(await otp.application.ensure_all_started(Store), list[str])
    assert_type(otp.application.which_applications(), list[str])
    await otp.application.start(Shop, type="forever")  # type: ignore[arg-type]
    await otp.application.start(otp.GenServer)  # type: ignore[arg-type]
    otp.application.put_all_env({Shop: {"port": 1}, "store": {"path": "x"}})


def program() -> None:
    assert_type(otp.run(Shop, shutdown_timeout=5.0), int)
    otp.run(Shop())  # type: ignore[arg-type]
