"""A keyspace in memory against a dict, whatever the store answers and however time passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from depth import few
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from examples.cache_service.commands import (
    DbSize,
    Delete,
    Exists,
    Expire,
    Get,
    Increment,
    KeyCommand,
    Lifetime,
    Set,
    Ttl,
    reads_only,
)
from examples.cache_service.keyspace import REPLY_LIMIT, SWEEP_LIMIT, Keyspace
from examples.cache_service.store import Delete as Remove
from examples.cache_service.store import Entry, Put

if TYPE_CHECKING:
    from collections.abc import Mapping

NIL = b"$-1\r\n"
OK = b"+OK\r\n"
NOT_AN_INTEGER = b"-ERR value is not an integer or out of range\r\n"


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def number(value: int | bool) -> bytes:
    return b":%d\r\n" % value


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


@dataclass
class Model:
    """What a keyspace is: a dict of values and ends, in which commands are carried out at once."""

    clock: Clock
    values: dict[bytes, bytes] = field(default_factory=dict)
    ends: dict[bytes, float] = field(default_factory=dict)

    def copy(self) -> Model:
        return Model(self.clock, dict(self.values), dict(self.ends))

    def live(self) -> dict[bytes, Entry]:
        self.expire()
        return {key: Entry(value, self.ends.get(key)) for key, value in self.values.items()}

    def expire(self) -> None:
        for key in [key for key, end in self.ends.items() if end <= self.clock.now]:
            self.drop(key)

    def drop(self, key: bytes) -> None:
        self.values.pop(key, None)
        self.ends.pop(key, None)

    def set_end(self, key: bytes, lifetime: Lifetime | None) -> None:
        self.ends.pop(key, None)
        if lifetime is not None:
            start = 0.0 if lifetime.absolute else self.clock.now
            self.ends[key] = start + lifetime.seconds
        self.expire()

    def reply(self, command: KeyCommand) -> bytes:
        self.expire()
        match command:
            case Get(key):
                return bulk(self.values[key]) if key in self.values else NIL
            case Exists(keys):
                return number(sum(key in self.values for key in keys))
            case Ttl(key, unit):
                if key not in self.values:
                    return number(-2)
                end = self.ends.get(key)
                return number(-1 if end is None else int((end - self.clock.now) * unit + 0.5))
            case _:
                return self.change(command)

    def change(self, command: KeyCommand) -> bytes:
        match command:
            case Set(key, value, lifetime, condition):
                if condition is not None and (key in self.values) != (condition == "XX"):
                    return NIL
                self.values[key] = value
                self.set_end(key, lifetime)
                return OK
            case Delete(keys):
                found = {key for key in keys if key in self.values}
                for key in found:
                    self.drop(key)
                return number(len(found))
            case Expire(key, lifetime):
                if key not in self.values or (lifetime is None and key not in self.ends):
                    return number(0)
                self.set_end(key, lifetime)
                return number(1)
            case Increment(key):
                value = self.values.get(key, b"0")
                if not value.isdigit():
                    return NOT_AN_INTEGER
                self.values[key] = b"%d" % (int(value) + 1)
                return number(int(value) + 1)
            case _:
                raise AssertionError(command)


keys = st.sampled_from([b"a", b"b", b"c"])
some_keys = st.lists(keys, min_size=1, max_size=3).map(tuple)
values = st.sampled_from([b"", b"5", b"word"])
lifetimes = st.builds(Lifetime, st.integers(1, 40).map(lambda n: n / 4)) | st.builds(
    Lifetime, st.integers(3900, 4100).map(lambda n: n / 4), st.just(True)
)
reads = (
    st.builds(Get, keys)
    | st.builds(Exists, some_keys)
    | st.builds(Ttl, keys, st.sampled_from([1, 1000]))
)
writes = (
    st.builds(Set, keys, values, st.none() | lifetimes, st.sampled_from([None, "NX", "XX"]))
    | st.builds(Delete, some_keys)
    | st.builds(Expire, keys, st.none() | lifetimes | st.just(Lifetime(-1.0)))
    | st.builds(Increment, keys)
)


class AgainstModel(RuleBasedStateMachine):
    """Three models: all writes, those on their way to the store, those it has confirmed."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.space = Keyspace(3, {}, self.clock)
        self.newest, self.confirmed = Model(self.clock), Model(self.clock)
        self.leaving: Model | None = None
        self.disk: dict[bytes, Entry] = {}
        self.parcel: list[Put | Remove] = []
        self.frozen: Mapping[bytes, Entry] | None = None
        self.at_freeze: dict[bytes, Entry] = {}

    @rule(batch=st.lists(reads | writes, max_size=5))
    def write(self, batch: list[KeyCommand]) -> None:
        assert list(map(self.newest.reply, batch)) == self.space.write(batch)

    @rule(batch=st.lists(reads, max_size=3))
    def read(self, batch: list[KeyCommand]) -> None:
        assert reads_only(batch)
        assert list(map(self.confirmed.reply, batch)) == self.space.read(batch)

    @precondition(lambda self: self.space.has_waiting and self.leaving is None)
    @rule()
    def depart(self) -> None:
        self.parcel = self.space.depart()
        self.leaving = self.newest.copy()

    @precondition(lambda self: self.leaving is not None)
    @rule()
    def settle(self) -> None:
        self.space.settle()
        for operation in self.parcel:
            if isinstance(operation, Put):
                self.disk[operation.key] = Entry(operation.value, operation.expires_at)
            else:
                self.disk.pop(operation.key, None)
        assert self.leaving is not None
        self.confirmed, self.leaving = self.leaving, None

    @rule()
    def abandon(self) -> None:
        self.space.abandon()
        self.newest, self.leaving = self.confirmed.copy(), None

    @rule(quarters=st.integers(1, 20))
    def let_time_pass(self, quarters: int) -> None:
        self.clock.now += quarters / 4

    @rule()
    def sweep(self) -> None:
        self.space.sweep()

    @precondition(lambda self: not self.space.is_frozen)
    @rule()
    def freeze(self) -> None:
        self.frozen = self.space.freeze()
        self.at_freeze = dict(self.frozen)

    @precondition(lambda self: self.space.is_frozen)
    @rule()
    def thaw(self) -> None:
        self.frozen = None
        assert self.space.thaw(1) is not self.space.is_frozen

    @invariant()
    def frozen_entries_stand_still(self) -> None:
        if self.frozen is not None:
            assert self.at_freeze == self.frozen

    @invariant()
    def disk_has_what_is_confirmed(self) -> None:
        now = self.clock.now
        live = {k: e for k, e in self.disk.items() if e.expires_at is None or e.expires_at > now}
        assert self.confirmed.live() == live


TestAgainstModel = AgainstModel.TestCase
TestAgainstModel.settings = settings(max_examples=few(50), stateful_step_count=40)


@given(st.lists(reads | writes, max_size=30))
def test_reload_changes_nothing(batch: list[KeyCommand]) -> None:
    """A keyspace made anew of what was stored answers as the one that stored it."""
    clock = Clock()
    space = Keyspace(0, {}, clock)
    space.write(batch)
    stored = {
        op.key: Entry(op.value, op.expires_at) for op in space.depart() if isinstance(op, Put)
    }
    space.settle()
    again = Keyspace(0, stored, clock)
    questions = [question for key in (b"a", b"b", b"c") for question in (Get(key), Ttl(key, 1000))]

    assert space.read(questions) == again.read(questions)


def test_only_what_is_confirmed_is_read(clock: Clock) -> None:
    """A read sees a write that the store has not confirmed if, and only if, it came with writes."""
    space = Keyspace(0, {b"k": Entry(b"old")}, clock)
    space.write([Set(b"k", b"new")])
    seen = [space.read([Get(b"k")]), space.write([Get(b"k")])]
    space.depart()
    seen += [space.read([Get(b"k")]), space.write([Get(b"k")])]
    space.settle()

    old, new = [bulk(b"old")], [bulk(b"new")]
    assert [old, new, old, new] == seen
    assert new == space.read([Get(b"k")])


def test_one_operation_per_key_goes_to_the_store(clock: Clock) -> None:
    """However often a key is written while the store is busy, only its last state is stored."""
    space = Keyspace(7, {b"gone": Entry(b"x")}, clock)
    space.write([Increment(b"n")] * 50 + [Delete((b"gone",)), Set(b"k", b"v", Lifetime(5.0))])

    assert [
        Put(7, b"n", b"50"),
        Remove(7, b"gone"),
        Put(7, b"k", b"v", 1005.0),
    ] == space.depart()


def test_refused_writes_take_later_ones_with_them(clock: Clock) -> None:
    """If the store refuses a write, what was computed on top of it meanwhile is refused too."""
    space = Keyspace(0, {b"n": Entry(b"1")}, clock)
    space.write([Increment(b"n")])
    space.depart()
    space.write([Increment(b"n")])
    space.abandon()

    assert not space.has_waiting
    assert [number(2)] == space.write([Increment(b"n")])


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        (b"word", NOT_AN_INTEGER),
        (b" 1", NOT_AN_INTEGER),
        (b"9223372036854775807", b"-ERR increment or decrement would overflow\r\n"),
        (b"9223372036854775808", NOT_AN_INTEGER),
        (b"-9223372036854775808", number(-9223372036854775807)),
    ],
)
def test_increment_counts_in_64_bits(clock: Clock, value: bytes, reply: bytes) -> None:
    """What is no number, or would be none of 64 bits, is left as it is."""
    space = Keyspace(0, {b"n": Entry(value)}, clock)

    assert [reply] == space.write([Increment(b"n")])
    assert reply.startswith(b":") == space.has_waiting


def test_increment_keeps_the_end(clock: Clock) -> None:
    """A counter ends when it was to end, however often it counts."""
    space = Keyspace(0, {}, clock)

    assert [OK, number(6), number(9)] == space.write(
        [Set(b"n", b"5", Lifetime(9.0)), Increment(b"n"), Ttl(b"n")]
    )


def test_size_counts_every_layer(clock: Clock) -> None:
    """DBSIZE counts entries that are confirmed, alone, and those on their way, beside a write."""
    space = Keyspace(0, {b"a": Entry(b"1"), b"b": Entry(b"1")}, clock)
    space.write([Set(b"c", b"1"), Delete((b"a",)), Set(b"d", b"1")])
    space.depart()
    space.write([Delete((b"c",))])

    assert [number(2)] == space.read([DbSize()])
    assert [number(2)] == space.write([DbSize()])
    space.freeze()
    space.settle()
    assert [number(3)] == space.read([DbSize()])
    assert [number(2)] == space.write([DbSize()])


def test_large_replies_cut_a_batch(clock: Clock) -> None:
    """A client that asks for large values gets some, and asks again for the rest."""
    large = b"x" * (REPLY_LIMIT // 2)
    space = Keyspace(0, {b"k": Entry(large)}, clock)

    assert [bulk(large)] * 2 == space.read([Get(b"k")] * 10)
    assert [OK, bulk(large), bulk(large)] == space.write([Set(b"n", b"1"), *[Get(b"k")] * 10])


def test_sweep_removes_what_is_past_its_end(clock: Clock) -> None:
    """Swept entries are removed from the store as well; pending and living ones are left alone."""
    entries = {b"%d" % n: Entry(b"", 1000.0 + n) for n in range(SWEEP_LIMIT)}
    space = Keyspace(0, entries | {b"ever": Entry(b"")}, clock)
    clock.now = 1100.0
    space.write([Set(b"0", b"new")])

    assert space.sweep()
    assert {b"%d" % n for n in range(101)} == {operation.key for operation in space.depart()}
    space.settle()
    assert not space.sweep()
    assert not space.has_waiting
    assert [number(SWEEP_LIMIT - 99)] == space.read([DbSize()])


def test_thaw_takes_many_steps_after_many_writes(clock: Clock) -> None:
    """What was written during an export finds its place in slices, seen at any time."""
    space = Keyspace(0, {b"0": Entry(b"old")}, clock)
    snapshot = space.freeze()
    space.write([Set(b"%d" % n, b"new") for n in range(1200)])
    space.depart()
    space.settle()

    assert {b"0": Entry(b"old")} == snapshot
    assert not space.thaw()
    space.write([Set(b"1199", b"newest")])
    space.depart()
    space.settle()
    assert [False, True] == [space.thaw() for _ in range(2)]
    assert [bulk(b"new"), bulk(b"newest")] == space.read([Get(b"0"), Get(b"1199")])
    assert [number(1200)] == space.read([DbSize()])
