"""SCAN and KEYS: every key that stays is listed, whatever is added or removed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from worker_kit import NAME, kill, until

import trio_otp as otp
from examples.cache_service.client import ReplyError
from examples.cache_service.commands import Delete, Set
from examples.cache_service.key_order import MOST, PLACES, KeyOrder
from examples.cache_service.keyspace import Keyspace
from examples.cache_service.keyspaces import PAGE

if TYPE_CHECKING:
    from conftest import Service

    from examples.cache_service.client import Client


async def scanned(redis: Client, *options: str | int) -> tuple[list[bytes], int]:
    """Scan from start to end; return the keys, and the number of replies."""
    cursor, found, pages = b"0", list[bytes](), 0
    while True:
        reply: Any = await redis.ask("SCAN", cursor, *options)
        cursor, keys = reply
        found += keys
        pages += 1
        if cursor == b"0":
            return found, pages


keys_ = st.sets(st.binary(min_size=1, max_size=3), max_size=60)


@given(stay=keys_, come=keys_, go=keys_, count=st.integers(1, 20))
def test_what_stays_is_listed_once(
    stay: set[bytes], come: set[bytes], go: set[bytes], count: int
) -> None:
    """Whatever is added and removed between two pages, no key that stays is missed or repeated."""
    come, go = come - stay, go - stay
    order = KeyOrder(stay | go)
    cursor, listed = order.page(0, count)
    while cursor:
        for key in list(come)[:3]:
            order.add(key)
            come.discard(key)
        for key in list(go)[:3]:
            order.discard(key)
            order.discard(key)
            go.discard(key)
        cursor, more = order.page(cursor, count)
        listed += more

    assert sorted(stay) == sorted(key for key in listed if key in stay)
    assert len(set(listed)) == len(listed)


def test_pages_are_about_as_large_as_asked_for() -> None:
    """A page ends with the place that reaches the count; a hole is no page of its own."""
    order = KeyOrder(b"%d" % n for n in range(3 * PLACES))
    cursor, keys = order.page(0, 10)
    assert 10 <= len(keys) < 10 + 20
    assert (0, []) == order.page(PLACES, 10)
    cursor, keys = order.page(0, 10**9)
    assert MOST <= len(keys) < MOST + 20
    cursor, keys = KeyOrder([b"only"]).page(0, 10)
    assert (0, [b"only"]) == (cursor, keys)


def test_only_what_is_confirmed_and_alive_is_listed() -> None:
    """A key is listed from its commit to its end, during an export too."""
    now = 0.0
    space = Keyspace(0, {}, lambda: now)
    space.write([Set(b"a", b""), Set(b"b", b"")])
    assert (0, []) == space.scan(0, 10)
    space.depart()
    space.settle()
    space.freeze()
    space.write([Delete((b"a",)), Set(b"c", b"")])
    space.depart()
    assert [b"a", b"b"] == sorted(space.scan(0, 10)[1])
    space.settle()
    assert [b"b", b"c"] == sorted(space.scan(0, 10)[1])
    space.thaw()
    assert [b"b", b"c"] == sorted(space.scan(0, 10)[1])


def test_what_was_removed_takes_no_page() -> None:
    """A keyspace that has shrunk is listed as if it had never been large."""
    space = Keyspace(0, {}, lambda: 0.0)
    space.write([Set(b"%d" % n, b"") for n in range(3000)])
    space.depart()
    space.settle()
    assert space.scan(0, 10)[0] > 0
    space.write([Delete((b"%d" % n,)) for n in range(2999)])
    space.depart()
    space.settle()

    assert (0, [b"2999"]) == space.scan(0, 10)


async def test_scan_lists_all_keys(redis: Client) -> None:
    """Page by page, with patterns and counts; a cursor is good after the worker has been killed."""
    names = [b"%s:%d" % (kind, n) for kind in (b"user", b"page") for n in range(500)]
    await redis.ask_all([("SET", name, 1) for name in names])

    found, pages = await scanned(redis)
    assert sorted(names) == sorted(found)
    assert 20 < pages <= 100
    found, pages = await scanned(redis, "MATCH", "user:*9", "COUNT", 300)
    assert sorted(name for name in names if name.startswith(b"user") and name.endswith(b"9")) == (
        sorted(found)
    )
    assert pages == 4
    assert [] == (await scanned(redis, "TYPE", "list", "COUNT", 1000))[0]

    reply: Any = await redis.ask("SCAN", 0, "COUNT", 400)
    cursor, first = reply
    await kill(NAME)
    await until(lambda: otp.whereis(NAME) is not None)
    reply = await redis.ask("SCAN", cursor, "COUNT", 1000)
    assert [b"0", sorted(names)] == [reply[0], sorted(first + reply[1])]


async def test_keys_lists_what_fits(redis: Client) -> None:
    """KEYS sees the writes that the client sent before it, keyspace by keyspace."""
    sets = [("SET", f"k{n}", n) for n in range(PAGE * 2)]
    replies = await redis.ask_all(
        [*sets, ("KEYS", "k*7"), ("DEL", "k7"), ("KEYS", "k7"), ("SELECT", 1), ("KEYS", "*")]
    )

    listed: Any = replies[len(sets)]
    assert sorted(b"k%d" % n for n in range(7, PAGE * 2, 10)) == sorted(listed)
    assert [1, [], "OK", []] == replies[len(sets) + 1 :]
    with pytest.raises(ReplyError, match="ERR the pattern is longer"):
        await redis.ask("KEYS", "x" * 2000)
    with pytest.raises(ReplyError, match="ERR the pattern is longer"):
        await redis.ask("SCAN", 0, "MATCH", "x" * 2000)


@pytest.mark.parametrize("count", [10_000, pytest.param(30_000, marks=pytest.mark.slow)])
async def test_keys_of_many_entries_lets_others_have_their_turn(
    count: int, service: Service, redis: Client
) -> None:
    """While all of a large keyspace is listed, another client is answered in between."""
    for start in range(0, count, 1000):
        await redis.ask_all([("SET", f"k{n}", n) for n in range(start, start + 1000)])
    order = list[str]()

    async def list_all() -> None:
        keys: Any = await redis.ask("KEYS", "*")
        assert count == len(keys)
        order.append("keys")

    async with await service.connect() as other, trio.open_nursery() as nursery:
        nursery.start_soon(list_all)
        while "keys" not in order:
            await other.ask("PING")
            order.append("ping")

    assert order.index("keys") >= 3
