"""What a peer is told when it starts: one line of JSON on its stdin, which nobody else can read."""

from __future__ import annotations

import importlib
import json
import os
import sys
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from .._util.async_functions import gives_awaitable
from .._util.bounded import bounded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_importing: list[str] = []  # the module of this peer, while it is imported
# A peer has our import path from its first import on, and not the directory that it runs in before
# all others, where anybody may have put a module.
_START = """
import json, sys
line = sys.stdin.buffer.readline()
sys.path[:] = json.loads(line)["path"]
from trio_otp.cluster.peer_program import run
run(line)
"""
COMMAND = (sys.executable, "-P", "-c", _START)
GATE = "trio_otp.peer"  # the name of the server that says whether a peer has started


@dataclass(frozen=True)
class Boot:
    """What a peer is told.

    Args:
        main: the function that it runs, as `module:function`.
        node: its name.
        parent: the name of the node that it belongs to.
        cookie: that of all of them, its bytes as characters of Latin-1.
        directory: that of the neighbours.
        tick: seconds between two signs of life.
        max_frame: bytes of a frame.
        path: where its modules are looked for.
    """

    main: str
    node: str
    parent: str
    cookie: str = field(repr=False)
    directory: str
    tick: float
    max_frame: int
    path: list[str]

    def to_line(self) -> bytes:
        """Return the line that says it."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Boot:
        """Read the line."""
        return cls(**json.loads(line))


def split_main(main: object) -> tuple[str, str]:
    """Return the module and the function of `module:function`.

    Raises:
        ValueError: it is not of that form.
    """
    module, colon, path = main.partition(":") if isinstance(main, str) else ("", "", "")
    words = [*module.split("."), *path.split(".")]
    if not colon or not all(word.isidentifier() for word in words):
        expected = 'expected "module:function", for example "my.module:main"'
        raise ValueError(f"main={bounded(main)}: {expected}")
    if module == "__main__":  # which there is the program of the peer
        raise ValueError(f"main={bounded(main)}: write the name of the file in place of __main__")
    return module, path


def find_main(main: str) -> Callable[..., Awaitable[object]]:
    """Import the function that a peer runs.

    Raises:
        LookupError: there is no such module or function, or that is not async.
    """
    module, path = split_main(main)
    found: Any = _import(module)
    for name in path.split("."):
        if not hasattr(found, name):
            raise LookupError(f"main={bounded(main)}: {bounded(found)} has no {name!r}")
        found = getattr(found, name)
    if not gives_awaitable(found):
        raise LookupError(f"main={bounded(main)}: expected an async function, got {bounded(found)}")
    return found  # type: ignore[no-any-return]  # it has just been looked at


def imported_by_peer() -> str | None:
    """Return the module that this program, a peer, imports at this moment."""
    return _importing[-1] if _importing else None


def _import(name: str) -> object:
    _importing.append(name)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not (name == exc.name or name.startswith(f"{exc.name}.")):
            raise  # a module that this one needs
        raise LookupError(f"there is no module {exc.name!r} on the import path") from None
    finally:
        _importing.remove(name)


def own_path() -> list[str]:
    """Return where our modules are looked for, as another program has to write it."""
    return [os.path.abspath(path) for path in sys.path]  # noqa: PTH100 - pathlib is slow to import
