"""The command `trio-otp demo`: watch a supervised service lose processes and lose no data.

    trio-otp demo
    trio-otp demo --serve --port 6380
    trio-otp demo --serve --observe     (and look into it: `trio-otp url`, ps, tree, ...)

It starts the cache service in this process, with a database in a temporary directory, and is
itself one of its clients. The demonstration is in `show.py`, its faults are in `faults.py`.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

import trio_otp as otp

from .folding import folded_logs
from .screen import Screen
from .show import demonstrate
from .stage import HOST, Stage, fill_all

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Awaitable, Callable, Sequence

SIGNALS: Final = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT")  # Windows has the first two
FILLERS: Final = 8  # clients that store the records before others are served
INTERRUPTED: Final = 130  # exit status, as that of a program that Ctrl-C ends
HINTS: Final = """\
   redis-cli -p {port} get airport:JFK
   redis-cli -p {port} set greeting hello ex 60
   redis-benchmark -p {port} -q -t ping,set,get,incr
"""
INSIDE: Final = """\
   trio-otp url         the page that shows what it does, for a browser
   trio-otp ps          and tree, info, problems, stacks, crashes
"""


def main(argv: Sequence[str]) -> int:
    """Run the demonstration.

    Args:
        argv: the arguments of the command line, without the name of the program.

    Returns:
        The exit status: 0 if all went as promised, 1 if not, 130 after Ctrl-C or another signal.
    """
    options = parse(argv)
    screen = Screen.of(sys.stdout)
    with tempfile.TemporaryDirectory(prefix="trio-otp-demo-") as name, folded_logs(screen) as logs:
        database = Path(name) / "cache.db"
        stage = Stage(
            options.port,
            database,
            logs,
            screen,
            seconds=options.seconds,
            is_observed=options.observe is not None,
        )
        work = partial(serve if options.serve else demonstrate, stage)
        status = run(work if options.observe is None else partial(observed, work, options.observe))
    if status is None:
        text = "Stopped in order." if options.serve else "Interrupted, and stopped in order."
        with suppress(OSError):  # its terminal is gone
            screen.line(text)
        return 0 if options.serve else INTERRUPTED
    return status


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Read the command line; exit with a hint if it is wrong."""
    parser = argparse.ArgumentParser(
        prog="trio-otp demo",
        description="Watch a supervised cache service serve real traffic, lose processes, and "
        "lose no data. Takes about ten seconds.",
    )
    parser.add_argument("--seconds", type=seconds, default=8.0, help="of load (default: 8)")
    parser.add_argument("--serve", action="store_true", help="serve your own clients until Ctrl-C")
    parser.add_argument("--port", type=port, default="0", help="to listen on (default: a free one)")
    what = "let others look: on a page in a browser, by `trio-otp ps` and the like; or act as well"
    parser.add_argument(
        "--observe", nargs="?", const="look", choices=["look", "actions"], help=what
    )
    return parser.parse_args(argv)


def seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 3600:
        raise argparse.ArgumentTypeError(f"{text}: expected more than 0 and at most 3600")
    return number


def port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text}: expected 0 to 65535")
    try:
        return free_port(number)
    except OSError as exc:
        raise argparse.ArgumentTypeError(f"{text}: {exc.strerror}") from None


def free_port(number: int = 0) -> int:
    """Find a port that can be listened on: an Endpoint that is restarted needs the same again.

    Args:
        number: the port; 0 means any.

    Raises:
        OSError: somebody has it.
    """
    with socket.create_server((HOST, number)) as listener:
        return int(listener.getsockname()[1])


def run(work: Callable[[], Awaitable[int]]) -> int | None:
    """Do something until it is done, or until a signal; then the result is None."""
    try:
        return trio.run(_until_signal, work)
    except KeyboardInterrupt:  # a second Ctrl-C
        return None


async def observed(work: Callable[[], Awaitable[int]], what: str) -> int:
    """Do something while others may look at it."""
    async with trio.open_nursery() as nursery:
        await otp.observer.serve(nursery=nursery, actions=what == "actions")
        status = await work()
        nursery.cancel_scope.cancel()
    return status


def signals_to_end() -> list[signal.Signals]:
    """List the signals that end it, without those that are ignored, as SIGHUP is by `nohup`."""
    there = [signal.Signals[name] for name in SIGNALS if hasattr(signal, name)]
    return [number for number in there if signal.getsignal(number) is not signal.SIG_IGN]


async def _until_signal(work: Callable[[], Awaitable[int]]) -> int | None:
    status = None
    with trio.open_signal_receiver(*signals_to_end()) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_at_signal, signals, nursery.cancel_scope)
            status = await work()
            nursery.cancel_scope.cancel()
    return status


async def _cancel_at_signal(signals: AsyncIterable[int], scope: trio.CancelScope) -> None:
    async for _ in signals:
        scope.cancel()
        return


async def serve(stage: Stage) -> int:
    """Serve the reader's own clients until cancelled; return only if the service fails."""
    try:
        async with stage.running() as application:
            async with stage.sessions(FILLERS, 1) as sessions:
                await fill_all(sessions, stage.shares(FILLERS))
            await stage.show_tree(
                f"A supervised cache, with {stage.journal.writes:,} airports in it"
            )
            stage.screen.line(f"It listens on {HOST}:{stage.port} until Ctrl-C. Try elsewhere:\n")
            stage.screen.line(HINTS.format(port=stage.port))
            if stage.is_observed:
                stage.screen.line(INSIDE)
            await application.wait()
    except otp.OtpError as exc:
        stage.screen.line(f"FAILED: {exc}", "bad")
    return 1
