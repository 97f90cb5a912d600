"""Clients: the ways to send a decorated method, and what is refused in the caller."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import trio
import trio.testing
from cache_kit import Cache, Loud, inside
from inside import process_of, runtime

import trio_otp as otp

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
    with pytest.raises(TypeError, match="not a reference"):
        Cache.at(42)


async def test_a_client_can_be_copied() -> None:
    """A copy, shallow or deep, is a client of the same server."""
    for copied in (copy.copy(Cache.at("cache")), copy.deepcopy(Cache.at("cache"))):
        assert "<client of Cache at 'cache'>" == repr(copied)


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
            with pytest.raises(otp.WrongServer, match=rf"Cache\.get .* is an? {name}"):
                await Cache.get(pid, "k")
            with pytest.raises(otp.WrongServer, match=rf"Cache\.put .* is an? {name}"):
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
        process = process_of(pid)
        assert 0 == process.messages_handled + len(process.mailbox)


async def test_calls_and_casts_to_nobody() -> None:
    """A call to nobody is NoProcess with the message; a cast is counted and dropped."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess, match=r"message get\('k'\)"):
            await Cache.get("nobody", "k")
        before = runtime().dropped
        Cache.put("nobody", "k", b"v")
        assert before + 1 == runtime().dropped


async def test_a_call_does_nothing_before_it_is_awaited() -> None:
    """Whatever is wrong with it is raised where it is awaited, in the task that does so."""
    async with otp.open_process():
        late = Cache.at("later").get("k")
        await otp.start_link(otp.child(Cache).having(name="later"))
        assert await late is None
        with pytest.RaisesGroup(otp.NoProcess):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Cache.at("nobody").get, "k")
                begun = True
        assert begun


@pytest.mark.parametrize("timeout", [-1, "5", True])
def test_a_wrong_timeout_is_refused_where_it_is_written(timeout: Any) -> None:
    """timeout= of a decorator is checked when the class is made."""
    with pytest.raises(ValueError, match="timeout="):
        otp.on_call(timeout=timeout)(Cache.size.function)


def test_a_decorated_name_keeps_its_documentation() -> None:
    """The docstring stays, and the repr tells class and method."""
    assert "Return a value." == Cache.get.__doc__
    assert "<CallMethod Cache.get>" == repr(Cache.get)
    assert "<CastMethod Cache.put>" == repr(Cache.put)


def test_a_message_shows_its_arguments_within_bounds() -> None:
    """What logs show of a message is method and arguments, each shortened."""
    from inside import Message

    text = repr(Message(Cache.put, ("k" * 10_000,), {"value": b"v"}))
    assert text.startswith("put('kkk")
    assert text.endswith("value=b'v')")
    assert len(text) < 300
