"""One client of the observer: what it has asked for, and the answers on their way to it.

All answers leave through one task, which alone writes: so a question can be replaced or stopped at
any moment, and no line is ever cut in the middle. A client that does not read keeps its own answers
waiting and nothing else; none pile up.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio

from ..._exits.nurseries import OwnNursery
from ..._util.bounded import bounded
from ..diagnosis import sight
from ..reading import info, tree
from . import asks, deeds
from .link import Link
from .protocol import (
    LOCAL,
    BadLine,
    Refused,
    Request,
    error_line,
    hello_line,
    parse,
    result_line,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable

    from ..hub import Hub

GONE: Final = (trio.BrokenResourceError, trio.ClosedResourceError)  # the client is
MOST: Final = 32  # requests that a client may have open
_LOGGER: Final = logging.getLogger("trio_otp.observer")


class Answerer(Protocol):
    """What answers one kind of question."""

    async def __call__(
        self, hub: Hub, memory: dict[Any, Any], arguments: dict[str, Any], *, once: bool
    ) -> dict[str, Any]:
        """Return the answer; raises `Refused` for an error as answer."""
        ...


ANSWERERS: Final[dict[str, Answerer]] = {
    "overview": asks.overview,
    "rows": asks.rows,
    "tree": tree.tree,
    "info": info.info,
    "problems": sight.problems,
    "stacks": asks.stacks,
    "crashes": asks.crashes,
    "loop": asks.nothing,
    "url": deeds.url,
    "act": deeds.act,
    "eval": deeds.evaluate,
    "replace_state": deeds.replace_state,
}


class Session:
    """Speaks with one client.

    Args:
        hub: what is known of the program.
        hello: what the program says of itself.
        send: sends a line; it is called by one task only.
        local: whether the client is at the Unix socket, and may ask what is for those alone.
        peer: who the client is, for the log.
    """

    def __init__(
        self,
        hub: Hub,
        hello: dict[str, Any],
        send: Callable[[str], Awaitable[object]],
        *,
        local: bool,
        peer: str = "a browser",
    ) -> None:
        self.hub = hub
        self._hello = hello
        self._send = send
        self._local = local
        self._link = Link(peer)
        self._open: dict[int | str, trio.CancelScope] = {}
        self._to_writer, self._lines = trio.open_memory_channel[str](0)

    async def run(self, lines: AsyncIterable[str]) -> None:
        """Answer the client until it hangs up.

        Args:
            lines: what it says.
        """
        async with OwnNursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            await self._to_writer.send(hello_line({**self._hello, "socket": self._local}))
            with suppress(*GONE), self._link.closing:
                async for line in lines:
                    await self._take(line, nursery)
            nursery.cancel_scope.cancel()

    async def _write(self, scope: trio.CancelScope) -> None:
        with suppress(*GONE):
            async for line in self._lines:
                await self._send(line)
        scope.cancel()

    async def _take(self, line: str, nursery: trio.Nursery) -> None:
        try:
            request = parse(line)
            former = self._open.pop(request.id, None)
            if former is not None:
                former.cancel()
            if request.ask == "stop":
                return
            self._check(request)
        except BadLine as bad:
            await self._to_writer.send(error_line(bad.request_id, bad))
        except _NotHere as error:
            await self._to_writer.send(error_line(error.request_id, error))
        else:
            scope = self._open[request.id] = trio.CancelScope()
            nursery.start_soon(self._serve, request, scope)

    def _check(self, request: Request) -> None:
        if request.ask in LOCAL and not self._local:
            raise _NotHere(request, "NotHere", f"{request.ask} is answered at the socket only")
        if len(self._open) >= MOST:
            raise _NotHere(request, "TooMany", f"more than {MOST} questions at a time")

    async def _serve(self, request: Request, scope: trio.CancelScope) -> None:
        """Answer a request once, or again and again."""
        memory: dict[Any, Any] = {Link: self._link}
        with scope:
            if request.every is None:
                await self._answer(request, memory)
            else:
                with self.hub.attended(request.every):
                    while True:
                        await self._answer(request, memory)
                        await self.hub.wait(request.every)
        if self._open.get(request.id) is scope:
            del self._open[request.id]

    async def _answer(self, request: Request, memory: dict[Any, Any]) -> None:
        await self._to_writer.send(await self._line(request, memory))

    async def _line(self, request: Request, memory: dict[Any, Any]) -> str:
        once = request.every is None
        try:
            await self.hub.look()
            result = await ANSWERERS[request.ask](self.hub, memory, request.arguments, once=once)
            return result_line(request.id, result, self.hub.loop())
        except Refused as refused:
            error = refused
        except Exception as exc:  # a bug of the observer, or what changed under its eyes
            _LOGGER.exception("the observer could not answer %s", request.ask)
            error = Refused(type(exc).__name__, f"it could not be read: {bounded(exc)}")
        return error_line(request.id, error, self.hub.loop())


class _NotHere(Refused):
    """A request that this client cannot make."""

    def __init__(self, request: Request, kind: str, text: str) -> None:
        super().__init__(kind, text)
        self.request_id = request.id
