"""Servers with a bounded mailbox that are held up, and what becomes of what is sent to them."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import trio
import trio.testing
from inside import process_of

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")
POLICIES = ("reject", "wait", "drop_newest", "drop_oldest")


def as_process(test: F) -> F:
    """Run a test as a process that traps exits, in virtual time."""

    @wraps(test)
    async def run(**fixtures: Any) -> None:
        clock = fixtures.pop("autojump_clock")
        if "autojump_clock" in signature.parameters:
            fixtures["autojump_clock"] = clock
        async with otp.open_process(trap_exit=True):
            await test(**fixtures)

    signature = inspect.signature(test)
    needed = dict(signature.parameters)
    clock = inspect.Parameter("autojump_clock", inspect.Parameter.KEYWORD_ONLY)
    needed.setdefault("autojump_clock", clock)
    wrapped: Any = run
    wrapped.__signature__ = signature.replace(parameters=list(needed.values()))
    return wrapped  # type: ignore[no-any-return]  # it is called as the test is


class Desk(otp.GenServer, restart="temporary"):
    """Notes what it handles, one at a time and only while its gate is open."""

    def __init__(self) -> None:
        self.handled: list[Any] = []
        self.gate = trio.Event()

    async def handle_call(self, request: Any, from_: Any) -> Any:
        await self.gate.wait()
        self.handled.append(("call", request))
        return otp.Reply(request)

    async def handle_cast(self, message: Any) -> Any:
        await self.gate.wait()
        self.handled.append(("cast", message))

    async def handle_info(self, message: Any) -> Any:
        await self.gate.wait()
        self.handled.append(("info", message))

    @otp.on_call
    async def ask(self, what: Any) -> Any:
        return await self.handle_call(what, None)

    @otp.on_cast
    async def note(self, what: Any, *, more: int = 0) -> None:
        await self.handle_cast(what)


def bound(size: int, on_full: Any) -> otp.BoundedMailbox:
    return otp.BoundedMailbox(size, on_full=on_full)


async def start_desk(size: int | None, on_full: Any = "reject", *, fill: bool = True) -> Any:
    """Start a desk that has one message in hand, and full, named `desk`; return its instance."""
    mailbox = None if size is None else bound(size, on_full)
    pid: Any = await otp.start_link(otp.child(Desk).having(name="desk", mailbox=mailbox))
    otp.cast(pid, "in hand")
    await trio.testing.wait_all_tasks_blocked()
    if fill:
        for number in range(size or 0):
            otp.cast(pid, number)
    desk: Desk = process_of(pid).instance
    return desk


async def open_gate(desk: Desk) -> list[Any]:
    """Release a desk until its queue is empty; return what it handled, without what was in hand."""
    desk.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    return desk.handled[1:]


class Drops:
    """What was dropped, as listeners are told of it, and the notices about it."""

    def __init__(self) -> None:
        self.messages: list[Any] = []
        self.reasons: list[str] = []
        self.notices: list[otp.events.NoticeReport] = []
        otp.events.attach("dropped", self._dropped)
        otp.events.attach("notice", self.notices.append)

    def _dropped(self, ref: Any, message: Any, why: str) -> None:
        self.messages.append(message)
        self.reasons.append(why)


def in_task(nursery: trio.Nursery, function: Any, *args: Any, **options: Any) -> list[Any]:
    """Await something in a plain task; return a list that gets its result or error."""
    got: list[Any] = []

    async def run() -> None:
        try:
            got.append(await function(*args, **options))
        except Exception as exc:
            got.append(exc)

    nursery.start_soon(run)
    return got
