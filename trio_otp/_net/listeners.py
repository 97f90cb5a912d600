"""The listeners of a service, from their first opening to their end: their addresses stay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from .._util.async_functions import expect_awaitable
from .._util.bounded import bounded, label_of
from .._util.user_code import interruptible, wait_for
from .sockets import address_of, bind_again, is_listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Open: TypeAlias = "Callable[[], Awaitable[Sequence[trio.abc.Listener[Any]]]]"


class Listeners:
    """What a service listens on.

    Args:
        opens: the function of the user that opens them.
    """

    def __init__(self, opens: Open) -> None:
        self._opens = opens
        self._addresses: list[Any] = []  # that were told to clients
        self.now: list[trio.abc.Listener[Any]] = []
        self._used: bool = False

    async def open(self) -> None:
        """Open them for the first time."""
        self.now = await self._open()
        self._addresses = [address_of(listener) for listener in self.now]

    async def see_to(self) -> None:
        """Open them again, at the addresses they had, if any of them was used and listens no more.

        Sockets that are well are kept, so that who is about to be accepted comes in.
        """
        used, self._used = self._used, True
        if not used or all(is_listening(listener) for listener in self.now):
            return
        await self.close()
        fresh = await self._open()
        try:
            for listener, address in zip(fresh, self._addresses, strict=False):
                if address is not None and address_of(listener) != address:
                    await bind_again(listener, address)  # the port was the system's choice
        except BaseException:
            await _close(fresh)
            raise
        self.now = fresh

    async def close(self) -> None:
        """Close them: nobody is accepted any more."""
        await _close(self.now)

    async def _open(self) -> list[trio.abc.Listener[Any]]:
        running = expect_awaitable(self._opens, interruptible(self._opens))
        opened: Any = await wait_for(running)
        listed: list[Any] = [*opened] if opened.__class__ in (list, tuple) else []
        if not listed or not all(isinstance(each, trio.abc.Listener) for each in listed):
            raise TypeError(
                f"{label_of(self._opens)} returned {bounded(opened)}; expected a list of "
                "listeners, as of partial(trio.open_tcp_listeners, 8080)"
            )
        return listed


async def _close(listeners: list[trio.abc.Listener[Any]]) -> None:
    with trio.CancelScope(shield=True):
        for listener in listeners:
            await trio.aclose_forcefully(listener)
