"""Registry against a model: a list of entries, over any order of operations and deaths."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import outcome
import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from inside import strict_key

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable

REG = otp.registry("reg")
KEYS: list[Any] = [1, True, 1.0, "a", ("a", 1), ("a", True)]
TRAPPING = 0  # the holder of this number traps exits
HOLDERS = range(3)


@dataclass
class Model:
    """What is registered, oldest first, and who lives."""

    unique: bool
    entries: list[tuple[int, Any, int]] = field(default_factory=list)  # (holder, key, value)

    def under(self, key: Any) -> list[tuple[int, int]]:
        return [(who, value) for who, own, value in self.entries if same(own, key)]

    def register(self, who: int, key: Any, value: int) -> int | None:
        """Return the holder that has the key already, None if it could be registered."""
        rivals = self.under(key)
        if self.unique and rivals:
            return rivals[0][0]
        self.entries.append((who, key, value))
        return None

    def remove(self, wanted: Callable[[int, Any, int], bool]) -> None:
        self.entries = [entry for entry in self.entries if not wanted(*entry)]

    def update(self, who: int, key: Any) -> bool:
        for index, (holder, own, value) in enumerate(self.entries):
            if holder == who and same(own, key):
                self.entries[index] = (holder, own, value + 100)
                return True
        return False


def same(one: Any, other: Any) -> bool:
    return strict_key(one) == strict_key(other)


class Holder(otp.GenServer):
    """Runs what it is asked to; the one of number `TRAPPING` traps exits."""

    def __init__(self, number: int) -> None:
        self.number = number

    def init(self) -> None:
        otp.trap_exit(self.number == TRAPPING)

    def handle_call(self, request: Callable[[], Any], from_: otp.From[Any]) -> otp.Reply[Any]:
        return otp.Reply(outcome.capture(request))

    def handle_info(self, message: Any) -> None:
        assert isinstance(message, otp.Exit | int)


class System:
    """A registry with its holders, and the model beside it."""

    def __init__(self, unique: bool) -> None:
        self.model = Model(unique)
        self.pids: dict[int, otp.Pid[Any]] = {}

    async def start(self) -> None:
        for number in HOLDERS:
            await self.revive(number)

    async def revive(self, who: int) -> None:
        if who not in self.pids:
            self.pids[who] = await otp.start(otp.child(Holder, who))

    async def register(self, who: int, key: Any, value: int) -> None:
        if who in self.pids:
            holder = self.model.register(who, key, value)
            register = partial(otp.call, self.pids[who], lambda: REG.register(key, value))
            if holder is None:
                await register()
            else:
                with pytest.raises(otp.AlreadyRegistered) as caught:
                    await register()
                assert caught.value.pid is self.pids[holder]

    async def unregister(self, who: int, key: Any) -> None:
        if who in self.pids:
            self.model.remove(lambda holder, own, _: holder == who and same(own, key))
            await otp.call(self.pids[who], lambda: REG.unregister(key))

    async def unregister_match(self, who: int, key: Any, value: int) -> None:
        if who in self.pids:
            gone = (who, strict_key(key), value)
            self.model.remove(lambda holder, own, v: (holder, strict_key(own), v) == gone)
            await otp.call(self.pids[who], lambda: REG.unregister_match(key, value))

    async def update(self, who: int, key: Any) -> None:
        if who in self.pids and self.model.unique:
            update = partial(
                otp.call, self.pids[who], lambda: REG.update_value(key, lambda v: v + 100)
            )
            if self.model.update(who, key):
                await update()
            else:
                with pytest.raises(otp.KeyNotRegistered):
                    await update()

    async def kill(self, who: int) -> None:
        """Its entries are gone from this line on, before it has died."""
        if who in self.pids:
            otp.exit(self.pids.pop(who), otp.KILL)
            self.model.remove(lambda holder, _, __: holder == who)

    async def stop(self, who: int) -> None:
        if who in self.pids:
            await otp.stop(self.pids.pop(who))
            self.model.remove(lambda holder, _, __: holder == who)

    async def kill_registry(self) -> None:
        """All who hold a key die with it, unless they trap exits; its supervisor restarts it."""
        otp.exit("reg", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        for who in {holder for holder, _, _ in self.model.entries} - {TRAPPING}:
            del self.pids[who]
        self.model.entries.clear()

    def check(self) -> None:
        """Everything that can be read agrees with the model."""
        for key in KEYS:
            expected = [(self.pids[who], value) for who, value in self.model.under(key)]
            assert as_set(expected) == as_set(REG.lookup(key))
            assert len(expected) == REG.send(key, 0)
        for who, pid in self.pids.items():
            expected_keys = [own for holder, own, _ in self.model.entries if holder == who]
            assert as_set(expected_keys) == as_set(REG.keys(pid))
            assert otp.is_alive(pid)
        assert len(self.model.entries) == REG.count() == len(REG.select())


def as_set(values: list[Any]) -> list[str]:
    return sorted(map(repr, values))


_who = st.sampled_from(list(HOLDERS))
_key = st.sampled_from(KEYS)
_value = st.integers(0, 2)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("register"), _who, _key, _value),
        st.tuples(st.just("unregister"), _who, _key),
        st.tuples(st.just("unregister_match"), _who, _key, _value),
        st.tuples(st.just("update"), _who, _key),
        st.tuples(st.sampled_from(["kill", "stop", "revive"]), _who),
        st.tuples(st.just("kill_registry")),
    ),
    max_size=25,
)


async def _run(keys: Any, operations: list[tuple[Any, ...]]) -> None:
    registry = otp.child(otp.Registry, keys).having(name="reg")
    async with otp.open_supervisor([registry], max_restarts=1000), otp.open_process():
        system = System(keys == "unique")
        await system.start()
        for name, *arguments in operations:
            await getattr(system, name)(*arguments)
            system.check()


@pytest.mark.parametrize("keys", ["unique", "duplicate"])
@given(operations=OPERATIONS)
@settings(max_examples=few(60))
def test_registry_agrees_with_its_model(keys: str, operations: list[tuple[Any, ...]]) -> None:
    """Whatever happens in whatever order, lookups, keys and counts are those of a plain list."""
    trio.run(_run, keys, operations)
