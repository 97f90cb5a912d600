"""What leaves a block, ends a process or is told to a caller: an error of users, bare and whole."""

from __future__ import annotations

import logging
import traceback
import warnings
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import outcome
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp
from trio_otp.runtime import runtime
from trio_otp.testing import GuestLoop, open_system

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Body = Callable[[], Awaitable[Any]]

REG = otp.registry("reg")


class Invalid(ExceptionGroup[Exception]):
    """A group of an application; Trio and `split` would make a plain group of it."""


class Rejected(ExceptionGroup[Exception]):
    """A group that stays of its class where it is taken apart."""

    def derive(self, parts: Any) -> Rejected:
        return Rejected(self.message, parts)


class Stranger(BaseException):
    """What is no error, and not the library's either."""


def noted(error: Exception) -> Exception:
    error.add_note("sent by customer 12")
    return error


ERRORS: dict[str, Callable[[], Exception]] = {
    "an error": lambda: noted(KeyError("price")),
    "a group of one": lambda: noted(ExceptionGroup("order 7", [ValueError("price")])),
    "a group of a class": lambda: noted(Invalid("order 7", [ValueError("price")])),
    "a group that derives": lambda: noted(Rejected("order 7", [ValueError("price")])),
    "a group of many": lambda: noted(Invalid("order 7", [ValueError("price"), KeyError("name")])),
    "groups in a group": lambda: noted(Invalid("all", [Invalid("7", [ValueError("price")])])),
}


class App(otp.Application):
    def start(self) -> Any:
        return otp.child(otp.Supervisor, [])


class Shop(otp.GenServer):
    """Does what it is told, in each of its callbacks."""

    def __init__(self, last_words: BaseException | None = None) -> None:
        self.last_words = last_words

    @otp.on_call(timeout=None)
    async def do(self, what: Callable[[], Awaitable[Any]]) -> Any:
        return await what()

    @otp.on_call
    def do_sync(self, what: Callable[[], Any]) -> Any:
        return what()

    @otp.on_call_deferred(timeout=None)
    def do_in_task(self, from_: otp.From[Any], what: Callable[[], Awaitable[Any]]) -> None:
        otp.reply_from_task(from_, what)

    @otp.on_cast
    async def do_later(self, what: Callable[[], Awaitable[Any]]) -> None:
        await what()

    async def terminate(self, reason: object) -> None:
        if self.last_words is not None:
            raise self.last_words


async def number(item: int) -> int:
    return item


@asynccontextmanager
async def stream_of_supervisor() -> AsyncIterator[None]:
    async with (
        otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="tasks")]),
        otp.TaskSupervisor.async_stream("tasks", [1, 2], number),
    ):
        yield


BLOCKS: dict[str, Callable[[], Any]] = {
    "open_supervisor": otp.open_supervisor,
    "open_process": otp.open_process,
    "open_application": lambda: otp.open_application(App),
    "subscribe": lambda: REG.subscribe("k"),
    "lock": lambda: REG.lock("k"),
    "async_stream": lambda: otp.task.async_stream([1, 2], number),
    "TaskSupervisor.async_stream": stream_of_supervisor,
    "open_system": open_system,
}
NURSING = [name for name in BLOCKS if name != "lock"]  # those that have a nursery


def run(main: Callable[..., Awaitable[Any]], *args: Any, strict: bool = True) -> Any:
    """Run it in virtual time; `strict` is what `trio.run` takes."""
    clock = MockClock(autojump_threshold=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", trio.TrioDeprecationWarning)
        return trio.run(main, *args, clock=clock, strict_exception_groups=strict)


async def left(block: Callable[[], Any], body: Body) -> BaseException | None:
    """Return what leaves a block with that body."""
    registry = otp.child(otp.Registry, keys="duplicate").having(name="reg")
    async with otp.open_supervisor([registry]):
        try:
            async with block():
                await body()
        except BaseException as exc:  # noqa: ASYNC103 - nothing of it is a cancellation
            return exc
    return None


def raising(error: BaseException) -> Callable[[], Awaitable[None]]:
    async def body() -> None:
        raise error

    return body


def nursed(error: BaseException, depth: int = 1) -> Callable[[], Awaitable[None]]:
    """A body that raises in as many nurseries."""

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raising(error) if depth == 1 else nursed(error, depth - 1))

    return body


def everything(error: object) -> list[BaseException]:
    """List an error with its parts, causes, contexts and reasons."""
    found: list[BaseException] = []
    todo = [error]
    while todo:
        each = todo.pop()
        if isinstance(each, BaseException) and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__, getattr(each, "reason", None)]
            todo += getattr(each, "exceptions", ())
    return found


def is_public(error: object) -> bool:
    """Check whether users can name all that an error consists of, where it is the library's."""
    kinds = {type(each) for each in everything(error)}
    ours = [kind for kind in kinds if kind.__module__.startswith("trio_otp")]
    return all(getattr(otp, kind.__name__, None) is kind for kind in ours)


def exit_beside(error: object) -> object:
    """Return the reason of the `otp.exit` that an error has on its chain."""
    [reason] = [each.reason for each in everything(error) if isinstance(each, otp.ProcessExited)]
    return reason


# -- blocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("block", BLOCKS)
def test_the_error_of_a_body_leaves_as_it_is(block: str, error: str, strict: bool) -> None:
    """The same object, with its class, notes and traceback; nothing is put onto its chain."""
    raised = ERRORS[error]()

    async def buy() -> None:
        raise raised

    got = run(left, BLOCKS[block], buy, strict=strict)
    assert raised is got
    assert ["sent by customer 12"] == got.__notes__
    assert "buy" in [frame.name for frame in traceback.extract_tb(got.__traceback__)]
    assert None is got.__cause__ is got.__context__


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("block", NURSING)
def test_a_nursery_in_the_body_is_taken_off(block: str, error: str, strict: bool) -> None:
    """Of what several nurseries have wrapped, what was raised; a group below is whole."""
    raised = ERRORS[error]()
    got = run(left, BLOCKS[block], nursed(raised, 3), strict=strict)
    parts = len(getattr(raised, "exceptions", ()))
    assert (str(raised), parts) == (str(got), len(getattr(got, "exceptions", ())))
    assert ["sent by customer 12"] == got.__notes__


@pytest.mark.parametrize("how", [raising, nursed])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), Stranger()])
@pytest.mark.parametrize("block", NURSING)
def test_what_is_no_error_leaves_bare(block: str, error: BaseException, how: Any) -> None:
    """No group is around it."""
    assert error is run(left, BLOCKS[block], how(error))


@pytest.mark.parametrize("block", NURSING)
def test_what_ends_the_program_outdoes_what_came_with_it(block: str) -> None:
    """It leaves alone, and has the rest as its context."""
    stop, error = SystemExit(3), Invalid("order 7", [ValueError("price")])

    async def body() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(raising(error))
            nursery.start_soon(raising(stop))

    got = run(left, BLOCKS[block], body)
    assert stop is got
    assert isinstance(got.__context__, ExceptionGroup)
    assert "order 7 (1 sub-exception)" == str(got.__context__)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_cancelled_block_is_left_by_the_cancellation(block: str) -> None:
    """It reaches the scope that it is for."""

    async def main() -> None:
        registry = otp.child(otp.Registry, keys="duplicate").having(name="reg")
        async with otp.open_supervisor([registry]):
            with trio.move_on_after(1) as scope:
                async with BLOCKS[block](), trio.open_nursery() as nursery:
                    nursery.start_soon(trio.sleep_forever)
                    await trio.sleep_forever()
            assert scope.cancelled_caught

    run(main)


@pytest.mark.parametrize("block", NURSING)
def test_a_group_is_whole_also_if_its_block_is_being_cancelled(block: str) -> None:
    """A scope of Trio would take it apart."""
    raised = Invalid("order 7", [ValueError("price")])

    async def main() -> None:
        with trio.move_on_after(1):
            async with BLOCKS[block]():
                try:
                    await trio.sleep_forever()
                finally:
                    raise raised

    async def inside() -> BaseException | None:
        registry = otp.child(otp.Registry, keys="duplicate").having(name="reg")
        async with otp.open_supervisor([registry]):
            try:
                await main()
            except Exception as exc:
                return exc
        return None

    got = run(inside)
    assert "order 7 (1 sub-exception)" == str(got)


def test_a_guest_loop_hands_on_the_error_of_its_run() -> None:
    """Whole, as the run of a block does; what ends the program leaves bare."""
    raised = noted(Invalid("order 7", [ValueError("price")]))
    with GuestLoop() as loop, pytest.raises(Invalid) as caught:
        loop.run(raising(raised))
    assert raised is caught.value
    stop = SystemExit(3)
    loop = GuestLoop()
    with pytest.raises(SystemExit) as ended:
        loop.run(raising(stop))
    assert stop is ended.value
    loop.close()


# -- exit reasons ----------------------------------------------------------------------------------


async def reason_of(body: Callable[..., Awaitable[Any]]) -> object:
    """Return the exit reason of a process that runs a body."""
    otp.spawn_monitor(body)
    return (await otp.receive(otp.Down)).reason


async def reason_of_server(body: Callable[..., Awaitable[Any]]) -> object:
    """Return the reason of which a server dies whose callback does that."""
    pid = await otp.start_link(otp.child(Shop))
    try:
        await Shop.do(pid, body)
    except otp.ServerExited as exc:
        return exc.reason if (await otp.receive(otp.Exit)).reason is exc.reason else exc
    return None


async def reason_of_task(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why a task has no result."""
    result = await otp.task.yield_one(otp.task.start_async(body), None)
    assert isinstance(result, otp.task.Exited)
    await otp.receive(otp.Exit)
    return result.reason


async def reason_of_stream(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why an item of a stream has no result."""

    async def each(_: int) -> Any:
        return await body()

    async with otp.task.async_stream([1], each, timeout=None) as results:
        [result] = [result async for result in results]
    assert isinstance(result, otp.task.Exited)
    return result.reason


async def reason_of_helper(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why a helper that was to answer has not."""
    pid = await otp.start_link(otp.child(Shop))
    try:
        await Shop.do_in_task(pid, body)
    except otp.ServerExited as exc:
        return exc.reason
    return None


async def reason_of_init(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why a server has not started."""

    class Late(otp.GenServer):
        async def init(self) -> None:
            await body()

    try:
        await otp.start_link(otp.child(Late))
    except otp.StartError as exc:
        return exc.reason
    return None


async def reason_of_handler(body: Callable[..., Awaitable[Any]]) -> object:
    """Return why an event handler is not there any more."""

    class Handler(otp.GenEvent):
        async def handle_call(self, request: object) -> Any:
            return await body()

    manager = await otp.start_link(otp.child(otp.EventManager, [Handler]))
    try:
        await otp.gen_event.call(manager, Handler, "do", timeout=None)
    except otp.HandlerCrashed as exc:
        return exc.reason
    return None


async def reason_of_statem(body: Callable[..., Awaitable[Any]]) -> object:
    """Return the reason of which a state machine dies whose callback does that."""

    class Door(otp.GenStatem):
        def init(self) -> Any:
            return otp.NextState("open")

        async def handle_event(self, kind: Any, content: Any, state: Any) -> Any:
            await body()

    pid = await otp.start_link(otp.child(Door))
    try:
        await otp.call(pid, "do", timeout=None)
    except otp.ServerExited as exc:
        return exc.reason
    return None


async def reason_of_child(body: Callable[..., Awaitable[Any]]) -> object:
    """Return what a supervisor's history says of a child."""
    wanted = otp.child(body).having(id="only")
    try:
        async with otp.open_supervisor([wanted], max_restarts=0) as sup:
            await sup.wait()
    except otp.SupervisorExited as exc:
        return exc.history[-1][2]
    return None


ENDS: list[Callable[..., Awaitable[object]]] = [
    reason_of,
    reason_of_server,
    reason_of_task,
    reason_of_stream,
    reason_of_helper,
    reason_of_init,
    reason_of_handler,
    reason_of_statem,
    reason_of_child,
]


async def as_process(end: Callable[..., Awaitable[object]], body: Any) -> object:
    logging.disable(logging.CRITICAL)
    try:
        async with otp.open_process(trap_exit=True):
            return await end(body)
    finally:
        logging.disable(logging.NOTSET)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("end", ENDS)
def test_a_crash_is_the_reason_as_it_is(end: Any, error: str, strict: bool) -> None:
    """Also if it came up through nurseries, of which nothing is left."""
    raised = ERRORS[error]()
    assert raised is run(as_process, end, raising(raised), strict=strict)
    raised = ERRORS[error]()
    reason = run(as_process, end, nursed(raised, 3), strict=strict)
    assert str(raised) == str(reason)
    assert ["sent by customer 12"] == getattr(reason, "__notes__", None)
    assert is_public(reason)


async def leave_beside_a_crash() -> None:
    """Call `otp.exit` while the clean-up of another task raises."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crash_in_clean_up)
        await wait_all_tasks_blocked()
        otp.exit("bye")


async def crash_in_clean_up() -> None:
    try:
        await trio.sleep_forever()
    finally:
        raise KeyError("clean-up")


async def crash_while_leaving() -> None:
    """Raise in the `finally` of an `otp.exit`."""
    try:
        otp.exit("bye")
    finally:
        raise KeyError("clean-up")


async def crash_from_leaving() -> None:
    """Give an `otp.exit` as the cause of an error."""
    try:
        otp.exit("bye")
    except BaseException as exc:
        raise KeyError("clean-up") from exc


async def crash_in_a_generator() -> None:
    """Raise in the clean-up of an async generator that `otp.exit` has left."""

    async def items() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            raise KeyError("clean-up")

    generator = items()
    async for _ in generator:
        try:
            otp.exit("bye")
        finally:
            await generator.aclose()  # type: ignore[attr-defined]  # it is a generator


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "body",
    [leave_beside_a_crash, crash_while_leaving, crash_from_leaving, crash_in_a_generator],
)
@pytest.mark.parametrize("end", ENDS)
def test_a_crash_beside_an_exit_is_the_reason(end: Any, body: Any, strict: bool) -> None:
    """It has the exit as its context, by a public name."""
    reason = run(as_process, end, body, strict=strict)
    assert isinstance(reason, KeyError)
    assert is_public(reason)
    if body is not crash_in_a_generator:  # Python puts only its GeneratorExit there
        assert "bye" == exit_beside(reason)


async def leave_deep() -> None:
    """Call `otp.exit` in a helper task of a nursery in a nursery."""

    async def leave() -> None:
        otp.exit("bye")

    async with trio.open_nursery() as outer, trio.open_nursery() as inner:
        outer.start_soon(trio.sleep_forever)
        inner.start_soon(leave)


async def leave_twice() -> None:
    """Call `otp.exit` in two tasks at once."""

    async def leave() -> None:
        otp.exit("bye")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave)
        nursery.start_soon(leave)


async def leave_in_clean_up() -> None:
    """Call `otp.exit` in the `finally` of a crash."""
    try:
        raise KeyError("before")
    finally:
        otp.exit("bye")


async def leave_from_a_thread() -> None:
    """Call `otp.exit` for a worker thread."""
    await trio.to_thread.run_sync(trio.from_thread.run_sync, otp.exit, "bye")


async def leave_with_what_was_caught() -> None:
    """Give `otp.exit` what an earlier one has raised, which the code has caught."""
    try:
        otp.exit("bye")
    except BaseException as exc:
        otp.exit(exc)


EXITS = [
    leave_deep,
    leave_twice,
    leave_in_clean_up,
    leave_from_a_thread,
    leave_with_what_was_caught,
]


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("body", EXITS)
@pytest.mark.parametrize("end", ENDS)
def test_the_reason_of_an_exit_is_what_it_was_given(end: Any, body: Any, strict: bool) -> None:
    """Wherever in the code of a process it was called."""
    assert "bye" == run(as_process, end, body, strict=strict)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("body", EXITS)
def test_an_exit_leaves_open_process_as_its_error(body: Any, strict: bool) -> None:
    """With what the code was handling as its context."""
    got = run(left, otp.open_process, body, strict=strict)
    assert isinstance(got, otp.ProcessExited)
    assert "bye" == got.reason
    assert is_public(got)
    if body is leave_in_clean_up:
        assert isinstance(got.__context__, KeyError)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "body",
    [leave_beside_a_crash, crash_while_leaving, crash_from_leaving, crash_in_a_generator],
)
def test_a_crash_beside_an_exit_leaves_open_process(body: Any, strict: bool) -> None:
    """The error of the body is what is told; the exit is its context."""
    got = run(left, otp.open_process, body, strict=strict)
    assert isinstance(got, KeyError)
    assert is_public(got)
    if body is not crash_in_a_generator:
        assert "bye" == exit_beside(got)


async def test_a_crash_in_the_clean_up_after_a_signal_has_the_signal_as_its_context() -> None:
    """The block tells both."""

    async def crash() -> None:
        raise ValueError("linked")

    async def body() -> None:
        otp.spawn_link(crash)
        await crash_in_clean_up()

    got = await left(otp.open_process, body)
    assert isinstance(got, KeyError)
    assert isinstance(exit_beside(got), ValueError)


async def test_a_normal_exit_beside_a_cancellation_leaves_the_cancellation() -> None:
    """Nothing has failed, and the scope around the block gets what it is for."""

    async def sleep() -> None:
        try:
            await trio.sleep_forever()
        finally:
            otp.exit(otp.NORMAL)

    with trio.CancelScope() as scope:
        async with otp.open_process(), trio.open_nursery() as nursery:
            nursery.start_soon(sleep)
            nursery.start_soon(trio.sleep_forever)
            scope.cancel()
    assert scope.cancelled_caught


async def test_the_order_to_end_is_not_on_the_chain_of_last_words() -> None:
    """A `terminate` that raises is a crash without anything private behind it."""
    words = KeyError("last words")
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(otp.child(Shop, words))
        with pytest.raises(otp.ServerExited) as caught:
            await otp.stop(pid)
    assert words is caught.value.reason
    assert is_public(caught.value)


async def test_a_group_of_last_words_is_reported_with_the_state(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also one that holds an exit beside the error."""

    class Last(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            await leave_beside_a_crash()

    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(otp.child(Last))
        with pytest.raises(otp.ServerExited) as caught:
            await otp.stop(pid)
    assert isinstance(caught.value.reason, KeyError)
    assert "clean-up" in caplog.text


# -- what ends the program -------------------------------------------------------------------------


async def by_call() -> None:
    await Shop.do("shop", raising(SystemExit(3)))


async def by_cast() -> None:
    Shop.do_later("shop", raising(SystemExit(3)))
    await trio.sleep_forever()


async def by_start() -> None:
    class Early(otp.GenServer):
        async def init(self) -> None:
            raise SystemExit(3)

    await otp.start_child("sup", otp.child(Early))


async def by_stop() -> None:
    await otp.stop("last")


async def by_terminate_child() -> None:
    await otp.terminate_child("sup", "last")


async def by_task() -> None:
    await otp.task.await_one(otp.task.start_async(raising(SystemExit(3))))


async def by_stream() -> None:
    async def each(_: int) -> None:
        raise SystemExit(3)

    async with otp.task.async_stream([1], each) as results:
        async for _ in results:
            pass


async def by_receive() -> None:
    otp.spawn_monitor(raising(SystemExit(3)))
    await otp.receive(otp.Down)
    await trio.sleep_forever()


async def by_request() -> None:
    request = otp.send_request("shop", "unknown")
    Shop.do_later("shop", raising(SystemExit(3)))
    await otp.receive_response(request)


async def by_crash_of_its_own() -> None:
    try:
        await by_call()
    except otp.ServerExited:
        raise ValueError("of the body") from None


async def by_terminate_after_it() -> None:
    await Shop.do("last", raising(SystemExit(3)))


WAYS = [
    by_call,
    by_cast,
    by_start,
    by_stop,
    by_terminate_child,
    by_task,
    by_stream,
    by_receive,
    by_request,
    by_crash_of_its_own,
    by_terminate_after_it,
]


class Whole(otp.Application):
    def start(self) -> Any:
        return otp.child(otp.Supervisor, shops(SystemExit(3))).having(name="sup")


def shops(last_words: BaseException) -> list[Any]:
    return [
        otp.child(Shop).having(name="shop", id="shop"),
        otp.child(Shop, last_words).having(name="last", id="last"),
    ]


@asynccontextmanager
async def processes() -> AsyncIterator[None]:
    async with otp.open_process():
        sup = otp.child(otp.Supervisor, shops(SystemExit(3))).having(name="sup")
        await otp.start_link(sup)
        yield


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "block",
    [
        lambda: otp.open_supervisor(shops(SystemExit(3)), name="sup"),
        lambda: otp.open_application(Whole),
        processes,
    ],
    ids=["open_supervisor", "open_application", "open_process"],
)
def test_system_exit_leaves_bare_whatever_waits(block: Any, way: Any, strict: bool) -> None:
    """The status is that of the program, also if the block waits for the process it came from."""
    if way is by_terminate_after_it:  # the first one counts, and a crash of `terminate` does not

        def block() -> Any:
            return otp.open_supervisor(shops(ValueError("last words")))

    async def main() -> None:
        async with otp.open_process(), block():
            await way()

    with pytest.raises(SystemExit) as caught:
        run(main, strict=strict)
    assert 3 == caught.value.code
    assert is_public(caught.value)


class EndsAtStart(otp.Application):
    def start(self) -> Any:
        raise SystemExit(3)


class EndsInInit(otp.Application):
    def start(self) -> Any:
        return otp.child(otp.Supervisor, [otp.child(raising(SystemExit(3)))])


class EndsAtPrepStop(App):
    name = "ends_at_prep_stop"

    def prep_stop(self) -> None:
        raise SystemExit(3)


class EndsAtStop(App):
    name = "ends_at_stop"

    async def stop(self) -> None:
        raise SystemExit(3)


class Needs(App):
    name = "needs"
    dependencies = (EndsInInit,)


@pytest.mark.parametrize("mode", ["serial", "concurrent"])
@pytest.mark.parametrize(
    "application", [EndsAtStart, EndsInInit, EndsAtPrepStop, EndsAtStop, Needs]
)
def test_system_exit_leaves_an_application(application: Any, mode: Any) -> None:
    """Bare, whatever it was doing."""

    async def main() -> None:
        async with otp.open_application(application, mode=mode):
            await wait_all_tasks_blocked()

    with pytest.raises(SystemExit) as caught:
        run(main)
    assert 3 == caught.value.code


def test_system_exit_leaves_otp_run() -> None:
    """With its status, in whatever the application does."""
    with pytest.raises(SystemExit) as caught:
        otp.run(EndsInInit)
    assert 3 == caught.value.code


# -- callbacks of applications ---------------------------------------------------------------------


@pytest.mark.parametrize("error", ERRORS)
def test_a_callback_of_an_application_is_reported_with_its_error(error: str) -> None:
    """A nursery in it adds nothing."""
    raised, reports = ERRORS[error](), []

    class Stops(App):
        name = "stops"

        async def prep_stop(self) -> None:
            await nursed(raised)()

    async def main() -> None:
        async with otp.open_application(Stops):
            runtime().events.attach("crash", reports.append)

    run(main)
    [report] = reports
    assert str(raised) == str(report.reason)


def test_a_config_change_fails_with_its_error() -> None:
    """A nursery in it adds nothing."""
    raised = KeyError("port")

    class Listens(App):
        name = "listens"
        environment: ClassVar[Any] = {"port": 80}

        async def config_change(self, *change: object) -> None:
            await nursed(raised, 2)()

    async def main() -> None:
        async with otp.open_application(Listens):
            with pytest.raises(otp.ConfigChangeError) as caught:
                await otp.application.reload_config({"listens": {"port": 8080}})
        assert {"listens": raised} == caught.value.errors
        assert raised is caught.value.__cause__

    run(main)


# -- a supervisor that has given up ----------------------------------------------------------------


@pytest.mark.parametrize("how", ["clean-up", "call"])
def test_the_end_of_the_supervisor_is_the_context_of_what_the_body_raises(how: str) -> None:
    """With the crash as its cause; the error of the body leaves as it is."""
    crash, raised = ValueError("no disk"), Invalid("order 7", [KeyError("price")])

    async def body() -> None:
        if how == "call":
            try:
                await Shop.do("shop", raising(crash))
            except otp.ServerExited:
                raise raised from None
        Shop.do_later("shop", raising(crash))
        try:
            await trio.sleep_forever()
        finally:
            raise raised

    def block() -> Any:
        return otp.open_supervisor([otp.child(Shop).having(name="shop")], max_restarts=0)

    got = run(left, block, body)
    assert raised is got
    assert isinstance(got.__context__, otp.SupervisorExited)
    assert crash is got.__context__.__cause__


def test_the_end_of_an_application_is_the_context_of_what_the_body_raises() -> None:
    """As with a supervisor."""
    crash, raised = ValueError("no disk"), Invalid("order 7", [KeyError("price")])

    class Broken(otp.Application):
        def start(self) -> Any:
            shop = otp.child(Shop).having(name="shop")
            return otp.child(otp.Supervisor, [shop], max_restarts=0)

    async def body() -> None:
        Shop.do_later("shop", raising(crash))
        try:
            await trio.sleep_forever()
        finally:
            raise raised

    got = run(left, lambda: otp.open_application(Broken), body)
    assert raised is got
    assert isinstance(got.__context__, otp.ApplicationExited)


def test_a_supervisor_that_gave_up_is_told_although_its_block_is_cancelled() -> None:
    """The body has nothing to say, and the end of the tree must not be lost."""

    async def body() -> None:
        Shop.do_later("shop", raising(ValueError("no disk")))
        await trio.sleep_forever()

    def block() -> Any:
        return otp.open_supervisor([otp.child(Shop).having(name="shop")], max_restarts=0)

    assert isinstance(run(left, block, body), otp.SupervisorExited)


# -- answers that are errors -----------------------------------------------------------------------


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
        ((StopIteration,), "StopIteration: it cannot be raised in a coroutine"),
        ((KeyError, StopAsyncIteration), "StopAsyncIteration: it cannot be raised in a coroutine"),
        ((GeneratorExit,), "expected subclasses of Exception; GeneratorExit ends more than a call"),
        ((SystemExit,), "expected subclasses of Exception; SystemExit ends more than a call"),
        (BaseException, "expected subclasses of Exception; BaseException ends more than a call"),
        ((int,), "expected subclasses of Exception; int is none"),
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


@pytest.mark.parametrize("end", ENDS)
async def test_the_end_of_an_iteration_that_is_no_answer_is_a_crash(end: Any) -> None:
    """Python turns it into a RuntimeError as it leaves the coroutine, whose cause it is."""
    reason = await as_process(end, raising(StopIteration("end")))
    assert isinstance(reason, RuntimeError)
    assert isinstance(reason.__cause__, StopIteration)
    assert isinstance(await as_process(end, raising(StopAsyncIteration())), StopAsyncIteration)


async def test_a_callback_that_never_waits_ends_its_server_the_same_way() -> None:
    """Without a coroutine of its own, by that of the server."""
    async with otp.open_process(trap_exit=True):
        pid = await otp.start_link(Shop)
        with pytest.raises(otp.ServerExited) as caught:
            await Shop.do_sync(pid, lambda: next(iter([])))
    assert isinstance(caught.value.reason, RuntimeError)
    assert isinstance(caught.value.reason.__cause__, StopIteration)


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
