r"""A whole program: run an application until it ends or a signal comes.

    if __name__ == "__main__":
        sys.exit(otp.run(MyApp))

The first signal that asks it to end stops the applications in reverse start order, also in the
middle of their start. While connections drain, the next one cuts that short. The second, or the
next one then, kills what is left of the applications. One more ends the program at once, even if
some code blocks the event loop.

Such signals are SIGINT (Ctrl-C) and SIGTERM, and where there are any SIGHUP (the terminal or the
connection is gone) and SIGQUIT (Ctrl-\). The last two are left alone if they are ignored, as by
`nohup` and in the background of a shell script, or if they have a handler, as one that reads a
configuration again.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from .._application.base import check_application
from .._application.config import read_config
from .._application.controller import controller
from .._application.environment import check_arguments
from .._application.errors import ApplicationExited, ApplicationStartError
from .._application.explain import explain
from .._application.graph import all_of
from .._application.open_application import open_application
from .._application.starts import check_mode
from .._log.add_metadata import add_metadata
from .._process.draining import cut_draining
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from types import FrameType

    from .._application.base import Application
    from .._application.config import Config
    from .._application.master import StartType
    from .._application.starts import StartMode

SIGNALS: Final = ("SIGINT", "SIGTERM")
UNLESS_SET: Final = ("SIGHUP", "SIGQUIT")  # if nobody set them; there are none on Windows
LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_log = logging.getLogger("trio_otp.program")


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
) -> int:
    """Run an application, with what it depends on, until it ends or a signal stops it.

    It starts a Trio run of its own. In the main thread SIGINT, SIGTERM, SIGHUP and SIGQUIT stop it
    in order, the last two unless they are ignored, as by `nohup`, or have a handler. If the root
    logger has no handler, logging goes to stderr from INFO on, by a handler with the filter
    `otp.reports.add_metadata`.

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

    Returns:
        The exit status. 0: it ended well, by itself or stopped by a signal. 1: it did not start,
        it gave up or crashed, `prep_stop` or `stop` raised, or something had to be killed by a
        second signal or after `shutdown_timeout`.

    Raises:
        SpecError: an argument is not among its settings, or the configuration has a table, key or
            value that is not accepted.
        SystemExit: a process raised it; the applications have stopped in order.

    Follows: a release, `System.stop/1`.
    """
    cls = check_application(application)
    check_arguments(cls.name, cls.environment, environment)
    check_mode(mode)
    if config is not None:
        read_config(config, all_of(cls))  # a mistake shows before anything runs
    if not logging.getLogger().handlers:
        _configure_logging()
    options = {
        "environment": environment,
        "config": config,
        "type": type,
        "mode": mode,
        "shutdown_timeout": shutdown_timeout,
        "shutdown_func": shutdown_func,
    }
    program = _Program(cls, options)
    try:
        with _handling(program.handle):
            return trio.run(program.main)
    finally:
        _flush_errors()


def _flush_errors() -> None:
    """Write what is left for stderr, or drop it: Python ends with status 120 if it cannot."""
    try:
        sys.stderr.flush()
    except OSError:  # the terminal is gone, or a disk is full
        with suppress(OSError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of a file
            os.dup2(nowhere.fileno(), sys.stderr.fileno())


def _configure_logging() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format=LOG_FORMAT)
    for handler in logging.getLogger().handlers:
        handler.addFilter(add_metadata)


class _Program:
    """One `otp.run`: the signals it got, and what they do to the run."""

    def __init__(self, application: type[Application], options: dict[str, Any]) -> None:
        self.application = application
        self.options = options
        self.scope = trio.CancelScope()
        self.token: trio.lowlevel.TrioToken | None = None  # set while signals can reach the run
        self.received: list[int] = []
        self.cut: bool = False  # one of these has cut draining short

    def handle(self, signum: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self.received.append(signum)
        if (
            len(self.received) > 2 + self.cut
        ):  # pragma: no cover - it ends the program, data and all
            signal.signal(signum, signal.SIG_DFL)
            signal.raise_signal(signum)
        if self.token is not None:
            with suppress(trio.RunFinishedError):
                self.token.run_sync_soon(self._act, len(self.received))

    @enable_ki_protection
    def _act(self, count: int) -> None:
        """Do in the run what a signal asks for."""
        if count == 1:
            _log.info("%s: stopping", _name(self.received[0]))
            self.scope.cancel(reason=_name(self.received[0]))
        elif not self.cut and cut_draining():
            self.cut = True
            _log.warning("%s: cutting draining short", _name(self.received[1]))
        else:
            last = _name(self.received[-1])
            _log.warning("%s: killing what is left; once more ends it", last)
            for block in controller().blocks:
                block.cut()

    @enable_ki_protection
    async def main(self) -> int:
        """Run the program; return the exit status."""
        self.token = trio.lowlevel.current_trio_token()
        for count in range(len(self.received)):  # those that came before there was a token
            self._act(count + 1)
        try:
            with self.scope:
                async with open_application(self.application, **self.options) as app:
                    await app.wait_over()
        except (ApplicationStartError, ApplicationExited) as exc:
            with suppress(OSError):  # the terminal is gone
                sys.stderr.write(explain(exc) + "\n")
            return 1
        return 0 if controller().clean else 1


def _name(signum: int) -> str:
    return signal.Signals(signum).name


def _to_handle() -> list[signal.Signals]:
    """List the signals that are to end the program."""
    there = [signal.Signals[name] for name in UNLESS_SET if hasattr(signal, name)]
    unset = [number for number in there if signal.getsignal(number) is signal.SIG_DFL]
    return [*(signal.Signals[name] for name in SIGNALS), *unset]


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Generator[None]:
    """Handle the signals while the block runs; give back only those that are still ours.

    Not `trio.open_signal_receiver`: it would leave signals waiting while the loop is blocked, and
    it needs a run, so that a signal just before would not be seen.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, handler) for signum in _to_handle()}
    try:
        yield
    finally:
        for signum, old in before.items():
            if signal.getsignal(signum) == handler:
                signal.signal(signum, signal.SIG_DFL if old is None else old)
