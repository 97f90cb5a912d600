"""A server that holds the loop, for those who are to see that it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable


class Shop(otp.GenServer):
    """Runs what it is given, in its own task or in one that helps it."""

    @otp.on_call
    def hold(self, function: Callable[[], Any]) -> Any:
        return function()

    @otp.on_call
    async def hold_in_helper(self, function: Callable[[], Any]) -> Any:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(help_with, function)


async def help_with(function: Callable[[], Any]) -> None:
    """Be the helper."""
    function()
