"""A program for tests that end it in every way: it has a port, and says nothing."""

from __future__ import annotations

import sys
from typing import Any

import trio
from port_kit import python

import trio_otp as otp

HOW, CODE, PATH = sys.argv[1:]


class App(otp.Application):
    """One port."""

    def start(self) -> Any:
        child = otp.child(otp.Port, python(CODE, PATH)).having(shutdown=0.2)
        return otp.Supervisor.spec([child])


async def plain() -> None:
    """Have a port in plain Trio code, and wait, or raise what is to end the program."""
    child = otp.child(otp.Port, python(CODE, PATH)).having(shutdown=0.2)
    async with trio.open_nursery() as nursery:
        await otp.start(child, nursery=nursery)
        if HOW == "error":
            raise ZeroDivisionError
        if HOW == "exit":
            raise SystemExit(7)
        await trio.sleep_forever()


if HOW == "app":
    otp.run(App)
else:
    trio.run(plain)
