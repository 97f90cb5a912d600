"""The listeners of a service, from their first opening to their end: their addresses stay."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from .._start.arguments import shown_child_arguments
from .._util.async_functions import expect_awaitable, innermost
from .._util.bounded import bounded, label_of
from .._util.user_code import interruptible, wait_for
from .sockets import address_of, bind_again, is_listening

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

Open: TypeAlias = "Callable[[], Awaitable[Sequence[trio.abc.Listener[Any]]]]"


class Listeners:
    """What a service listens on.

    Args:
        open_listeners: the user's function that opens them.
    """

    def __init__(self, open_listeners: Open) -> None:
        self._open_listeners = open_listeners
        self._addresses: list[Any] = []  # those of the first listeners, which clients know
        self.now: list[trio.abc.Listener[Any]] = []
        self._used: bool = False

    async def open(self) -> None:
        """Open them for the first time."""
        self.now = await self._open()
        self._addresses = [address_of(listener) for listener in self.now]

    async def ensure_listening(self) -> None:
        """Open them again at the same addresses if any of them no longer listens.

        If all still listen they are kept, so that clients in the queue of the system are accepted.
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
        """Close them; no more connections are accepted."""
        await _close(self.now)

    async def _open(self) -> list[trio.abc.Listener[Any]]:
        opened: Any = await self._ask()
        listed: list[Any] = [*opened] if opened.__class__ in (list, tuple) else []
        listeners: list[Any] = [each for each in listed if isinstance(each, trio.abc.Listener)]
        try:
            if not listed or len(listeners) < len(listed):
                raise TypeError(
                    f"{label_of(self._open_listeners)} returned {bounded(opened)}; expected a list "
                    "of listeners, as partial(trio.open_tcp_listeners, 8080) returns"
                )
            for listener in listeners:
                _check_tls(listener)
        except BaseException:
            await _close(listeners)
            raise
        return listeners

    async def _ask(self) -> Any:
        try:
            return await wait_for(
                expect_awaitable(self._open_listeners, interruptible(self._open_listeners))
            )
        except OSError as exc:
            is_bare = exc.errno is not None and exc.filename is None
            if not is_bare or exc.__class__.__module__ not in ("builtins", "socket"):
                raise
            # The system does not say which address it is about, and there may be several.
            raise exc.__class__(
                exc.errno, f"{exc.strerror}: {_call_of(self._open_listeners)}"
            ) from exc


def _call_of(function: Open) -> str:
    """Show how the function is called."""
    made: Any = function
    args, kwargs = (made.args, made.keywords) if isinstance(made, partial) else ((), {})
    return f"{label_of(function)}({shown_child_arguments(innermost(function), args, kwargs)})"


def _check_tls(listener: trio.abc.Listener[Any]) -> None:
    """Refuse a context that no connection could be served with.

    Trio tries it with the first client that comes, whose error would end the acceptor.
    """
    context: Any = getattr(listener, "_ssl_context", None)
    if not isinstance(listener, trio.SSLListener):
        return
    try:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)
    except (AttributeError, ssl.SSLError) as exc:
        text = "expected one for servers; write ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)"
        raise TypeError(f"ssl_context={bounded(context)}: {text}") from exc


async def _close(listeners: list[trio.abc.Listener[Any]]) -> None:
    with trio.CancelScope(shield=True):
        for listener in listeners:
            await trio.aclose_forcefully(listener)
