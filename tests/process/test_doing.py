"""What a time-out says that the server was doing."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import doing_text, process_of

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HERE = Path(__file__).name
LEFT = "and has left this call without an answer"
AT = rf", at {re.escape(HERE)}:\d+"


async def doing(use: Callable[[], Awaitable[object]]) -> str:
    """Return what the time-out of a call says, and check that it is in the text as well."""
    with pytest.raises(otp.CallTimeout) as caught:
        await use()
    error = caught.value
    assert str(error).endswith(f": {error.doing}")
    assert len(error.doing) < 500
    return error.doing


class Shop(otp.GenServer):
    """Takes long for everything."""

    @otp.on_call
    async def slow(self, *what: Any) -> None:
        await trio.sleep(100)

    @otp.on_call
    async def ask(self, other: otp.Pid[Any]) -> None:
        await otp.call(other, "price", timeout=None)

    @otp.on_call_deferred
    def later(self, from_: otp.From[None]) -> None:
        """Leave the caller waiting."""

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        await trio.sleep(100)

    async def handle_cast(self, message: Any) -> None:
        await trio.sleep(100)

    async def handle_info(self, message: Any) -> None:
        await trio.sleep(100)


async def test_it_names_the_call_its_age_its_line_and_the_queue(autojump_clock: Any) -> None:
    """First its own call, then that of somebody else, which is still in hand."""
    async with otp.open_process():
        shop = await otp.start(Shop)
        assert re.fullmatch(rf"handling this call for 5\.0 s{AT}", await doing(Shop.at(shop).slow))
        text = await doing(partial(otp.call, shop, 1, timeout=0.25))
        assert re.fullmatch(rf"handling `slow\(\)` for 5\.2 s{AT}; 1 waiting", text)
        text = await doing(partial(otp.call, shop, 1, timeout=7))
        assert re.fullmatch(rf"handling `slow\(\)` for 12\.2 s{AT}; 2 waiting", text)


SENT: list[tuple[Callable[[Any], Awaitable[object]] | None, Any, str]] = [
    (lambda shop: Shop.slow(shop, "tea", 2), None, "`slow('tea', 2)`"),
    (lambda shop: otp.call(shop, ("price", "tea")), None, "`('price', 'tea')`"),
    (None, otp.cast, "`['tea']`"),
    (None, otp.send, "`['tea']`"),
]


@pytest.mark.parametrize(("call", "send", "shown"), SENT)
async def test_it_names_messages_of_each_kind(
    call: Any, send: Any, shown: str, autojump_clock: Any
) -> None:
    """A method with its arguments, a request, a cast, a plain message."""
    async with otp.open_process():
        shop = await otp.start(Shop)
        if call is None:
            send(shop, ["tea"])
        else:
            await doing(partial(call, shop))
        text = await doing(partial(otp.call, shop, 1))
        assert text.startswith(f"handling {shown} for ")


async def test_it_shows_no_more_than_a_little_of_a_message(autojump_clock: Any) -> None:
    """Whatever its size, its class, and what its repr does."""

    class Hostile:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        def __repr__(self) -> str:
            raise RuntimeError("repr")

    for message in ("x" * 100_000, list(range(100_000)), Hostile()):
        async with otp.open_process():
            shop = await otp.start(Shop)
            otp.send(shop, message)
            text = await doing(partial(otp.call, shop, 1))
            assert re.match(r"handling `.{1,80}` for 5\.0 s, at ", text)
            assert len(text) < 200


class Secretive(Shop):
    """Keeps out of reports what it was asked for."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return {**status, "message": "kept out", "state": "kept out"}


async def test_it_shows_no_arguments_that_reports_would_not_show(autojump_clock: Any) -> None:
    """Of a method the name alone, of other messages nothing."""
    async with otp.open_process():
        shop = await otp.start(Secretive)
        with pytest.raises(otp.CallTimeout):
            await Secretive.slow(shop, "hunter2")
        with pytest.raises(otp.CallTimeout, match=r"handling `slow\(\.\.\.\)` for") as caught:
            await Secretive.slow(shop)
        assert "hunter2" not in str(caught.value)
    async with otp.open_process():
        shop = await otp.start(Secretive)
        otp.send(shop, ("password", "hunter2"))
        with pytest.raises(otp.CallTimeout, match="handling a message for") as caught:
            await Secretive.slow(shop)
        assert "hunter2" not in str(caught.value)


class Broken(Shop):
    """Raises when asked what it shows."""

    @property
    def format_status(self) -> Any:
        raise RuntimeError("broken")


async def test_a_server_that_is_broken_in_any_way_hurts_no_caller(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time-out comes all the same, with whatever can be told."""
    async with otp.open_process():
        shop = await otp.start(Broken)
        otp.send(shop, "hunter2")
        with pytest.raises(otp.CallTimeout, match="handling a message for") as caught:
            await Broken.slow(shop, "hunter2")
        assert "hunter2" not in str(caught.value)
        monkeypatch.setattr(type(process_of(shop).task), "iter_await_frames", None)
        assert "busy; 2 waiting" == await doing(Broken.at(shop).slow)


async def test_it_tells_a_server_that_is_killed_and_does_not_end(autojump_clock: Any) -> None:
    """Its callers are answered when it is dead; until then they may give up."""

    class Shielded(otp.GenServer):
        @otp.on_call
        async def work(self) -> None:
            with trio.CancelScope(shield=True):
                await trio.sleep(100)

    async with otp.open_process(), trio.open_nursery() as nursery:
        shop = await otp.start(Shielded)

        async def kill() -> None:
            await trio.sleep(1)
            otp.exit(shop, otp.KILL)

        nursery.start_soon(kill)
        assert re.fullmatch(rf"exiting{AT}", await doing(Shielded.at(shop).work))


async def test_it_names_whom_the_server_waits_for(autojump_clock: Any) -> None:
    """A chain of calls is told link by link."""
    async with otp.open_process():
        till = await otp.start(otp.child(Shop).having(name="till"))
        shop = await otp.start(Shop)
        text = await doing(partial(Shop.ask, shop, till))
        assert re.fullmatch(
            rf"handling this call for 5\.0 s{AT}, waiting for <Pid 2 Shop 'till'>", text
        )


async def test_it_tells_a_server_that_will_answer_later(autojump_clock: Any) -> None:
    """The call is neither queued nor in hand."""
    async with otp.open_process():
        shop = await otp.start(Shop)
        assert f"idle, {LEFT}" == await doing(partial(Shop.later, shop))
        request = otp.send_request(shop, "price")
        text = await doing(partial(otp.receive_response, request, timeout=3))
        assert re.fullmatch(rf"handling this call for 3\.0 s{AT}", text)


class Sleeper(Shop):
    """Sleeps when it has nothing to do."""

    hibernate_after = 0


async def test_it_tells_a_server_that_sleeps(autojump_clock: Any) -> None:
    """It has deferred the answer; a call in its queue would have woken it."""
    async with otp.open_process():
        shop = await otp.start(Sleeper)
        assert f"asleep, {LEFT}" == await doing(partial(Shop.later, shop))


async def test_it_tells_a_server_that_has_had_no_turn() -> None:
    """The loop was held by something else, and then the time was over."""
    async with otp.open_process():
        shop = await otp.start(Shop)
        await trio.testing.wait_all_tasks_blocked()
        request = otp.send_request(shop, "price")
        assert doing_text(process_of(shop), request._from) == (
            "waiting for its turn, since something else has held the event loop; 1 waiting"
        )


class Starting(Shop):
    """Takes long to start and to end."""

    def __init__(self, start: float, end: float) -> None:
        self.times = start, end

    async def init(self) -> None:
        await trio.sleep(self.times[0])

    async def terminate(self, reason: object) -> None:
        await trio.sleep(self.times[1])


async def test_it_tells_init_and_terminate(autojump_clock: Any) -> None:
    """With the line, as its name leads to the server from the beginning."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        child = otp.child(Starting, 20, 0).having(name="shop", timeout=None)
        nursery.start_soon(otp.start, child)
        await trio.testing.wait_all_tasks_blocked()
        assert re.fullmatch(rf"in init{AT}; 1 waiting", await doing(partial(otp.call, "shop", 1)))
        nursery.cancel_scope.cancel()
    async with otp.open_process():
        shop = await otp.start(otp.child(Starting, 0, 20).having(shutdown=30))
        text = await doing(partial(otp.stop, shop, timeout=5))
        assert re.fullmatch(rf"in terminate{AT}", text)


async def test_it_tells_a_suspended_server(autojump_clock: Any) -> None:
    """It goes on by `otp.sys.resume`."""
    async with otp.open_process():
        shop = await otp.start(Shop)
        await otp.sys.suspend(shop)
        assert "suspended by otp.sys; 1 waiting" == await doing(Shop.at(shop).slow)


class Machine(otp.GenStatem[str]):
    """A state machine that takes long."""

    initial = "on"

    async def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        await trio.sleep(100)


async def sleep_long(_: Any) -> Any:
    """Take long in an agent."""
    await trio.sleep(100)


class Handler(otp.GenEvent):
    """Takes long for events."""

    async def handle_event(self, event: Any) -> None:
        await trio.sleep(100)


async def test_it_tells_machines_agents_managers_and_supervisors(autojump_clock: Any) -> None:
    """By the words of their clients."""
    async with otp.open_process():
        machine = await otp.start(Machine)
        text = await doing(partial(otp.call, machine, "push"))
        assert re.fullmatch(rf"handling this call for 5\.0 s{AT}", text)
        text = await doing(partial(otp.call, machine, 1))
        assert re.fullmatch(rf"handling `'push'` for 10\.0 s{AT}; 1 waiting", text)
    async with otp.open_process():
        agent = await otp.start(otp.child(otp.Agent, dict))
        assert re.match(rf"handling this call .*{AT}", await doing(_get(agent)))
        assert re.match(rf"handling `get\(\)` .*{AT}; 1 waiting", await doing(_get(agent)))
    async with otp.open_process():
        manager = await otp.start(otp.child(otp.EventManager, [Handler]))
        otp.gen_event.notify(manager, "secret event")
        ask = partial(otp.gen_event.call, manager, Handler, 1, timeout=5)
        assert re.match(rf"handling `notify\(\)` .*{AT}; 1 waiting", await doing(ask))
    async with otp.open_process():
        sup = await otp.start(otp.child(otp.DynamicSupervisor))
        child = otp.child(Starting, 20, 0).having(timeout=None)
        text = await doing(partial(otp.start_child, sup, child, timeout=5))
        whom = r", waiting for <Pid \d+ Starting>"
        assert re.fullmatch(rf"handling this call for 5\.0 s{whom}", text)
        text = await doing(partial(otp.count_children, sup, timeout=3))
        assert re.fullmatch(rf"handling `start_child\(\)` for 8\.0 s{whom}; 1 waiting", text)


def _get(agent: Any) -> Callable[[], Awaitable[object]]:
    return partial(otp.Agent[Any].get, agent, sleep_long)


async def test_it_tells_a_plain_process(autojump_clock: Any) -> None:
    """It runs, at its line, and answers nobody."""

    async def idle() -> None:
        await trio.sleep(100)

    async with otp.open_process():
        pid = await otp.start(idle)
        assert re.fullmatch(rf"running{AT}; 1 waiting", await doing(partial(otp.call, pid, 1)))
