"""What both type checkers make of applications."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, assert_type

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trio_otp.events import Report


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


class Mall(otp.Application):
    included_applications: ClassVar[tuple[type[otp.Application], ...]] = (Shop,)
    optional_applications: ClassVar[tuple[type[otp.Application] | str, ...]] = ("a.b:C", Store)

    async def start(self) -> type[otp.Supervisor]:
        assert_type(self.included(Shop), Shop)
        self.included(otp.GenServer)  # type: ignore[type-var]
        return await self.included(Shop).start()

    def config_change(
        self, changed: Mapping[str, Any], new: Mapping[str, Any], removed: Sequence[str]
    ) -> None:
        otp.set_metadata(changed=len(changed))


async def use_more() -> None:
    async with otp.open_application(Mall, config={"shop": {"port": 1}}, mode="concurrent"):
        assert_type(await otp.application.reload_config("app.toml"), list[str])
        assert_type(otp.application.spec(Mall), dict[str, Any])
        assert_type(otp.application.load(Mall), str)
    await otp.application.ensure_all_started(Mall, mode="parallel")  # type: ignore[arg-type]
    otp.run(Mall, config=5)  # type: ignore[arg-type]
    assert_type(otp.metadata(), dict[str, Any])


def word(report: Report) -> str | None:
    return report.kind if report.kind == "crash" else otp.reports.reason_text(report)


def log() -> None:
    otp.reports.add_translator(word)
    otp.reports.add_translator(lambda report: (report.kind, {"a": 1}))
    otp.reports.add_translator(lambda _: otp.reports.SKIP)
    otp.reports.add_translator(lambda _: 5)  # type: ignore[arg-type, return-value]


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
    otp.run(Shop, env_prefix="SHOP_", log_level="debug", log_format="json")
    otp.run(Shop, log_level="loud")  # type: ignore[arg-type]
    otp.run(Shop, log_format="xml")  # type: ignore[arg-type]
