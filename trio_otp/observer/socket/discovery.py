"""Find the programs of this user that can be looked at, and pick one."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .client import Client, Refused, Unreachable
from .directory import known_directories
from .unix_socket import remove, sockets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from .unix_socket import Identity

PATIENCE: Final = 5.0  # seconds for a program to say hello; its loop may be stuck meanwhile
HOW: Final = """\
no program can be looked at; start one with
  trio-otp run shop.app:Shop --observe
or write in a program of your own
  await otp.observer.serve(nursery=nursery)"""


class NotChosen(Exception):
    """There is no program, or not one alone; each argument is a line that says so."""


class Program(NamedTuple):
    """A program that can be looked at.

    Args:
        path: its socket.
        owner: whose it is.
        hello: what it says of itself; without more than its `pid` if it does not answer.
        silent: None, or how it fails to answer.
        loop: None, or since when its loop is stuck, and where.
    """

    path: Path
    owner: int
    hello: dict[str, Any]
    silent: Exception | None = None
    loop: dict[str, Any] | None = None

    @property
    def pid(self) -> int:
        """Its number in the operating system."""
        number: int = self.hello["pid"]
        return number

    @property
    def name(self) -> str:
        """What it is called, as `shop.app:Shop`."""
        return str(self.hello.get("program", "?"))


def programs() -> list[Program]:
    """List the programs, by their pids; those that do not answer as well.

    Raises:
        NotChosen: this system has no sockets for them.
    """
    if not hasattr(socket, "AF_UNIX"):  # pragma: no cover - on Windows alone
        raise NotChosen("these commands need Unix sockets, which Python has not on this system")
    found = {
        identity: program
        for directory, owner in known_directories()
        for path, identity in sockets_in(directory)
        for program in _program_at(path, identity, owner)
    }
    return sorted(one_of_each_run(found.values()), key=lambda program: (program.pid, program.path))


def _program_at(path: Path, identity: Identity, owner: int) -> Iterator[Program]:
    """Yield the program behind a socket; remove a socket that none is behind."""
    try:
        with Client(path, owner, PATIENCE) as client:
            yield Program(path, owner, client.hello, loop=client.ask("loop").loop)
    except FileNotFoundError:
        pass  # it has just ended
    except ConnectionRefusedError:
        # Not for another user, whose directory may by now be a link to anywhere.
        if owner == os.geteuid():
            remove(path, identity)
    except (Unreachable, Refused, OSError) as exc:
        yield Program(path, owner, {"pid": _pid_in(path)}, exc)


def _pid_in(path: Path) -> int:
    number = path.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def choose(found: list[Program], *, pid: int | None = None, name: str | None = None) -> Program:
    """Return the one program that is meant.

    Args:
        found: all there are.
        pid: its number, if that is given.
        name: its name or a part of it, if that is given.

    Raises:
        NotChosen: there is none, or more than one.
    """
    if not found:
        raise NotChosen(*HOW.splitlines())
    fits = [program for program in found if pid in {None, program.pid}]
    if name is not None:
        fits = [p for p in fits if p.name == name] or [p for p in fits if name in p.name]
    if len(fits) == 1:
        return fits[0]
    what = "no program fits; there are" if not fits else "more than one program; pick with --pid"
    raise NotChosen(f"{what}:", *(f"  {p.pid}  {p.name}" for p in fits or found))


def one_of_each_run(found: Iterable[Program]) -> list[Program]:
    """Leave out further observers of a run, as of `--observe` and of one in the tree as well.

    One that allows actions is kept before one that does not.
    """
    runs: dict[object, Program] = {}
    for program in found:
        run = (program.pid, program.hello.get("trio_run", program.path))
        if run not in runs or program.hello.get("actions"):
            runs[run] = program
    return list(runs.values())
