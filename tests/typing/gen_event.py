"""What both type checkers make of event handlers and their clients."""

from __future__ import annotations

from typing import Any, assert_type

import trio_otp as otp


class Ledger(otp.GenEvent):
    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.total = 0

    def init(self) -> otp.Stop | None:
        return otp.Stop("closed") if self.currency == "" else None

    async def handle_event(self, event: int) -> otp.RemoveHandler | otp.SwapHandler | None:
        self.total += event
        return otp.SwapHandler(Ledger("EUR"), reason="full") if self.total > 100 else None

    @otp.on_call
    async def report(self, digits: int = 2) -> str:
        return f"{self.total:.{digits}f} {self.currency}"


async def use() -> None:
    assert_type(otp.child(otp.EventManager), otp.Child[otp.EventManager])
    assert_type(otp.child(otp.EventManager, [lambda: Ledger("EUR")]), otp.Child[otp.EventManager])
    otp.child(otp.EventManager, [Ledger("EUR")])  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
    manager = await otp.start_link(otp.EventManager)
    assert_type(manager, otp.Pid[otp.EventManager])
    await otp.gen_event.add_handler(manager, Ledger("EUR"), id=1)
    await otp.gen_event.add_handler(manager, Ledger)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await otp.gen_event.delete_handler(manager, (Ledger, 1))
    await otp.gen_event.delete_handler(manager, Ledger("EUR"))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.gen_event.notify(manager, 5)
    assert_type(await Ledger.at(manager, id=1).report(0), str)
    await Ledger.at(manager).report("two")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(await otp.gen_event.call(manager, Ledger, "x"), Any)
    for handler in await otp.gen_event.which_handlers(manager):
        assert_type(handler, "type[otp.GenEvent] | tuple[type[otp.GenEvent], Any]")
