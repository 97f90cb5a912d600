"""The token that opens the page: from a file, so that an address stays good, or a fresh one."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from .._util.bounded import bounded

LEAST: Final = 16  # characters of a token that a user has chosen


def token_of(file: str | os.PathLike[str] | None) -> str:
    """Return the token in a file, which is made with a fresh one if it is not there.

    Args:
        file: readable for its owner alone, else it is refused; None for a token that nobody keeps.

    Raises:
        ValueError: the file has no token, or others may read it.
        OSError: it cannot be read or made.
    """
    if file is None:
        return secrets.token_urlsafe(32)
    path = Path(file)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    token = secrets.token_urlsafe(32)
    with os.fdopen(descriptor, "w", encoding="ascii") as made:
        made.write(f"{token}\n")
    return token


def _read(path: Path) -> str:
    with path.open(encoding="utf-8") as stream:
        if os.name == "posix" and os.fstat(stream.fileno()).st_mode & 0o077:
            raise ValueError(f"token_file={bounded(path)}: others may read it; write chmod 600")
        token = stream.read().strip()
    if len(token) < LEAST or not token.isprintable() or " " in token:
        accepted = f"expected a token of at least {LEAST} printable characters in it"
        raise ValueError(f"token_file={bounded(path)}: {accepted}")
    return token
