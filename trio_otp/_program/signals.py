r"""The signals that a program obeys, and what each asks for.

| signal | asks for | unless |
|---|---|---|
| SIGTERM | the end | |
| SIGINT (Ctrl-C) | the end | it is ignored |
| SIGHUP | the configuration again, or the end | it is ignored, as by `nohup`, or has a handler |
| SIGUSR1 | a report on standard error | it is ignored or has a handler |
| SIGQUIT (Ctrl-\) | that report, and the end | it is ignored or has a handler |

What is ignored when a program starts stays ignored: a shell script does so for what it starts in
the background. Windows has the first two only.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

    Handler = Callable[[int, FrameType | None], None]

ALWAYS: Final = "SIGTERM"
UNLESS_IGNORED: Final = "SIGINT"
UNLESS_SET: Final = ("SIGHUP", "SIGQUIT", "SIGUSR1")  # if nobody set them
HANGUP: Final = "SIGHUP"
REPORTED: Final = ("SIGQUIT", "SIGUSR1")  # those that ask for a report
NO_END: Final = "SIGUSR1"


def name_of(signum: int) -> str:
    """Return the name of a signal."""
    return signal.Signals(signum).name


def _to_handle() -> list[signal.Signals]:
    """List the signals that are ours to handle."""
    there = [signal.Signals[name] for name in UNLESS_SET if hasattr(signal, name)]
    unset = [number for number in there if signal.getsignal(number) is signal.SIG_DFL]
    ignored = signal.getsignal(signal.Signals[UNLESS_IGNORED]) is signal.SIG_IGN
    asked = [ALWAYS] if ignored else [UNLESS_IGNORED, ALWAYS]
    return [*(signal.Signals[name] for name in asked), *unset]


@contextmanager
def handling(handler: Handler) -> Generator[None]:
    """Handle the signals while the block runs; restore only those that are still ours.

    Not `trio.open_signal_receiver`: it would leave signals waiting while the loop is blocked, and
    it needs a run, so that a signal just before would not be seen.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {signum: signal.signal(signum, handler) for signum in _to_handle()}
    with_stack = [signum for signum in before if name_of(signum) in REPORTED and _add_stack(signum)]
    try:
        yield
    finally:
        for signum in with_stack:
            _remove_stack(signum)
        for signum, old in before.items():
            if signal.getsignal(signum) == handler:
                signal.signal(signum, signal.SIG_DFL if old is None else old)


def _add_stack(signum: int) -> bool:
    """Have a signal also write the stack at once, before its handler; False if that is impossible.

    The handler runs between two bytecodes of the main thread. A call into C that takes long delays
    it; `faulthandler` does not wait. It shows that thread alone: the frames of the others may
    change while they are read.
    """
    try:
        faulthandler.register(signum, sys.stderr, all_threads=False, chain=True)
    except (AttributeError, OSError, RuntimeError, ValueError):  # Windows; no file of the system
        return False
    return True


def _remove_stack(signum: int) -> None:
    now = signal.getsignal(signum)
    faulthandler.unregister(signum)
    assert now is not None, "ours, or one that came later: both are known to Python"
    signal.signal(signum, now)  # `unregister` puts back what there was, whatever came later


def has_terminal() -> bool:
    """Check whether this program has a controlling terminal, whose end SIGHUP would announce."""
    with suppress(AttributeError, OSError):
        os.close(os.open(os.ctermid(), os.O_RDWR | os.O_NOCTTY))
        return True
    return False
