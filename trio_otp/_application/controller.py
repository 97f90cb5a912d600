"""Which applications a run has: their order, their blocks, their environments.

There is one controller per run. A *block*, `open_application` or `open_controller`, owns the
nursery in which applications live and stops them in reverse start order when it is left.
`application.start` uses the oldest block. Follows: Erlang's `application_controller`.
"""

from __future__ import annotations

import contextvars
import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.bare import raise_beside
from .._exits.errors import AlreadyStarted, SpecError
from .._exits.nurseries import OwnNursery, WholeScope
from .._exits.reasons import SHUTDOWN
from .._process.runtime import calling_process, runtime
from .._process.wait_edges import enter_wait, leave_wait
from .._util.checks import check_choice
from .callback import Callback
from .environment import Environment, check_arguments
from .errors import (
    ApplicationNotStarted,
    ApplicationStartError,
    NoApplicationController,
    UnknownApplication,
)
from .graph import included
from .master import START_TYPES, Master

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from .._process.process import Process
    from .base import Application
    from .config import Config
    from .master import StartType


class Block:
    """What one block has started, oldest first."""

    nursery: trio.Nursery
    main: type[Application] | None = None  # the application that it is there for, if it is for one

    def __init__(
        self, controller: Controller, shutdown_func: Callable[[object], object] | None = None
    ) -> None:
        self.controller = controller
        self.shutdown_func = shutdown_func
        self.body = trio.CancelScope()
        self.masters: dict[Master, None] = {}
        self.failed: Master | None = None
        self.leave = trio.Event()
        self._call = Callback(controller, shield=False)  # the limit of the shutdown counts

    def add(self, master: Master) -> None:
        """Start the task of an application, in a blank context."""
        self.masters[master] = None
        self.controller.masters[master.name] = master
        start_soon = partial(self.nursery.start_soon, master.run, name=f"<app {master.name}>")
        contextvars.Context().run(start_soon)

    def forget(self, master: Master) -> None:
        """Forget an application that is gone."""
        del self.masters[master]
        del self.controller.masters[master.name]
        self.controller.environment(master.name).give({})

    def fail(self, master: Master) -> None:
        """End the block, because it cannot go on without this application."""
        if self.failed is None and not self.leave.is_set():
            self.failed = master
            self.body.cancel(reason=f"application {master.name!r} has ended")

    @enable_ki_protection
    async def close(self, timeout: float | None) -> None:
        """Wait until the block is left; then stop what runs in reverse start order.

        A task of its own does this: a Ctrl-C that hits the main task does not break it off.

        Args:
            timeout: seconds after which what is left is killed.
        """
        with trio.CancelScope(shield=True):
            await self.leave.wait()
            with trio.move_on_after(math.inf if timeout is None else timeout) as limit:
                try:
                    await self._announce()
                finally:
                    await self._stop_all()
            if limit.cancelled_caught:
                self.cut()
                await self._stop_all()

    async def _announce(self) -> None:
        """Call the function of the user that is to know before anything stops."""
        if self.shutdown_func is not None:
            reason = SHUTDOWN if self.failed is None else self.failed.error()
            await self._call.run(partial(self.shutdown_func, reason), "shutdown_func")

    async def _stop_all(self) -> None:
        while self.masters:
            await next(reversed(self.masters)).end()

    def cut(self) -> None:
        """Kill what is left."""
        self.controller.clean = False
        self._call.cut()
        for master in reversed(list(self.masters)):
            master.cut()


class Controller:
    """The applications of one run."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.masters: dict[str, Master] = {}
        self.classes: dict[str, type[Application]] = {}
        self.config: Config | None = None  # what the program was opened with
        self.clean = True  # no callback has failed, nothing was cut short
        self._environments: dict[str, Environment] = {}

    # -- who is meant ------------------------------------------------------------------------

    def knows(self, application: type[Application]) -> bool:
        """Check whether an application is loaded."""
        return self.classes.get(application.name) is application

    def load(self, application: type[Application]) -> str:
        """Make an application known in this run, and give its name."""
        name = application.name
        if not self.knows(application):
            self.classes[name] = application
            self.environment(name).load(application.environment)
        return name

    def find_class(self, ref: type[Application] | str) -> type[Application]:
        """Return the class behind a reference."""
        if isinstance(ref, str):
            if ref not in self.classes:
                raise UnknownApplication(ref, list(self.classes))
            return self.classes[ref]
        self.load(ref)
        return ref

    def environment(self, name: str) -> Environment:
        """Return the environment of an application, known or not."""
        found = self._environments.get(name)
        if found is None:
            found = self._environments[name] = Environment(name)
        return found

    def is_running(self, name: str) -> bool:
        """Check whether an application has started and is not on its way to its end."""
        master = self.masters.get(name)
        return master is not None and master.running

    # -- start and stop ----------------------------------------------------------------------

    async def start(
        self,
        application: type[Application],
        arguments: Mapping[str, Any] | None,
        kind: StartType,
        block: Block | None = None,
    ) -> Master | None:
        """Start an application whose dependencies run; None if another task has started it."""
        name = self.load(application)
        given = check_arguments(name, self.environment(name), arguments)
        check_choice("type", kind, START_TYPES, error=SpecError)
        if await self._join_start(name):
            return None
        for needed in application.dependencies:
            if not self.is_running(self.load(needed)):
                await trio.lowlevel.checkpoint()  # its end may have cancelled this start
                raise ApplicationNotStarted(needed.name, name)
        return await self._start(application, given, kind, block or self._host())

    async def start_next(
        self,
        application: type[Application],
        arguments: Mapping[str, Any] | None,
        kind: StartType,
        block: Block | None,
    ) -> Master | None:
        """As `start`, after its dependencies: if one has ended since, that is why it fails."""
        try:
            return await self.start(application, arguments, kind, block)
        except ApplicationNotStarted as exc:
            raise ApplicationStartError(application.name, exc) from exc

    async def _join_start(self, name: str) -> bool:
        """Wait for a start or an end of the same application; True if it has started now."""
        while (master := self.masters.get(name)) is not None:
            if master.running:
                assert master.top is not None
                await trio.lowlevel.checkpoint()
                raise AlreadyStarted(master.top.pid, f"application {name!r}")
            if master.calls_from(trio.lowlevel.current_task()):
                await trio.lowlevel.checkpoint()
                raise RuntimeError(f"a callback of application {name!r} would wait for itself")
            if not master.settled.is_set():
                await master.wait_started()
                return True
            edge = _enter_wait_for_end(master)
            try:
                await master.gone.wait()
            finally:
                leave_wait(edge)
        return False

    async def _start(
        self,
        application: type[Application],
        given: dict[str, Any],
        kind: StartType,
        block: Block,
    ) -> Master:
        self.environment(application.name).give(given)
        master = Master(block, self._make(application), kind)
        block.add(master)
        try:
            await master.wait_started()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                await master.end()
            raise
        return master

    def _make(self, application: type[Application]) -> Application:
        """Make an instance with its settings, and those of the applications it includes."""
        instance = application()
        inner = {each: each() for each in included(application)}
        for each in (instance, *inner.values()):
            each.__dict__["environment"] = self.environment(self.load(type(each)))
            each.__dict__["_included"] = inner
        return instance

    def _host(self) -> Block:
        for block in self.blocks:
            if not block.leave.is_set():
                return block
        raise NoApplicationController(
            "no application can be started here; write: async with otp.open_application(App): ..."
        )

    def unload(self, name: str) -> None:
        """Forget an application that does not run, with all its settings."""
        master = self.masters.get(name)
        if master is not None:
            pid = None if master.top is None else master.top.pid
            raise AlreadyStarted(pid, f"application {name!r}")
        if self.classes.pop(name, None) is None:
            raise UnknownApplication(name, list(self.classes))
        self._environments.pop(name, None)

    async def stop(self, name: str) -> None:
        """Stop an application that has started."""
        master = self.masters.get(name)
        if master is None or not master.running:
            raise ApplicationNotStarted(name)
        edge = _enter_wait_for_end(master)
        try:
            await master.end()
        finally:
            leave_wait(edge)


def _enter_wait_for_end(master: Master) -> Process | None:
    """Set the wait-for edge of a process that waits for the end of an application.

    Raises:
        DeadlockError: the application waits for the process: it stops it, or one that waits for it.
    """
    caller = calling_process()
    if caller is None or master.top is None or master.top is caller:
        return None  # a top that stops its application is cancelled
    return enter_wait(master.top, f"application {master.name!r}", None)


def controller() -> Controller:
    """Return the controller of the run."""
    extras = runtime().extras
    if Controller not in extras:
        extras[Controller] = Controller()
    found: Controller = extras[Controller]
    return found


@asynccontextmanager
@enable_ki_protection
async def open_block(
    shutdown_timeout: float | None = None,
    shutdown_func: Callable[[object], object] | None = None,
) -> AsyncGenerator[Block]:
    """Let applications be started while the block runs; leaving it stops them.

    Raises:
        ApplicationExited: one that the block needs ended by itself, and the block was cancelled.
    """
    owner = controller()
    block = Block(owner, shutdown_func)
    waiter: Process | None = None  # while it waits for the end of all
    owner.blocks.append(block)
    try:
        async with OwnNursery() as nursery:
            block.nursery = nursery
            nursery.start_soon(block.close, shutdown_timeout)
            try:
                with WholeScope(block.body):
                    yield block
            finally:
                waiter = calling_process()
                if waiter is not None:
                    tops = [master.top for master in block.masters if master.top is not None]
                    waiter.waits_for = dict.fromkeys(tops)
                block.leave.set()
    except BaseException as exc:  # noqa: ASYNC103 - `raise_beside` raises it
        if block.failed is None:
            raise
        raise_beside(exc, block.failed.error())
    finally:
        leave_wait(waiter)
        owner.blocks.remove(block)
    if block.failed is not None:
        raise block.failed.error()
