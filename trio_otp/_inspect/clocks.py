"""Clocks of one thread: how long it has computed, how long it has waited for a processor."""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

_STATISTICS: Final = "/proc/thread-self/schedstat"  # of Linux
_NANO: Final = 1e-9


def computing_of_this_thread() -> Callable[[], float]:
    """Return a function of the seconds that this thread has computed, which any thread may call.

    Where there is no such clock, as on Windows, it is that of the whole program.
    """
    if not hasattr(time, "pthread_getcpuclockid"):
        return time.process_time
    number: Any = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(number)


@contextmanager
def waiting_of_this_thread() -> Generator[Callable[[], float]]:
    """Open a function of the seconds in which this thread was ready and got no processor.

    Where the system does not say, it returns 0.
    """
    try:
        file = os.open(_STATISTICS, os.O_RDONLY)
    except OSError:
        yield float
        return
    try:
        yield lambda: int(os.pread(file, 100, 0).split()[1]) * _NANO
    finally:
        os.close(file)
