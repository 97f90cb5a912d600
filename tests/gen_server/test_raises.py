"""Errors that are answers: what `raises` means, and what no caller can be told."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import outcome
import pytest
import trio
from bare_kit import (
    ERRORS,
    Missing,
    Rejected,
    Shop,
    crash_while_leaving,
    is_public,
    number,
    nursed,
    raising,
    run,
)

import trio_otp as otp


class Shelf(otp.GenServer):
    """Tells its callers of one kind of error, in several ways."""

    @otp.on_call(raises=(KeyError, Rejected))
    async def look(self, error: Exception, depth: int) -> None:
        await (nursed(error, depth) if depth else raising(error))()

    @otp.on_call(raises=(ExceptionGroup,))
    async def look_all(self, error: Exception) -> None:
        await nursed(error)()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("depth", [0, 1, 3])
@pytest.mark.parametrize("error", ["an error", "a group that derives"])
def test_a_nursery_makes_no_crash_of_an_answer(error: str, depth: int, strict: bool) -> None:
    """What `raises` names goes to the caller, and the server lives."""
    raised = ERRORS[error]()

    async def main() -> None:
        async with otp.open_process():
            pid = await otp.start_link(Shelf)
            with pytest.raises((KeyError, Rejected)) as caught:
                await Shelf.look(pid, raised, depth)
            if error == "an error":
                assert raised is caught.value
            assert str(raised) == str(caught.value)
            assert otp.is_alive(pid)

    run(main, strict=strict)


async def test_a_group_of_many_is_no_answer_unless_it_is_named() -> None:
    """Not even if all of its parts are."""
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Shelf)
        with pytest.raises(ExceptionGroup) as caught:
            await Shelf.look_all(pid, KeyError("one"))  # it is named, although a nursery made it
        assert otp.is_alive(pid)
        many = ExceptionGroup("many", [KeyError(1), KeyError(2)])
        with pytest.raises(ExceptionGroup) as caught:
            await Shelf.look_all(pid, many)
        assert "many (2 sub-exceptions)" == str(caught.value)
        with pytest.raises(otp.ServerExited):
            await Shelf.look(pid, many, 0)


async def test_an_answer_is_freed_at_once() -> None:
    """No frame of the server holds on to it."""

    class Here(otp.GenServer):
        @otp.on_call(raises=(KeyError,))
        async def look(self) -> None:
            raise Missing("title")

        @otp.on_call(raises=(KeyError,))
        def look_sync(self) -> None:
            raise Missing("title")

    async def told(call: Any) -> Any:
        try:
            await call
        except Missing as exc:
            return weakref.ref(exc)

    async with otp.open_process():
        pid = await otp.start_link(Here)
        gc.collect()
        gc.disable()
        try:
            for call in (Here.look(pid), Here.look_sync(pid)):
                gone = await told(call)
                del call
                await trio.lowlevel.checkpoint()  # Trio keeps what a task was last woken with
                assert gone() is None
        finally:
            gc.enable()


async def test_an_answer_has_nothing_private_on_its_chain() -> None:
    """Also one that is raised while the server was about to leave."""

    class Leaving(otp.GenServer):
        @otp.on_call(raises=(KeyError,))
        async def look(self) -> None:
            await crash_while_leaving()

    async with otp.open_process():
        pid = await otp.start_link(Leaving)
        with pytest.raises(KeyError) as caught:
            await Leaving.look(pid)
    assert is_public(caught.value)


async def test_a_nursery_in_an_event_handler_makes_no_crash_of_an_answer() -> None:
    """`raises` means the same there."""

    class Handler(otp.GenEvent):
        @otp.on_call(raises=(KeyError,))
        async def look(self) -> None:
            await nursed(KeyError("title"))()

    async with otp.open_process():
        manager = await otp.start_link(otp.child(otp.EventManager, [Handler]))
        with pytest.raises(KeyError):
            await Handler.at(manager).look()
        assert [Handler] == await otp.gen_event.which_handlers(manager)


# -- what cannot be raised in a caller -------------------------------------------------------------


@pytest.mark.parametrize(
    ("raises", "text"),
    [
        ((StopIteration,), "StopIteration cannot be sent to a caller: it cannot be raised"),
        ((KeyError, StopAsyncIteration), "StopAsyncIteration cannot be sent to a caller: it"),
        ((GeneratorExit,), "expected subclasses of Exception; GeneratorExit ends more than a call"),
        ((SystemExit,), "expected subclasses of Exception; SystemExit ends more than a call"),
        (BaseException, "expected subclasses of Exception; BaseException ends more than a call"),
        ((int,), "expected subclasses of Exception; int is not one"),
        ((KeyError("k"),), "got the KeyError KeyError('k'); write raises=(KeyError,)"),
        ([KeyError], "expected a tuple of exception classes, got the list"),
        (None, "expected a tuple of exception classes, got the NoneType None"),
    ],
)
def test_raises_that_no_caller_can_be_told_is_refused(raises: Any, text: str) -> None:
    """In the decorator, with the reason."""
    with pytest.raises(TypeError) as caught:

        class Feed(otp.GenServer):
            @otp.on_call(raises=raises)
            def next_item(self) -> int:
                return 1

    assert str(caught.value).startswith("raises=")
    assert text in str(caught.value)


async def test_raises_may_be_one_class() -> None:
    """A tuple of one is easily forgotten, and nothing else can be meant."""

    class Feed(otp.GenServer):
        @otp.on_call(raises=LookupError)  # type: ignore[arg-type]  # not as it is typed
        def next_item(self) -> int:
            raise KeyError("none")

    async with otp.open_process():
        with pytest.raises(KeyError):
            await Feed.next_item(await otp.start_link(Feed))


async def asked(pid: otp.Pid[Any], request: object) -> Any:
    return await otp.receive_response(otp.send_request(pid, request))


@pytest.mark.parametrize("kind", [StopIteration, StopAsyncIteration, GeneratorExit])
@pytest.mark.parametrize("how", ["return", "reply", "stop", "request"])
async def test_an_answer_that_cannot_be_raised_arrives_as_a_cause(how: str, kind: Any) -> None:
    """The error that the caller meets says what was answered."""
    answer = outcome.Error(kind("end"))

    class Feed(otp.GenServer):
        def handle_call(self, request: object, from_: otp.From[Any]) -> Any:
            if how == "reply":
                otp.reply(from_, answer)
                return otp.NoReply()
            return otp.Stop(reply=answer) if how == "stop" else otp.Reply(answer)

    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Feed)
        with pytest.raises(RuntimeError) as caught:
            await (otp.call(pid, "next") if how != "request" else asked(pid, "next"))
    assert f"a caller cannot be told {kind.__name__}" in str(caught.value)
    assert answer.error is caught.value.__cause__


async def test_a_kept_exit_that_is_answered_arrives_by_a_public_name() -> None:
    """A caller must not be ended by the `otp.exit` that a server has caught."""
    async with otp.open_process():
        pid = await otp.start_link(Shop)
        with pytest.raises(otp.ProcessExited) as caught:
            await Shop.do_sync(pid, lambda: outcome.capture(otp.exit, "bye"))
    assert "bye" == caught.value.reason


async def test_a_wide_raises_answers_the_end_of_an_iteration_as_a_cause() -> None:
    """Exception covers it, and the caller is told what was raised."""

    class Feed(otp.GenServer):
        @otp.on_call(raises=(Exception,))
        def next_item(self) -> int:
            return next(iter([]))

    async with otp.open_process():
        pid = await otp.start_link(Feed)
        with pytest.raises(RuntimeError, match="a caller cannot be told StopIteration") as caught:
            await Feed.next_item(pid)
        assert otp.is_alive(pid)
    assert isinstance(caught.value.__cause__, StopIteration)


async def test_an_input_cannot_end_a_stream_by_the_wrong_word() -> None:
    """StopAsyncIteration of an iterator would end the `async for` as if all had been given."""

    class Input:
        def __iter__(self) -> Input:
            return self

        def __next__(self) -> int:
            raise StopAsyncIteration

    async with otp.task.async_stream(Input(), number) as results:
        with pytest.raises(RuntimeError, match="the input of the stream raised") as caught:
            async for _ in results:
                pass
    assert isinstance(caught.value.__cause__, StopAsyncIteration)
