"""What the checkers make of decorated methods and their clients."""

from __future__ import annotations

from typing import Any, assert_type

import trio_otp as otp


class Cache(otp.GenServer):
    """Has a method of each kind."""

    def __init__(self, limit: int = 1000) -> None:
        self.data: dict[str, bytes] = {}
        self.waiting: list[otp.From[bytes]] = []
        self.limit = limit

    @otp.on_call
    async def get(self, key: str) -> bytes | None:
        """Return a value."""
        return self.data.get(key)

    @otp.on_call
    def size(self) -> int:
        return len(self.data)

    @otp.on_call(raises=(KeyError,))
    async def pop(self, key: str, *, default: bytes | None = None) -> bytes:
        return self.data.pop(key, default or b"")

    @otp.on_call(timeout=None)
    def keys(self, *prefixes: str, limit: int = 10) -> list[str]:
        return list(self.data)[:limit]

    @otp.on_call
    async def touch(self, key: str) -> otp.Reply[bool]:
        return otp.Reply(key in self.data, timeout=5.0, continue_="touched")

    @otp.on_call
    def touch_now(self, key: str) -> otp.Reply[bool]:
        return otp.Reply(key in self.data)

    @otp.on_call
    async def close(self, why: str) -> otp.Stop:
        return otp.Stop(why, reply=None)

    @otp.on_call(raises=())
    async def close_later(self, why: str) -> otp.Reply[int] | otp.Stop:
        return otp.Reply(len(why))

    @otp.on_call
    async def take(self, key: str) -> bytes | otp.Stop:
        return self.data.pop(key) if key in self.data else otp.Stop("empty", reply=b"")

    @otp.on_call(timeout=1.0)
    async def any_way(self, key: str) -> int | otp.Reply[int] | otp.Stop:
        return otp.Reply(len(key))

    @otp.on_call_deferred
    async def fetch(self, from_: otp.From[bytes], url: str) -> None:
        self.waiting.append(from_)

    @otp.on_call_deferred(timeout=60.0)
    def fetch_later(self, from_: otp.From[dict[str, int]], url: str, *, tries: int = 1) -> None:
        otp.reply(from_, {url: tries})

    @otp.on_cast
    async def put(self, key: str, value: bytes) -> None:
        self.data[key] = value

    @otp.on_cast
    def clear(self) -> otp.Stop | None:
        self.data.clear()
        return None

    @otp.on_info(otp.Down, otp.Timeout)
    def notice(self, message: otp.Down | otp.Timeout) -> None:
        """Stay what it is: a method."""

    def plain(self) -> int:
        self.notice(otp.Timeout())
        return len(self.data)


async def check_calls(pid: otp.Pid[Cache]) -> None:
    """A client of any reference has the methods, with their arguments and answers."""
    for cache in (Cache.at("cache"), Cache.at(pid), Cache.at(), Cache.at(("via", "names", 1))):
        assert_type(cache, Cache)
        assert_type(await cache.get("k"), bytes | None)
        assert_type(await cache.size(), int)
        assert_type(await cache.pop("k"), bytes)
        assert_type(await cache.pop("k", default=b""), bytes)
        assert_type(await cache.keys("a", "b", limit=3), list[str])


async def check_limits(pid: otp.Pid[Cache]) -> None:
    """A client may have a limit for its calls, in seconds, or none."""
    for cache in (Cache.at(pid, timeout=30), Cache.at(timeout=0.5), Cache.at("c", timeout=None)):
        assert_type(await cache.get("k"), bytes | None)
    Cache.at(pid, timeout="30")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await Cache.at(pid).get("k", timeout=30)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def check_answers(cache: Cache) -> None:
    """Reply[T] and Stop are how a method answers, not what its caller gets."""
    assert_type(await cache.touch("k"), bool)
    assert_type(await cache.take("k"), bytes)
    assert_type(await cache.any_way("k"), int)
    assert_type(await cache.touch_now("k"), bool)
    assert_type(await cache.close_later("k"), int)
    assert_type(await cache.close("why"), Any)
    assert_type(len("reached"), int)


async def check_deferred(cache: Cache) -> None:
    """A deferred method answers what its From takes; the From is not the caller's to give."""
    assert_type(await cache.fetch("url"), bytes)
    assert_type(await cache.fetch_later("url", tries=3), dict[str, int])
    await cache.fetch("url", "url")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await cache.fetch()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def check_class_form(pid: otp.Pid[Cache]) -> None:
    """On the class the reference comes first."""
    assert_type(await Cache.get(pid, "k"), bytes | None)
    assert_type(await Cache.get("cache", key="k"), bytes | None)
    assert_type(await Cache.fetch(Cache, "url"), bytes)
    assert_type(Cache.put("cache", "k", b"v"), None)
    await Cache.get(7, "k")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await Cache.get("cache")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def check_casts(cache: Cache) -> None:
    """A cast returns nothing, and there is nothing to wait for."""
    assert_type(cache.put("k", b"v"), None)
    assert_type(cache.clear(), None)
    assert_type(otp.cast("cache", 1), None)
    assert_type(otp.send("cache", 1), None)
    cache.put("k", "v")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


async def check_wrong_arguments(cache: Cache) -> None:
    """A wrong, missing or surplus argument is found before the program runs."""
    await cache.get(7)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await cache.get()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await cache.get("k", "l")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await cache.get(kye="k")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await cache.keys("a", limit="3")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await cache.missing()  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    text: str = await cache.size()  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    assert text


class Loud(Cache):
    """Overrides a method with one of the same type."""

    @otp.on_call
    async def get(self, key: str) -> bytes | None:
        return (self.data.get(key) or b"").upper()


async def check_overrides(pid: otp.Pid[Loud]) -> None:
    """A subclass has the methods of its base; its server is one of the base too."""
    assert_type(await Loud.at(pid).get("k"), bytes | None)
    assert_type(await Loud.at(pid).size(), int)
    base: otp.Pid[Cache] = pid
    assert_type(await Cache.get(base, "k"), bytes | None)


def check_options() -> None:
    """Options of the decorators are checked."""
    otp.on_call(timeout="5")  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.on_call(raises=[KeyError])  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    otp.on_info("Down")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def check_replies(from_: otp.From[bytes]) -> None:
    """A reply fits the From: a value of its type, or an outcome."""
    import outcome

    assert_type(otp.reply(from_, b"v"), bool)
    otp.reply(from_, outcome.Error(KeyError("k")))
    otp.reply(from_, outcome.Value(b"v"))
    otp.reply(from_, 7)  # type: ignore[misc] # pyright: ignore[reportArgumentType]


async def give(number: int) -> bytes:
    return bytes(number)


async def check_helpers(from_: otp.From[bytes]) -> None:
    """A helper gives what its From takes."""
    assert_type(otp.reply_from_task(from_, give, 7), otp.Pid[Any])
    otp.reply_from_task(from_, give, "7")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
