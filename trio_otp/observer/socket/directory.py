"""The directory that holds the sockets of a user's programs, and nobody else's.

`$XDG_RUNTIME_DIR/trio-otp`, else `trio-otp-UID` in the temporary directory, where others may have
made what has that name before. So a directory counts only if `lstat` says that it is one, that it
belongs to the user, and that nobody else may enter it; a link never does, and nothing is repaired.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME: Final = "trio-otp"
PRIVATE: Final = 0o700
OF_OTHERS: Final = 0o077
RUNTIME_DIRECTORIES: Final = Path("/run/user")  # where systemd makes those of all users


class UnsafeDirectory(OSError):
    """A directory is none, or others have to do with it; the text says how."""


def own_directory() -> Path:
    """Return the directory for sockets of this user; make it if it is not there.

    Raises:
        UnsafeDirectory: what is there is not ours alone.
        OSError: it cannot be made.
    """
    uid = os.geteuid()
    runtime_directory = _runtime_directory(uid)
    place = _in_temporary(uid) if runtime_directory is None else runtime_directory / NAME
    place.mkdir(mode=PRIVATE, exist_ok=True)
    check_private(place, uid)
    return place


def known_directories() -> Iterator[tuple[Path, int]]:
    """Yield `(directory, owner)` for all that may hold sockets for this user; root sees everyone's.

    A program may have been started with other variables than the one that looks for it, so all
    places of a user are looked at.
    """
    uid = os.geteuid()
    places = dict.fromkeys(_places_of(uid), uid)
    if uid == 0:
        places |= _places_of_others()
    for place, owner in places.items():
        try:
            check_private(place, owner)
        except OSError:
            continue
        yield place, owner


def check_private(place: Path, uid: int) -> None:
    """Refuse a directory that is not one, is another's, or that others may enter.

    Raises:
        UnsafeDirectory: the text says which.
        OSError: it cannot be looked at.
    """
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(f"{place}: expected a directory, not a link or a file")
    if found.st_uid != uid:
        raise UnsafeDirectory(f"{place}: expected owner {uid}, got {found.st_uid}")
    if found.st_mode & OF_OTHERS or found.st_mode & PRIVATE != PRIVATE:
        mode = stat.S_IMODE(found.st_mode)
        raise UnsafeDirectory(f"{place}: expected mode 0700, got {mode:04o}")


def _runtime_directory(uid: int) -> Path | None:
    """Return `$XDG_RUNTIME_DIR`; None if it is another user's, as after `su` and `sudo`."""
    place = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if not place.is_absolute():
        return None
    try:
        check_private(place, uid)
    except OSError:
        return None
    return place


def _in_temporary(uid: int) -> Path:
    return Path(tempfile.gettempdir(), f"{NAME}-{uid}")


def _places_of(uid: int) -> list[Path]:
    runtime_directory = _runtime_directory(uid)
    own = [] if runtime_directory is None else [runtime_directory / NAME]
    return [*own, RUNTIME_DIRECTORIES / str(uid) / NAME, _in_temporary(uid)]


def _places_of_others() -> dict[Path, int]:
    """List those of all users; who may be the owner is in their names."""
    found: dict[Path, int] = {}
    for place in RUNTIME_DIRECTORIES.glob("*"):
        if place.name.isdecimal():
            found[place / NAME] = int(place.name)
    for place in Path(tempfile.gettempdir()).glob(f"{NAME}-*"):
        if (uid := place.name.removeprefix(f"{NAME}-")).isdecimal():
            found[place] = int(uid)
    return found
