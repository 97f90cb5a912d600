"""The way to the keyspaces: the worker of each is found by its name, and started if there is none.

    await execute(3, [Get(b"k")])

Whatever ends meanwhile, the caller gets a `TryAgain`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio_otp as otp

from .glob import compile_pattern
from .worker import CacheWorker, TryAgain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .commands import KeyCommand
    from .keyspace import Facts

KEYSPACES: Final = otp.registry("Keyspaces")
WORKERS: Final = "WorkerSupervisor"
PAGE: Final = 1000  # keys that KEYS looks at before others have their turn
# The reply to a write that may or may not be stored.
UNKNOWN: Final = "TRYAGAIN no answer from the worker; a write may be stored or not"


async def execute(number: int, batch: Sequence[KeyCommand]) -> list[bytes]:
    """Carry out commands on a keyspace; its worker is started if there is none.

    Args:
        number: the keyspace.
        batch: carried out in this order, as `CacheWorker.execute` says.

    Raises:
        TryAgain: the worker, the Repo, or something else that is needed ended or is starting.
    """
    name = KEYSPACES.via(number)
    try:
        try:
            return await CacheWorker.execute(name, batch)
        except otp.NoProcess:  # so nothing has been sent
            return await CacheWorker.execute(await _start(number), batch)
    except otp.OtpError as exc:
        raise _as_reply(exc) from exc


async def export_to(number: int, root: Path, path: str) -> bytes:
    """Export a keyspace; as `execute`, and as `CacheWorker.export` says."""
    try:
        return await CacheWorker.export(await _start(number), root, path)
    except otp.OtpError as exc:
        raise _as_reply(exc) from exc


async def scan(number: int, cursor: int, count: int, pattern: bytes) -> tuple[int, list[bytes]]:
    """List some keys of a keyspace; as `execute`, and as `CacheWorker.scan` says.

    Raises:
        CommandError: the pattern is too long.
    """
    fits = compile_pattern(pattern)
    try:
        return await CacheWorker.scan(await _start(number), cursor, count, fits)
    except otp.OtpError as exc:
        raise _as_reply(exc) from exc


async def keys(number: int, pattern: bytes) -> list[bytes]:
    """List all keys of a keyspace that fit a pattern; as `scan`.

    It takes them page by page, so that others have their turn: a key that comes or goes meanwhile
    may be in the list or not.
    """
    cursor, found = await scan(number, 0, PAGE, pattern)
    while cursor:
        cursor, more = await scan(number, cursor, PAGE, pattern)
        found += more
    return found


async def facts_of(number: int) -> Facts | None:
    """Return what INFO shows of a keyspace; None if no worker of it answers."""
    with suppress(otp.OtpError):
        return await CacheWorker.facts(KEYSPACES.via(number))
    return None


async def _start(number: int) -> otp.Pid[CacheWorker]:
    name = KEYSPACES.via(number)
    return await otp.ensure_child(WORKERS, otp.child(CacheWorker, number).having(name=name))


def _as_reply(fault: otp.OtpError) -> TryAgain:
    match fault:
        case otp.ServerExited() | otp.CallTimeout():
            return TryAgain(UNKNOWN)
        case _:
            return TryAgain("TRYAGAIN the keyspace is being started; nothing was stored")
