"""The client layer: decorated methods as messages, and what refuses a wrong one in the caller."""

from __future__ import annotations

import copy
from typing import Any

import outcome
import pytest
import trio
import trio.testing

import trio_otp as otp
from trio_otp.runtime import runtime


class Cache(otp.GenServer):
    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.data: dict[str, bytes] = {}
        self.waiting: list[otp.From[bytes]] = []
        self.notes: list[Any] = []

    @otp.on_call
    async def get(self, key: str) -> bytes | None:
        """Give a value."""
        return self.data.get(key)

    @otp.on_call
    def size(self) -> int:
        return len(self.data)

    @otp.on_call(raises=(KeyError,))
    async def pop(self, key: str, *, default: bytes | None = None) -> bytes:
        if default is not None:
            return self.data.pop(key, default)
        return self.data.pop(key)

    @otp.on_call(timeout=1.5)
    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    @otp.on_call
    async def close(self, why: str) -> str:
        return otp.Stop(why, reply=f"closed: {why}")

    @otp.on_call
    def touch(self) -> str:
        return otp.Reply("touched", timeout=5, continue_="touch")

    @otp.on_call_deferred
    async def fetch(self, from_: otp.From[bytes], url: str) -> None:
        self.waiting.append(from_)

    @otp.on_call_deferred(timeout=60)
    def fetch_slowly(self, from_: otp.From[bytes], url: str = "x") -> Any:
        return otp.Reply(url.encode())

    @otp.on_cast
    async def put(self, key: str, value: bytes) -> None:
        self.data[key] = value

    @otp.on_cast
    def clear(self) -> Any:
        self.data.clear()
        return otp.Stop("cleared") if self.limit == 0 else None

    @otp.on_info(otp.Down, otp.Timeout)
    def notice(self, message: Any) -> None:
        self.notes.append(message)

    @otp.on_info(str)
    async def note_str(self, message: str) -> None:
        self.notes.append(message)

    def handle_continue(self, token: Any) -> None:
        self.notes.append(token)


class Loud(Cache):
    """Overrides a decorated method, once with a decorator and once without."""

    @otp.on_call
    async def get(self, key: str) -> bytes | None:
        return (self.data.get(key) or b"").upper()

    def size(self) -> int:
        return -1

    def notice(self, message: Any) -> None:
        self.notes.append(("loud", message))


def inside(pid: otp.Pid[Any]) -> Cache:
    process = pid._process
    assert process is not None
    instance: Cache = process.instance
    return instance


# -- three ways to send ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [None, "cache", Cache, ("via", "names", "cache")])
async def test_a_client_works_for_any_reference(name: Any) -> None:
    """Cache.at(ref) sends to a pid, a str, a class or a via name; Cache.get(ref, ...) too."""
    async with otp.open_process():
        await otp.start_link(otp.child(otp.Registry, keys="unique").having(name="names"))
        pid = await otp.start_link(otp.child(Cache).having(name=name))
        ref = pid if name is None else name
        cache = Cache.at(ref)
        cache.put("k", b"v")
        assert b"v" == await cache.get("k")
        assert b"v" == await Cache.get(ref, "k")
        assert (1, 1) == (await cache.size(), await Cache.size(ref))
        Cache.put(ref, key="l", value=b"w")
        assert b"w" == await cache.get(key="l")
        assert ref == cache.ref


async def test_a_client_without_a_reference_is_the_class_as_a_name() -> None:
    """Cache.at() sends to whoever has the name Cache."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess):
            await Cache.at().get("k")
        await otp.start_link(otp.child(Cache).having(name=Cache))
        assert await Cache.at().get("k") is None


async def test_a_client_resolves_its_name_at_every_use() -> None:
    """A client outlives its server: after a restart under the name it reaches the new one."""
    async with otp.open_process():
        cache = Cache.at("cache")
        for _ in range(3):
            await otp.start_link(otp.child(Cache).having(name="cache"))
            assert 0 == await cache.size()
            cache.put("k", b"v")
            await otp.stop("cache")


async def test_on_self_a_call_is_refused_and_a_cast_is_a_message() -> None:
    """On self a decorated name sends a message too: a call is CallingSelf, a cast comes later."""
    seen: list[Any] = []

    class Selfish(Cache):
        @otp.on_call
        async def try_it(self) -> None:
            with pytest.raises(otp.CallingSelf, match="undecorated method"):
                await self.get("k")
            self.put("k", b"later")
            seen.append(dict(self.data))

    async with otp.open_process():
        pid = await otp.start_link(Selfish)
        await Selfish.try_it(pid)
        assert [{}] == seen
        assert b"later" == await Selfish.get(pid, "k")


async def test_an_instance_outside_of_its_server_is_no_client() -> None:
    """A decorated name on an instance that is not the running server says what to write."""
    async with otp.open_process():
        pid = await otp.start_link(Cache)
        for use in (lambda: inside(pid).get, lambda: Cache().put):
            with pytest.raises(otp.NotAProcess, match=r"write Cache\.at\(ref\)"):
                use()


async def test_an_unknown_name_on_a_client_lists_what_there_is() -> None:
    """A client has the decorated methods and nothing else."""
    cache: Any = Cache.at("cache")
    with pytest.raises(AttributeError, match=r"has no 'data'; it has .*get.*put"):
        _ = cache.data
    with pytest.raises(AttributeError, match="has no 'handle_call'"):
        _ = cache.handle_call
    assert "<client of Cache at 'cache'>" == repr(cache)
    with pytest.raises(TypeError, match="no reference"):
        Cache.at(42)


async def test_a_client_can_be_copied() -> None:
    """A copy, shallow or deep, is a client of the same server."""
    for copied in (copy.copy(Cache.at("cache")), copy.deepcopy(Cache.at("cache"))):
        assert "<client of Cache at 'cache'>" == repr(copied)


# -- returns ---------------------------------------------------------------------------------------


async def test_an_error_of_raises_is_the_callers() -> None:
    """Exceptions listed in raises= go to the caller, and the server lives."""
    async with otp.open_process():
        cache = Cache.at(await otp.start_link(Cache))
        with pytest.raises(KeyError, match="missing"):
            await cache.pop("missing")
        assert b"d" == await cache.pop("missing", default=b"d")
        assert 0 == await cache.size()


async def test_any_other_error_is_a_crash() -> None:
    """An error that is not listed crashes the server, and the caller gets ServerExited."""

    class Fragile(otp.GenServer):
        @otp.on_call(raises=(KeyError,))
        async def fail(self) -> None:
            raise LookupError("a base of KeyError, not listed")

    async with otp.open_process():
        pid = await otp.start(Fragile)
        with pytest.raises(otp.ServerExited, match="request fail") as caught:
            await Fragile.fail(pid)
        assert isinstance(caught.value.__cause__, LookupError)
        assert not otp.is_alive(pid)


async def test_a_call_may_return_reply_or_stop(autojump_clock: Any) -> None:
    """Reply(value, ...) answers and sets what it says; Stop(reason, reply=) ends the server."""
    async with otp.open_process():
        pid, _ = await otp.start_monitor(Cache)
        assert "touched" == await Cache.touch(pid)
        await trio.sleep(6)
        assert ["touch", otp.Timeout()] == inside(pid).notes
        assert "closed: tired" == await Cache.close(pid, "tired")
        assert "tired" == (await otp.receive(otp.Down)).reason


async def test_a_cast_may_stop() -> None:
    """A cast method may return Stop(reason)."""
    async with otp.open_process():
        pid, _ = await otp.start_monitor(otp.child(Cache, limit=0))
        Cache.clear(pid)
        assert "cleared" == (await otp.receive(otp.Down)).reason


async def test_a_method_has_its_own_timeout(autojump_clock: Any) -> None:
    """timeout= of the decorator is that of the client; without it, it is 5 s."""
    async with otp.open_process():
        pid = await otp.start_link(Cache)
        with pytest.raises(otp.CallTimeout, match="within 1\\.5 s"):
            await Cache.sleep(pid, 2)
        await trio.sleep(10)
        with pytest.raises(otp.CallTimeout, match="within 5 s"):
            await Cache.fetch(pid, "url")


async def test_a_deferred_call_is_answered_later() -> None:
    """A deferred method gets the From first; the server serves on until somebody replies."""
    got: list[bytes] = []

    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await otp.start_link(Cache)

        async def ask() -> None:
            got.append(await Cache.fetch(pid, "url"))

        nursery.start_soon(ask)
        await trio.testing.wait_all_tasks_blocked()
        assert 0 == await Cache.size(pid)
        assert [] == got
        assert otp.reply(inside(pid).waiting[0], outcome.Value(b"page"))
    assert [b"page"] == got


async def test_a_deferred_method_may_answer_at_once() -> None:
    """It may return Reply(value) instead."""
    async with otp.open_process():
        pid = await otp.start_link(Cache)
        assert b"url" == await Cache.fetch_slowly(pid, url="url")
        assert b"x" == await Cache.fetch_slowly(pid)


# -- info ------------------------------------------------------------------------------------------


async def test_plain_messages_go_by_their_type() -> None:
    """on_info methods get messages of their types and subtypes; others are told and dropped."""

    class Text(str):
        __slots__ = ()

    notices: list[Any] = []
    async with otp.open_process():
        runtime().events.attach("notice", notices.append)
        pid = await otp.start_link(Cache)
        for message in ("a", Text("b"), 3, otp.Timeout()):
            otp.send(pid, message)
        await trio.testing.wait_all_tasks_blocked()
        assert ["a", "b", otp.Timeout()] == inside(pid).notes
        assert 1 == len(notices)


async def test_on_info_takes_classes() -> None:
    """on_info without a class, or with something else, is a TypeError that shows how."""
    wrong: Any
    for wrong in ((), (7,), ("str",)):
        with pytest.raises(TypeError, match=r"write @on_info\(otp\.Down\)"):
            otp.on_info(*wrong)


# -- overrides -------------------------------------------------------------------------------------


async def test_dispatch_is_by_name_on_the_instance() -> None:
    """A subclass overrides a method, decorated or not; clients of the base class reach it."""
    async with otp.open_process():
        pid = await otp.start_link(Loud)
        for cache in (Cache.at(pid), Loud.at(pid)):
            cache.put("k", b"v")
            assert b"V" == await cache.get("k")
            assert -1 == await Cache.size(pid)
        otp.send(pid, otp.Timeout())
        await trio.testing.wait_all_tasks_blocked()
        assert [("loud", otp.Timeout())] == inside(pid).notes


# -- refused in the caller -------------------------------------------------------------------------


class Other(otp.GenServer):
    @otp.on_call
    async def get(self, key: str) -> str:
        return "other"


async def test_a_server_of_another_class_refuses_in_the_caller() -> None:
    """A method the server's class does not have is WrongServer, and hurts nobody."""
    async with otp.open_process():
        other = await otp.start_link(Other)
        plain = otp.spawn_link(trio.sleep_forever)
        for pid, name in ((other, "Other"), (plain, "plain process")):
            with pytest.raises(otp.WrongServer, match=rf"Cache\.get .* is a {name}"):
                await Cache.get(pid, "k")
            with pytest.raises(otp.WrongServer, match=rf"Cache\.put .* is a {name}"):
                Cache.put(pid, "k", b"v")
        with pytest.raises(otp.WrongServer, match=r"Loud\.get"):
            await Loud.get(await otp.start_link(Cache), "k")
        assert "other" == await Other.get(other, "k")


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), (("k", "l", "m"), {}), ((), {"kye": "k"}), (("k",), {"key": "k"})],
)
async def test_a_wrong_argument_is_the_callers_type_error(args: Any, kwargs: Any) -> None:
    """Arguments a method does not take are a TypeError in the caller; nothing is sent."""
    async with otp.open_process():
        pid = await otp.start_link(Cache)
        get: Any = Cache.get
        put: Any = Cache.put
        fetch: Any = Cache.fetch
        for call in (get, Cache.at(pid).get, fetch):
            with pytest.raises(TypeError, match="argument"):
                await (
                    call(pid, *args, **kwargs) if call in (get, fetch) else call(*args, **kwargs)
                )
        with pytest.raises(TypeError, match="argument"):
            put(pid, *args, **kwargs)
        process = pid._process
        assert process is not None
        assert 0 == process.handled + len(process.mailbox)


async def test_calls_and_casts_to_nobody() -> None:
    """A call to nobody is NoProcess with the message; a cast is counted and dropped."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess, match=r"request get\('k'\)"):
            await Cache.get("nobody", "k")
        before = runtime().dropped
        Cache.put("nobody", "k", b"v")
        assert before + 1 == runtime().dropped


@pytest.mark.parametrize("timeout", [-1, "5", True])
def test_a_wrong_timeout_is_refused_where_it_is_written(timeout: Any) -> None:
    """timeout= of a decorator is checked when the class is made."""
    with pytest.raises(ValueError, match="timeout="):
        otp.on_call(timeout=timeout)(Cache.size.function)


def test_a_decorated_name_keeps_its_documentation() -> None:
    """The docstring stays, and the repr tells class and method."""
    assert "Give a value." == Cache.get.__doc__
    assert "<CallMethod Cache.get>" == repr(Cache.get)
    assert "<CastMethod Cache.put>" == repr(Cache.put)


def test_a_message_shows_its_arguments_within_bounds() -> None:
    """What logs show of a message is method and arguments, each shortened."""
    from trio_otp.client import Message

    text = repr(Message(Cache.put, ("k" * 10_000,), {"value": b"v"}))
    assert text.startswith("put('kkk")
    assert text.endswith("value=b'v')")
    assert len(text) < 300
