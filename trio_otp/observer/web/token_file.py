"""The token that opens the page: from a file, so that an address stays good, or a fresh one."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Final

from ..._util.bounded import bounded

LEAST: Final = 16  # characters of a token that a user has chosen
LONGEST: Final = 4096  # bytes of a file that holds one
_AT_ONCE: Final = getattr(os, "O_NONBLOCK", 0)  # to open a pipe without a wait for its writer


def token_of(file: str | os.PathLike[str] | None) -> str:
    """Return the token in a file, which is made with a fresh one if it is not there.

    Args:
        file: of this user and for nobody else, else it is refused: who has made it knows what is in
            it. None for a token that nobody keeps.

    Raises:
        ValueError: the file has no token, is no plain file, or others have to do with it.
        OSError: it cannot be read or made.
    """
    if file is None:
        return secrets.token_urlsafe(32)
    path = Path(file)
    with suppress(FileNotFoundError):
        return _read(path)
    return _make(path)


def _make(path: Path) -> str:
    """Make the file with all that is in it at once, as another program may look for it now."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as made:
            made.write(f"{secrets.token_urlsafe(32)}\n")
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    return _read(path)


def _read(path: Path) -> str:
    descriptor = os.open(path, os.O_RDONLY | _AT_ONCE)
    try:
        _check(path, os.fstat(descriptor))
        token = os.read(descriptor, LONGEST).decode(errors="replace").strip()
    finally:
        os.close(descriptor)
    if len(token) < LEAST or not token.isprintable() or " " in token or "\ufffd" in token:
        accepted = f"expected a token of at least {LEAST} printable characters in it"
        raise ValueError(f"token_file={bounded(path)}: {accepted}")
    return token


def _check(path: Path, found: os.stat_result) -> None:
    """Refuse what is no file of this user alone."""
    if not stat.S_ISREG(found.st_mode):
        raise ValueError(f"token_file={bounded(path)}: expected a plain file")
    if os.name != "posix":  # pragma: no cover - on Windows alone
        return
    if found.st_uid != (uid := os.geteuid()):
        raise ValueError(
            f"token_file={bounded(path)}: expected a file of user {uid}, got one of {found.st_uid}"
        )
    if found.st_mode & 0o077:
        raise ValueError(f"token_file={bounded(path)}: others may read it; write chmod 600")
