"""One process of the operating system: started in a group of its own, ended with all of the group.

The group is why Ctrl-C of a terminal reaches our program only, which then stops the process in its
turn, and why what the process has started itself ends with it, also if we are killed: see
`os_group`. Where there are no process groups, on Windows, the process is ended alone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._util.bounded import bounded
from .._util.checks import check_choice
from .._util.public import public
from .os_group import GROUPS, LEADS, OsGroup, send_to_group

if TYPE_CHECKING:
    from collections.abc import Sequence

Stdout: TypeAlias = Literal["log", "send", "inherit", "discard"]
Stderr: TypeAlias = Literal["log", "send", "inherit", "discard", "stdout"]


@public
@dataclass(frozen=True, slots=True)
class ExitStatus:
    """How a process of the operating system ended, if not with status 0: an exit reason.

    Args:
        returncode: its exit status; -n if signal number n ended it.
        output: the last lines it had written, stdout and stderr together.
    """

    returncode: int
    output: tuple[str, ...] = ()

    @property
    def signal(self) -> signal.Signals | int | None:
        """The signal that ended it; None if it exited by itself."""
        if self.returncode >= 0:
            return None
        try:
            return signal.Signals(-self.returncode)
        except ValueError:  # a real-time signal, which has no name
            return -self.returncode


@dataclass(frozen=True, slots=True)
class ProgramCommand:
    """What is to be run, and where."""

    argv: tuple[str, ...]
    stdout: Stdout
    stderr: Stderr
    cwd: str | None
    env: dict[str, str] | None

    @enable_ki_protection
    async def start(self) -> OsProcess:
        """Start it; an error names the argument that is wrong."""
        if not LEADS:  # pragma: no cover - not on Linux
            return OsProcess(await self._start(_subprocess().PIPE, 0), None)
        theirs, ours = os.pipe()
        stdin = trio.lowlevel.FdStream(ours)
        try:
            group = await OsGroup.open(theirs)
            try:
                process = OsProcess(await self._start(theirs, group.number), group, stdin)
            except BaseException:
                await group.close()
                raise
        except BaseException:
            await trio.aclose_forcefully(stdin)
            raise
        finally:
            os.close(theirs)
        try:
            await group.guard(process.pid)
        except BaseException:
            await process.finish()
            raise
        return process

    async def _start(self, stdin: int, group: int) -> trio.Process:
        options: dict[str, Any] = {"cwd": self.cwd, "env": self.env}
        if GROUPS:
            options["process_group"] = group
        try:
            return await trio.lowlevel.open_process(
                self.argv,
                stdin=stdin,
                stdout=_target(self.stdout),
                stderr=_target(self.stderr),
                **options,
            )
        except OSError as exc:
            raise self._explained(exc) from None

    def _explained(self, exc: OSError) -> OSError:
        if self.cwd is not None and exc.filename == self.cwd:
            what = f"cwd={bounded(self.cwd)}"
        else:
            what = f"command[0]={bounded(self.argv[0])}"
        return type(exc)(exc.errno, f"{what}: {exc.strerror}")


def check_command(
    command: Sequence[str | os.PathLike[str]],
    stdout: Stdout,
    stderr: Stderr,
    cwd: str | os.PathLike[str] | None,
    env: Mapping[str, str] | None,
) -> ProgramCommand:
    """Return what is to be run; refuse what cannot be, naming the argument.

    Raises:
        TypeError: `command` is not a list of strings, or the environment is not a mapping of them.
        ValueError: there is no command, or a word for an output is unknown.
    """
    argv = _argv(command)
    check_choice("stdout", stdout, get_args(Stdout))
    check_choice("stderr", stderr, get_args(Stderr))
    _check_env(env)
    where = None if cwd is None else os.fspath(cwd)
    return ProgramCommand(argv, stdout, stderr, where, None if env is None else dict(env))


def _check_env(env: Mapping[str, str] | None) -> None:
    if env is None:
        return
    mapping = isinstance(env, Mapping)
    if not mapping or not all(isinstance(text, str) for item in env.items() for text in item):
        raise TypeError(f"env={bounded(env)}: expected a mapping of str to str, or None")


def _argv(command: object) -> tuple[str, ...]:
    if isinstance(command, str):
        raise TypeError(f"command={bounded(command)}: write a list: {bounded(command.split())}")
    words: Any = command if issubclass(type(command), list | tuple) else [None]
    if not all(isinstance(word, str | os.PathLike) for word in words):
        raise TypeError(f"command={bounded(command)}: expected a list of str or paths")
    if not words:
        raise ValueError("command=[]: expected a program and its arguments")
    return tuple(map(os.fspath, words))


def _subprocess() -> Any:
    import subprocess  # noqa: PLC0415 - few programs need it

    return subprocess


def _target(word: str) -> int | None:
    """Return the constant of `subprocess` that a word for an output means."""
    if word == "inherit":
        return None
    constants = {"discard": "DEVNULL", "stdout": "STDOUT"}
    number: int = getattr(_subprocess(), constants.get(word, "PIPE"))
    return number


class OsProcess:
    """A process that has been started. Every way out of its owner goes through `finish`."""

    __slots__ = ("_group", "_held", "_process", "returncode", "stdin")

    def __init__(
        self,
        process: trio.Process,
        group: OsGroup | None,
        stdin: trio.abc.SendStream | None = None,
    ) -> None:
        self._process = process
        stdin = stdin or process.stdin
        assert stdin is not None
        self.stdin: trio.abc.SendStream = stdin  # where to write what it reads
        self._group = group
        self._held = True  # its number is its own: nobody has waited for it
        self.returncode: int | None = None

    @property
    def pid(self) -> int:
        """Its number in the operating system."""
        return self._process.pid

    @property
    def outputs(self) -> dict[str, trio.abc.ReceiveStream]:
        """What it writes and we read, by name."""
        both = {"stdout": self._process.stdout, "stderr": self._process.stderr}
        return {name: stream for name, stream in both.items() if stream is not None}

    @enable_ki_protection
    async def wait(self) -> int:
        """Wait for its end, then kill what is left of its group, and give its status."""
        if self.returncode is None:  # pragma: no branch - it is waited for once
            await self._wait_ended()
            self._signal_group("SIGKILL")
            self.returncode = await self._process.wait()
        return self.returncode

    async def _wait_ended(self) -> None:
        """Wait until it is a zombie: until then its number belongs to nobody else."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # there are none here, or no more of them
            await self._process.wait()
            self._held = False
            return
        try:
            await trio.lowlevel.wait_readable(descriptor)
        finally:
            trio.lowlevel.notify_closing(descriptor)
            os.close(descriptor)

    def ask_to_end(self) -> None:
        """Send SIGTERM to it and to what it has started."""
        if self.returncode is None:
            self._signal_group("SIGTERM")

    @enable_ki_protection
    async def finish(self) -> None:
        """Kill what is left and wait until it is gone, whatever happens meanwhile."""
        with trio.CancelScope(shield=True):
            if self.returncode is None:
                self._signal_group("SIGKILL")
                await self.wait()
            if self._group is not None:  # pragma: no branch - not on Linux
                await self._group.close()
            for stream in (self.stdin, *self.outputs.values()):
                await trio.aclose_forcefully(stream)

    def _signal_group(self, name: str) -> None:
        if self._group is not None:
            self._group.signal(self.pid if self._held else None, name)
        elif GROUPS:  # pragma: no cover - not on Linux, where a leader has the group
            send_to_group(self.pid, signal.Signals[name])
        else:  # pragma: no cover - Windows has no groups
            self._process.terminate()
