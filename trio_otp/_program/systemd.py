"""Report the state of the program to systemd, or whatever else has set `NOTIFY_SOCKET`.

`READY=1` when the applications have started, `RELOADING=1` while the configuration is read again,
`STOPPING=1` when they stop; and if there is a watchdog, `WATCHDOG=1` twice in each of its
intervals, from a task, so that it proves that the loop turns.

Follows: `sd_notify(3)`, `sd_watchdog_enabled(3)`.
"""

from __future__ import annotations

import os
import re
import socket
import time
from typing import TYPE_CHECKING, Final

import trio

from .._util.bounded import shown_text
from .logs import log

if TYPE_CHECKING:
    from collections.abc import Mapping

PATIENCE: Final = 0.2  # seconds to wait if there is no room for another message


class Notifier:
    """Sends states of the program, until it is closed; without `NOTIFY_SOCKET` it sends nothing.

    Its socket stays open: a program whose clients have taken all file descriptors still turns, and
    the watchdog has to hear so.

    Args:
        environment: the variables of the program.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = address_of(environment.get("NOTIFY_SOCKET", ""))
        self._socket: socket.socket | None = None  # from the first message on
        self.interval = watchdog_interval(environment, os.getpid())
        self._stopping = False
        self._unheard = False  # the last one reached nobody

    def ready(self) -> None:
        """Report that the program has started, or has reloaded its configuration."""
        if not self._stopping:
            self._send("READY=1")

    def reloading(self) -> None:
        """Report that it reloads its configuration."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Report that it stops."""
        if not self._stopping:
            self._stopping = True
            self._send("STOPPING=1")

    def failed(self, text: str) -> None:
        """Report why it ends, for `systemctl status`."""
        self._send(f"STATUS={shown_text(text.partition(chr(10))[0], 500)}")

    async def watch(self) -> None:
        """Report to the watchdog that the loop turns, until cancelled."""
        assert self.interval is not None, "there is a watchdog"
        while True:
            self._send("WATCHDOG=1", patience=0.0)
            await trio.sleep(self.interval / 2)

    def close(self) -> None:
        """Close its socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, state: str, *, patience: float = PATIENCE) -> None:
        """Send a state; if that fails it is logged, once in a row.

        It holds the event loop while it waits for room. What comes once in a while may do so for
        `patience` seconds; the watchdog's message, which is sent again soon, may not at all.
        """
        if self._address is None:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.settimeout(patience)
            self._socket.sendto(state.encode("utf-8", "replace"), self._address)
            self._unheard = False
        except OSError as exc:
            if not self._unheard:
                what = state.partition("\n")[0]
                log.warning("NOTIFY_SOCKET: nobody could be told %s: %s", what, exc)
            self._unheard = True


def address_of(name: str) -> str | None:
    r"""Return the address behind a `NOTIFY_SOCKET`; None if there is none that we can use.

    >>> address_of("/run/systemd/notify"), address_of("@abstract"), address_of("")
    ('/run/systemd/notify', '\x00abstract', None)
    """
    if not hasattr(socket, "AF_UNIX"):
        return None
    if name.startswith("@"):
        return f"\0{name[1:]}"
    return name if name.startswith("/") else None


def watchdog_interval(environment: Mapping[str, str], pid: int) -> float | None:
    """Return after how many seconds of silence the watchdog would act; None if there is none.

    >>> watchdog_interval({"WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "7"}, 7)
    3.0
    """
    microseconds = environment.get("WATCHDOG_USEC", "")
    other = environment.get("WATCHDOG_PID", str(pid)) != str(pid)
    if other or not re.fullmatch("[0-9]{1,20}", microseconds) or int(microseconds) == 0:
        return None
    return int(microseconds) / 1_000_000
