"""Decorated methods: what they may return, plain messages, and overrides."""

from __future__ import annotations

from typing import Any

import outcome
import pytest
import trio
import trio.testing
from cache_kit import Cache, Loud, inside
from inside import runtime

import trio_otp as otp

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


class Greeting(otp.GenServer):
    """Two names for one method."""

    @otp.on_call
    def hello(self) -> str:
        return "hello"

    @otp.on_call_deferred
    def later(self, from_: otp.From[str], name: str = "you") -> None:
        otp.reply(from_, f"hello {name}")

    hi = hello


async def test_a_method_that_is_replaced_on_its_class_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is found is what the class has when the message is handled."""
    async with otp.open_process():
        client = Greeting.at(await otp.start_link(Greeting))
        assert ["hello", "hello"] == [await client.hello(), await client.hi()]
        with monkeypatch.context() as patch:
            patch.setattr(Greeting, "hi", lambda self: "hi")
            assert "hi" == await client.hello()  # its messages go by the last of its names
        assert "hello" == await client.hello()


async def test_a_deferred_method_takes_one_argument_less() -> None:
    """The caller gives what comes after `from_`, and hears of what is too much."""
    async with otp.open_process():
        client: Any = Greeting.at(await otp.start_link(Greeting))
        assert ["hello you", "hello me"] == [await client.later(), await client.later("me")]
        with pytest.raises(
            TypeError, match=r"^Greeting\.later: too many .*later\(name: 'str' = 'you'\)"
        ):
            await client.later("me", "too")


async def test_a_deferred_method_that_forgot_its_caller() -> None:
    """The caller hears that there is a parameter too few, and the server lives."""

    class Hasty(otp.GenServer):
        @otp.on_call_deferred
        def later(self) -> None: ...  # type: ignore[arg-type]  # it is what is tested

    async with otp.open_process():
        pid = await otp.start_link(Hasty)
        client: Any = Hasty.at(pid)
        with pytest.raises(
            TypeError, match=r"later\(self\).*expected a method that takes self, from_"
        ):
            await client.later()
        assert otp.is_alive(pid)


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
