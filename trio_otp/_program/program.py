"""A whole program: run an application until it ends or a signal comes.

    if __name__ == "__main__":
        sys.exit(otp.run(MyApp))

The first signal that asks it to end stops the applications in reverse start order, also in the
middle of their start. While connections drain, the next one cuts that short. The second, or the
next one then, kills what is left of the applications. One more ends the program at once, even if
some code blocks the event loop. `signals` says which signal asks for what.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trio
from trio.lowlevel import enable_ki_protection

from .._application.base import check_application
from .._application.config import read_config
from .._application.controller import controller
from .._application.environment import check_arguments
from .._application.errors import ApplicationExited
from .._application.explain import explain
from .._application.graph import all_of
from .._application.open_application import open_application
from .._application.starts import check_mode
from .._application.variables import check_prefix, from_variables, nothing_given
from .._exits.errors import SpecError, StartError
from .._exits.nurseries import OwnNursery
from .._inspect.dump import dump, failure
from .._inspect.system_monitor import check_schedule, system_monitor
from .._process.draining import cut_draining
from .._process.runtime import runtime
from .._util.bounded import bounded
from .._util.public import public
from ..events.propagation import as_propagators
from .logs import as_line, check_logs, configure_logs, log
from .reloading import Reloads
from .signals import HANGUP, NO_END, REPORTED, handling, has_terminal, name_of
from .stderr import flush_errors, write_last, write_now
from .systemd import Notifier

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
    from types import FrameType

    from .._application.base import Application
    from .._application.config import Config
    from .._application.master import StartType
    from .._application.open_application import OpenApplication
    from .._application.starts import StartMode
    from .._application.variables import Given
    from .._process.propagating import Propagate
    from .._process.runtime import Runtime
    from .logs import LogFormat, LogLevel


Companion: TypeAlias = "Callable[[trio.Nursery], Awaitable[object]]"
# Start what runs beside the applications, in a nursery of its own: as `trio-otp run` has it with
# `--observe` and `--name`. No folder up to here knows what that is.
companions: Final[ContextVar[tuple[Companion, ...]]] = ContextVar("trio_otp_companions", default=())


@public
def run(
    application: type[Application],
    *,
    environment: Mapping[str, Any] | None = None,
    config: Config | None = None,
    type: StartType = "transient",
    mode: StartMode = "serial",
    shutdown_timeout: float | None = None,
    shutdown_func: Callable[[object], object] | None = None,
    env_prefix: str | None = None,
    log_level: LogLevel | None = None,
    log_format: LogFormat | None = None,
    long_schedule: float | None = None,
    propagate: Propagate = (),
    instruments: Sequence[trio.abc.Instrument] = (),
) -> int:
    """Run an application, with what it depends on, until it ends or a signal stops it.

    It starts a Trio run of its own. In the main thread signals reach it:

    * SIGINT, SIGTERM, SIGHUP and SIGQUIT stop it in order. More of them cut the end short, SIGHUP
      excepted, which a terminal that is closed may send twice.
    * SIGHUP makes it read `config` again instead, if that is a file and there is no controlling
      terminal: see `otp.application.reload_config`. What is wrong with the file is logged.
    * SIGUSR1 and SIGQUIT write on stderr which processes there are and what all that runs is doing,
      from the signal handler itself, so also while something blocks the loop.

    Signals but SIGTERM are left alone if they are ignored, as by `nohup`, and all but SIGTERM and
    SIGINT if they have a handler. If systemd has set `NOTIFY_SOCKET`, it gets `READY=1`,
    `RELOADING=1` and `STOPPING=1`, and `WATCHDOG=1` while the loop turns. If the root logger has no
    handler, logging goes to stderr, by a handler with the filter `otp.reports.add_metadata`.

    Args:
        application: the class.
        environment: arguments that override its defaults and the configuration.
        config: the path of a TOML file with a table for each application, or {name: {key:
            value}}. See `otp.open_application`.
        type: see `otp.open_application`.
        mode: see `otp.open_application`.
        shutdown_timeout: seconds for all to stop, after which what is left is killed; None waits
            for ever.
        shutdown_func: see `otp.open_application`.
        env_prefix: what the variables of the environment begin with that are settings of the
            application: with `SHOP_` the variable `SHOP_PORT` is `port`. They stand above `config`
            and below `environment`; each is taken as the type of its default.
        log_level: `debug`, `info`, `warning`, `error` or `critical`: what is logged at least, if
            logging is configured here; `info` if left out.
        log_format: `text`, or `json`: each record is an object in a line of its own, see
            `otp.reports.JsonFormatter`; so is all else that is written to stderr here.
        long_schedule: seconds after which a held loop is reported: starts `otp.system_monitor` with
            this and its other defaults; None leaves that to the application.
        propagate: context variables and propagators whose values travel with each call and cast,
            see `otp.open_process`.
        instruments: what is told of each step of a task, as of `trio.run`; `trio_util.TaskStats`,
            for example, logs at the end which steps held the loop for long.

    Returns:
        The exit status. 0: it ended well, by itself or stopped by a signal. 1: it did not start,
        it gave up or crashed, `prep_stop` or `stop` raised, or something had to be killed by a
        second signal or after `shutdown_timeout`.

    Raises:
        SpecError: an argument is not among its settings, the configuration or a variable has a
            table, key or value that is not accepted, or another argument is none of the words
            above.
        ValueError: `long_schedule` is not accepted.
        TypeError: `propagate` or `instruments` is not accepted.
        SystemExit: a process raised it; the applications have stopped in order.

    Follows: a release, `System.stop/1`; `sd_notify(3)`.
    """
    cls = check_application(application)
    check_arguments(cls.name, cls.environment, environment)
    check_mode(mode)
    check_logs(log_level, log_format)
    check_schedule(long_schedule)
    _check_instruments(instruments)
    if config is not None:
        read_config(config, all_of(cls))  # a mistake shows before anything runs
    propagators = as_propagators(propagate)
    given = _from_variables(cls, env_prefix)
    configure_logs(log_level, log_format)
    for line in given.similar:
        log.warning("%s", line)
    options = {
        "environment": {**given.settings, **(environment or {})},
        "config": config,
        "type": type,
        "mode": mode,
        "shutdown_timeout": shutdown_timeout,
        "shutdown_func": shutdown_func,
        "propagate": propagators,
    }
    program = _Program(cls, options, log_format == "json", long_schedule)
    try:
        with closing(program.notifier), handling(program.handle):
            return trio.run(program.main, instruments=instruments)
    finally:
        flush_errors()


def _check_instruments(instruments: Any) -> None:
    """Refuse what Trio would only refuse when the program begins, or take for no instrument."""
    listed = instruments.__class__ in {list, tuple}
    if not listed or not all(isinstance(each, trio.abc.Instrument) for each in instruments):
        accepted = "a list of trio.abc.Instrument objects"
        raise TypeError(f"instruments={bounded(instruments)}: expected {accepted}")


def _from_variables(application: type[Application], prefix: str | None) -> Given:
    if prefix is None:
        return nothing_given()
    given = from_variables(application, check_prefix(prefix), os.environ)
    if given.mistakes:
        raise SpecError("\n".join(given.mistakes))
    return given


@contextmanager
def beside(start: Companion) -> Generator[None]:
    """Have the programs of `otp.run` in a block start something beside their applications.

    Args:
        start: starts it in the nursery it gets; what it raises ends the program.
    """
    before = companions.set((*companions.get(), start))
    try:
        yield
    finally:
        companions.reset(before)


@asynccontextmanager
@enable_ki_protection
async def _companions(starting: trio.CancelScope) -> AsyncGenerator[None]:
    """Have beside the applications, from before their start to after their end, what is set so.

    Args:
        starting: around the starts alone.
    """
    starts = companions.get()
    if not starts:
        yield
        return
    async with OwnNursery() as nursery:
        with starting:
            for start in starts:
                await start(nursery)
        yield
        nursery.cancel_scope.cancel(reason="the applications have ended")


def _end_by(signum: int) -> None:  # pragma: no cover - it ends the program, data and all
    """End the program at once, as by that signal."""
    signal.signal(signum, signal.SIG_DFL)
    signal.raise_signal(signum)
    os._exit(128 + signum)  # the first process of a container does not die of its own signals


class _Program:
    """One `otp.run`: the signals it got, and what they do to the run."""

    def __init__(
        self,
        application: type[Application],
        options: dict[str, Any],
        is_json: bool = False,
        long_schedule: float | None = None,
    ) -> None:
        self.application = application
        self.options = options
        self.long_schedule = long_schedule
        self.is_json = is_json  # what it writes to stderr
        self.starting, self.scope = trio.CancelScope(), trio.CancelScope()
        self.token: trio.lowlevel.TrioToken | None = None  # set while signals can reach the run
        self.tables: Runtime | None = None  # those of the run, once it has begun
        self.received: list[int] = []  # the signals that ask it to end
        self.cut: bool = False  # one of these has cut draining short
        self.notifier = Notifier()
        self.reloads = Reloads(self.notifier) if _can_reload(options.get("config")) else None

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """Handle a signal."""
        name = name_of(signum)
        if name in REPORTED:
            self._report(name, frame)
        if name == NO_END:
            return
        if name == HANGUP and self.reloads is not None:
            self._soon(self.reloads.ask)
            return
        if name == HANGUP and self.received:
            return  # a terminal that is closed says so twice: its shell, then the system
        self.received.append(signum)
        if len(self.received) > 2 + self.cut:
            _end_by(signum)  # pragma: no cover - it ends the program, data and all
        self._soon(self._act, len(self.received))

    def _report(self, name: str, frame: FrameType | None) -> None:
        """Write what the program is doing; what fails is told, and not raised in what it hit."""
        try:
            text, level = dump(self.tables, frame, name), "INFO"
        except Exception as exc:
            text, level = f"{name}: the report failed: {failure(exc)}", "ERROR"
        try:
            write_now(self._line(text, level))
        except Exception as exc:  # of a stream that a user has put in the place of stderr
            self._soon(log.error, "%s: the report cannot be written: %s", name, failure(exc))

    def _line(self, text: str, level: str) -> str:
        """Return a text that is to be written to stderr past `logging`."""
        try:
            return f"{as_line(text, level) if self.is_json else text}\n"
        except Exception as exc:  # a line that a reader of JSON refuses is better than none
            return f"this should have been JSON, but: {failure(exc)}\n{text}\n"

    def _soon(self, function: Callable[..., object], *args: object) -> None:
        """Call a function in the run, if there is one; `main` knows what came before it."""
        if self.token is not None:
            with suppress(trio.RunFinishedError):
                self.token.run_sync_soon(function, *args)

    @enable_ki_protection
    def _act(self, count: int) -> None:
        """Do in the run what a signal asks for."""
        if count == 1:
            log.info("%s: stopping", name_of(self.received[0]))
            self.notifier.stopping()
            for scope in (self.starting, self.scope):
                scope.cancel(reason=name_of(self.received[0]))
        elif not self.cut and cut_draining():
            self.cut = True
            log.warning("%s: cutting draining short", name_of(self.received[1]))
        else:
            last = name_of(self.received[-1])
            log.warning("%s: killing what is left; once more ends it", last)
            for block in controller().blocks:
                block.cut()

    @enable_ki_protection
    async def main(self) -> int:
        """Run the program; return the exit status."""
        self.tables = runtime()
        self.token = trio.lowlevel.current_trio_token()
        if self.long_schedule is not None:
            system_monitor(long_schedule=self.long_schedule)
        if self.notifier.interval is not None:
            trio.lowlevel.spawn_system_task(self.notifier.watch)
        for count in range(len(self.received)):  # those that came before there was a token
            self._act(count + 1)
        try:
            async with _companions(self.starting):
                with self.scope:
                    async with open_application(self.application, **self.options) as app:
                        await self._serve(app)
        except (StartError, ApplicationExited) as exc:
            text = explain(exc)
            self.notifier.failed(text)
            write_last(self._line(text, "ERROR"))
            return 1
        return 0 if controller().clean else 1

    async def _serve(self, app: OpenApplication) -> None:
        """Wait for the end of the application, and do meanwhile what signals ask for."""
        self.notifier.ready()
        try:
            async with OwnNursery() as nursery:
                if self.reloads is not None:
                    nursery.start_soon(self.reloads.run, name="<reloads of the configuration>")
                await app.wait_over()
                nursery.cancel_scope.cancel(reason="the application has ended")
        finally:
            self.notifier.stopping()


def _can_reload(config: Config | None) -> bool:
    """Check whether there is a file to read again, and SIGHUP does not mean a closed terminal."""
    return config is not None and not isinstance(config, Mapping) and not has_terminal()
