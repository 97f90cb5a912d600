"""What the checkers make of bounds, and of casts that wait for room."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable


class Cache(otp.GenServer, mailbox=otp.BoundedMailbox(1000, on_full="wait"), skip_abandoned=True):
    """Has a cast and a call."""

    @otp.on_cast
    def put(self, key: str, value: bytes, *, ttl: float = 0.0) -> None:
        """Put it."""

    @otp.on_call(skip_abandoned=True)
    async def get(self, key: str) -> bytes:
        return key.encode()

    @otp.on_call_deferred(skip_abandoned=True)
    async def fetch(self, from_: otp.From[int], key: str) -> None:
        otp.reply(from_, len(key))


async def check_casts(cache: Cache, ref: otp.Pid[Cache]) -> None:
    """The one that waits takes the same arguments."""
    await cache.put.wait("k", b"v")
    await cache.put.wait("k", value=b"v", ttl=1.0)
    await Cache.put.wait(ref, "k", b"v")
    await otp.cast_wait(ref, "anything")
    put: Callable[[str, bytes], None] = cache.put
    put("k", b"v")
    assert_type(await cache.get("k"), bytes)
    assert_type(await cache.fetch("k"), int)


async def check_mistakes(cache: Cache) -> None:
    """A wrong argument, and a policy that there is not."""
    await cache.put.wait(5, b"v")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await cache.put.wait("k")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await Cache.put.wait("ref", "k", "v")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.BoundedMailbox(5, on_full="drop")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    otp.child(Cache).having(mailbox=5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def check_bounds() -> None:
    """They are options of children and blocks."""
    child = otp.child(Cache).having(mailbox=otp.BoundedMailbox(5), skip_abandoned=False)
    assert_type(child, otp.Child[Cache])
    otp.child(Cache).having(mailbox=None)
    otp.open_process(mailbox=otp.BoundedMailbox(5))


async def check_counts() -> None:
    """Sending to many returns how many took it."""
    rooms = otp.registry("rooms")
    assert_type(rooms.send("key", "x"), int)
    assert_type(otp.pg.send("scope", "group", "x"), int)
    assert_type(rooms.dispatch("key", len), "int | None")
