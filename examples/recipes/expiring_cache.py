"""A cache with expiry: each value is loaded once for all its callers, and kept for a while.

While a value is being loaded, all callers that want it wait for that one load, so a popular value
that expires does not cause a rush on the database. The load runs in a helper, so the cache answers
other callers in the meantime. If it fails, the waiting callers get the error, which is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import outcome
import trio

import trio_otp as otp
from trio_otp.testing import virtual_clock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Expired(NamedTuple):
    key: Any  # its value has expired: the cache sends this to itself


class Cache(otp.GenServer):
    def __init__(self, load: Callable[[Any], Awaitable[Any]], *, keep: float) -> None:
        self.load, self.keep = load, keep
        self.values: dict[Any, Any] = {}
        self.waiting: dict[Any, list[otp.From[Any]]] = {}  # {key that is being loaded: who asked}

    @otp.on_call_deferred
    def get(self, from_: otp.From[Any], key: Any) -> None:
        if key in self.values:
            otp.reply(from_, self.values[key])
        elif key in self.waiting:
            self.waiting[key].append(from_)
        else:
            self.waiting[key] = [from_]
            otp.spawn_link(self.fetch, Cache.at(otp.self()), key)  # they end together

    async def fetch(self, cache: Cache, key: Any) -> None:  # in a process of its own
        try:
            cache.loaded(key, outcome.Value(await self.load(key)))
        except Exception as exc:
            cache.loaded(key, outcome.Error(exc))

    @otp.on_cast
    def loaded(self, key: Any, result: outcome.Outcome[Any]) -> None:
        if isinstance(result, outcome.Value):
            self.values[key] = result.value
            otp.send_after(otp.self(), Expired(key), self.keep)
        for from_ in self.waiting.pop(key):
            otp.reply(from_, result)

    @otp.on_info(Expired)
    def expired(self, message: Expired) -> None:
        del self.values[message.key]


async def look_up(key: str) -> str:
    print("looking up", key)
    return key.upper()


async def main() -> None:
    cache = Cache.at("cache")
    async with otp.open_supervisor([otp.child(Cache, look_up, keep=60.0).having(name="cache")]):
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(cache.get, "tea")
        print(await cache.get("tea"))
        await trio.sleep(90)
        print(await cache.get("tea"))


if __name__ == "__main__":
    trio.run(main, clock=virtual_clock())
