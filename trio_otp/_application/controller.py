"""Which applications a run has: their order, their blocks, their environments.

There is one controller per run; `application.start` uses its oldest block. Follows: Erlang's
`application_controller`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio

from .._exits.errors import AlreadyStarted, SpecError
from .._process.runtime import calling_process, runtime
from .._process.wait_edges import enter_wait, leave_wait
from .._util.checks import check_choice
from .._util.private import private_names
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
    from collections.abc import Mapping

    from .._process.process import Process
    from .base import Application
    from .config import Config
    from .master import Host, StartType


class Controller:
    """The applications of one run."""

    def __init__(self) -> None:
        self.blocks: list[Host] = []
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
            private = private_names(application)
            self.environment(name).load(application.environment, private)
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
        block: Host | None = None,
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
        block: Host | None,
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
        block: Host,
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

    def _host(self) -> Host:
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
