"""A process group for a program, led by a small process that kills all of it if we are killed.

Nothing of ours runs after a SIGKILL, so somebody else has to end our programs then. Each program is
started into a group whose leader is there before it: a shell that reads from a pipe until nobody
has its other end open, which only we have, and then kills its own group.

Rules this file keeps:

* The group is there first. If we are killed while a program is being started, either it has joined
  the group and ends with it, or there is no group to join any more, and it never runs.
* Nobody else gets the end of the pipe: no program inherits it, and a fork of us gives it up.
* The leader ignores what a terminal or `kill 0` sends, so it is there when it is needed. It holds
  neither our output nor our directory.
* Its number stays taken until it has been waited for, so a signal never reaches a stranger's group.

Where there are no process groups, on Windows, or no shell, there is no leader either.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import Any, Final

import trio
from trio.lowlevel import enable_ki_protection

SHELL: Final = "/bin/sh"
GROUPS: Final = hasattr(os, "killpg")
LEADS: Final = GROUPS and os.path.exists(SHELL)  # noqa: PTH110 - pathlib is slow to import
# A program may leave the group, as `timeout` does at once; so the leader is told its number, too.
# If we are killed before that, it looks who has the pipe as its input; twice, as a program that is
# being started may not be there yet. Where there is no /proc, such a program is out of reach.
SCRIPT: Final = """
end() { kill -s KILL -- "-$1"; kill -s KILL "$1"; }
trap '' HUP INT QUIT TERM USR1 USR2 ALRM PIPE TSTP TTIN TTOU
echo
while read -r line; do pid=$line; done
if [ "$pid" ]; then
    end "$pid"
else
    for _ in 1 2; do
        ls -l /proc/[0-9]*/fd/0 | while read -r line; do
            case $line in *"/fd/0 -> pipe:[$1]") line=${line##*/proc/}; end "${line%%/*}";; esac
        done
        sleep 0.2
    done
fi
kill -s KILL 0
"""
_lifelines: set[int] = set()  # the ends of pipes that leaders wait for


class OsGroup:
    """A group of processes of the operating system that does not outlive us."""

    __slots__ = ("_leader", "_lifeline")

    def __init__(self, leader: trio.Process, lifeline: int) -> None:
        self._leader = leader
        self._lifeline = lifeline

    @property
    def number(self) -> int:
        """Its number in the operating system."""
        return self._leader.pid

    @classmethod
    @enable_ki_protection
    async def open(cls, pipe: int) -> OsGroup:
        """Start the leader of a group; its program may be started at once.

        Args:
            pipe: what the program is going to read.
        """
        import subprocess  # noqa: PLC0415 - few programs need it

        ours, theirs = _pipe()
        try:
            leader = await trio.lowlevel.open_process(
                [SHELL, "-c", SCRIPT, "trio_otp", str(os.fstat(pipe).st_ino)],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                process_group=0,
            )
        except BaseException:
            _close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(leader, ours)

    @enable_ki_protection
    async def guard(self, pid: int) -> None:
        """Send the leader its program, and wait until it ignores the signals that the program gets.

        Args:
            pid: the number of the program.
        """
        with suppress(BrokenPipeError):  # somebody has killed the leader
            os.write(self._lifeline, b"%d\n" % pid)
        assert self._leader.stdout is not None
        await self._leader.stdout.receive_some(1)
        await trio.aclose_forcefully(self._leader.stdout)

    def signal(self, pid: int | None, name: str) -> None:
        """Send a signal to all of the group, and to a program that has left it.

        Args:
            pid: the number of the program; None if it has been waited for, so that it may be that
                of a stranger.
            name: the name of the signal.
        """
        number = signal.Signals[name]
        send_to_group(self.number, number)
        if pid is not None and _leads_a_group(pid):
            send_to_group(pid, number)

    @enable_ki_protection
    async def close(self) -> None:
        """Kill what is left of it, and wait for the end of the leader."""
        with trio.CancelScope(shield=True):
            send_to_group(self.number, signal.Signals["SIGKILL"])
            await self._leader.wait()
            if self._lifeline in _lifelines:  # pragma: no branch - a fork has closed it
                _close(self._lifeline)
            assert self._leader.stdout is not None
            await trio.aclose_forcefully(self._leader.stdout)


def send_to_group(group: int, number: int) -> None:
    """Send a signal to a group, of which nobody may be left."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: zombies only
        os.killpg(group, number)


def _leads_a_group(pid: int) -> bool:
    """Check whether a program has left the group it was started into for one of its own."""
    try:
        return os.getpgid(pid) == pid
    except (ProcessLookupError, PermissionError):  # pragma: no cover - macOS: a zombie
        return False


def _pipe() -> tuple[int, int]:
    """Open a pipe; give the end for us and that for the leader. No program inherits either."""
    theirs, ours = os.pipe()
    _lifelines.add(ours)
    return ours, theirs


def _close(lifeline: int) -> None:
    _lifelines.discard(lifeline)
    os.close(lifeline)


def _give_up() -> None:  # pragma: no cover - in a fork, which writes no data about coverage
    """Drop everything in a fork of us: what is still running belongs to the other."""
    for lifeline in _lifelines:
        with suppress(OSError):
            os.close(lifeline)
    _lifelines.clear()


if GROUPS:
    register: Any = os.register_at_fork
    register(after_in_child=_give_up)
