"""An application in plain Trio code: a block that owns it and what it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, final

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.errors import AlreadyStarted
from .._process.block import block
from .._process.propagating import start_propagating
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public
from .base import check_application
from .block import open_block
from .changes import configure
from .controller import controller
from .environment import check_arguments
from .graph import needs
from .starts import check_mode, start_all

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from .._process.pid import Pid
    from .._process.propagating import Propagate
    from .base import Application
    from .block import ApplicationBlock
    from .config import Config
    from .master import Master, StartType
    from .starts import StartMode


@final
@public
class OpenApplication(NoConstructor, Handle):
    """The application of an `open_application` block.

    It stands for its top process wherever a reference is accepted.
    """

    _origin: ClassVar[str] = "otp.open_application(app) yields one"

    def __init__(self, master: Master) -> None:
        self._master = master

    @property
    def name(self) -> str:
        """What it is called."""
        return self._master.name

    @property
    def pid(self) -> Pid:
        """Its top process."""
        assert self._master.top is not None
        return self._master.top.pid

    @property
    def environment(self) -> Mapping[str, Any]:
        """Its settings in force."""
        return self._master.application.environment

    def __repr__(self) -> str:
        state = "running" if self._master.running else "ended"
        return f"<application {self.name} {state} {self.pid!r}>"

    @enable_ki_protection
    async def wait(self) -> None:
        """Serve on until the application ends: by auto-shutdown, or because it is stopped.

        If it gives up or crashes, this wait is cancelled and the block raises
        `ApplicationExited`.
        """
        await self._master.gone.wait()
        await trio.lowlevel.checkpoint()  # the block may just have been cancelled

    @enable_ki_protection
    async def wait_over(self) -> None:
        """Wait until the top process has ended; `prep_stop` and `stop` may still run."""
        await self._master.over.wait()
        await trio.lowlevel.checkpoint()


@public
@block("async with otp.open_application(App) as app: ...")
@enable_ki_protection
async def open_application(
    application: type[Application],
    *,
    environment: Mapping[str, Any] | None = None,
    config: Config | None = None,
    type: StartType = "transient",
    mode: StartMode = "serial",
    shutdown_timeout: float | None = None,
    shutdown_func: Callable[[object], object] | None = None,
    propagate: Propagate = (),
) -> AsyncGenerator[OpenApplication]:
    """Run an application, with what it depends on, while the block runs.

    Dependencies are started first, depth first; those that run already are left alone. Leaving
    the block stops all it started in reverse order, one after another, also when it is left by an
    error or a cancellation. Inside, the functions of `otp.application` work.

    Args:
        application: the class.
        environment: arguments that override its defaults and the configuration.
        config: settings of it and of what it depends on or includes: the path of a TOML file with
            a table for each application, or {name: {key: value}}. They stay for the rest of the
            run; one that runs already is told by `config_change`. See
            `otp.application.reload_config`.
        type: what its own end, and that of a dependency started here, means: with `permanent`
            the block ends with `ApplicationExited`, with `temporary` not, with `transient` unless
            it ended well: it by auto-shutdown or with another quiet reason, without having given
            up; a dependency with NORMAL alone, as of `otp.application.start`.
        mode: with `serial` dependencies start one after another, with `concurrent` each when
            what it depends on itself has started.
        shutdown_timeout: seconds for all to stop, after which what is left is killed; None waits
            for ever.
        shutdown_func: called, and awaited if it is async, before anything is stopped, with the
            reason: SHUTDOWN, or the `ApplicationExited` that ends the block. What it raises is
            reported.
        propagate: context variables and propagators whose values travel with each call and cast,
            see `otp.open_process`.

    Raises:
        ApplicationStartError: it or a dependency did not start; what was started is stopped.
        ApplicationExited: it or a dependency ended by itself, and the block was cancelled. If the
            body raises something of its own meanwhile, that leaves, with this as its context.
        AlreadyStarted: it runs.
        SpecError: an argument is not among its settings, the configuration has a table, key or
            value that is not accepted, or the mode is none.
        ConfigChangeError: an application that runs already did not take the configuration.

    Follows: `Application.ensure_all_started/2`, and Trio's `open_nursery` in how it ends.
    """
    cls = check_application(application)
    check_arguments(cls.name, cls.environment, environment)
    check_mode(mode)
    if config is not None:
        await configure(controller(), cls, config)
    stop_propagating = start_propagating(propagate)
    try:
        async with open_block(shutdown_timeout, shutdown_func) as block:
            yield create(OpenApplication, await _start(cls, environment, type, mode, block))
    finally:
        stop_propagating()


async def _start(
    application: type[Application],
    environment: Mapping[str, Any] | None,
    kind: StartType,
    mode: StartMode,
    block: ApplicationBlock,
) -> Master:
    owner = controller()
    block.main = application
    await start_all(owner, needs(application), kind, block, mode)
    master = await owner.start_next(application, environment, kind, block)
    if master is None:
        other = owner.masters[application.name]
        assert other.top is not None
        raise AlreadyStarted(other.top.pid, f"application {application.name!r}")
    return master
