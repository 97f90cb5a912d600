"""Network namespaces of Linux, as root: machines on a switch, whose cables are pulled."""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET
_numbers = itertools.count()


def can_split() -> bool:
    """Check whether networks can be made here."""
    name = f"otp{os.getpid()}try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if made.returncode == 0:
        _ip("netns", "del", name)
    return made.returncode == 0


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Network:
    """Some machines on one switch.

    Args:
        count: how many machines there are.
    """

    def __init__(self, count: int) -> None:
        base = f"o{os.getpid() % 100_000}n{next(_numbers)}"
        self.switch = f"{base}s"
        self.machines = [f"{base}m{number}" for number in range(count)]
        self.hosts = [f"10.99.0.{number + 1}" for number in range(count)]
        for name in (self.switch, *self.machines):
            _ip("netns", "add", name)
        _ip("-n", self.switch, "link", "add", "br0", "type", "bridge")
        _ip("-n", self.switch, "link", "set", "br0", "up")
        for number, (machine, host) in enumerate(zip(self.machines, self.hosts, strict=True)):
            port = f"p{number}"
            pair = ["type", "veth", "peer", "name", port, "netns", self.switch]
            _ip("-n", machine, "link", "add", "eth0", *pair)
            _ip("-n", self.switch, "link", "set", port, "master", "br0", "up")
            _ip("-n", machine, "address", "add", f"{host}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", machine, "link", "set", device, "up")

    def pull(self, number: int) -> None:
        """Cut a machine off; nobody gets a packet of that."""
        _ip("-n", self.switch, "link", "set", f"p{number}", "down")

    def plug(self, number: int) -> None:
        """Connect it again."""
        _ip("-n", self.switch, "link", "set", f"p{number}", "up")

    def prefix(self, number: int) -> tuple[str, ...]:
        """Return what runs a command on a machine."""
        return ("ip", "netns", "exec", self.machines[number])

    @contextmanager
    def on(self, number: int) -> Iterator[None]:
        """Let sockets that this thread opens be those of a machine."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(str(Path("/var/run/netns", self.machines[number])), os.O_RDONLY)
        try:
            _enter(there)
            try:
                yield
            finally:
                _enter(before)
        finally:
            os.close(there)
            os.close(before)

    def close(self) -> None:
        for name in (*self.machines, self.switch):
            _ip("netns", "del", name)


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
