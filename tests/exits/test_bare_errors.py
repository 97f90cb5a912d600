"""What leaves a block: the error of its body, bare and whole, and nothing private."""

from __future__ import annotations

import gc
import traceback
import weakref
from typing import Any

import pytest
import trio
import trio.testing
from bare_kit import (
    BLOCKS,
    ERRORS,
    EXITS,
    NURSING,
    Invalid,
    Missing,
    Shop,
    Stranger,
    crash_from_leaving,
    crash_in_a_generator,
    crash_in_clean_up,
    crash_while_leaving,
    exit_beside,
    is_public,
    leave_beside_a_crash,
    leave_in_clean_up,
    left,
    noted,
    nursed,
    raising,
    run,
)
from inside import essence

import trio_otp as otp
from trio_otp.testing import GuestLoop


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


async def raise_a_group() -> None:
    raise Invalid("order 7", [ValueError("price")])


async def raise_an_error() -> None:
    raise Missing("price")


@pytest.mark.sampled(5)
@pytest.mark.parametrize("body", [raise_an_error, raise_a_group, leave_in_clean_up])
@pytest.mark.parametrize("block", NURSING)
def test_what_has_left_is_freed_at_once(block: str, body: Any) -> None:
    """No frame of the block holds on to it, so it needs no garbage collector."""

    async def leave() -> Any:
        around = otp.open_process if body is leave_in_clean_up else BLOCKS[block]
        error: Any = await left(around, body)
        gone = weakref.ref(error)
        del error
        return gone() is None

    gc.collect()
    gc.disable()
    try:
        assert run(leave)
    finally:
        gc.enable()


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


# -- an exit of the block itself -------------------------------------------------------------------


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


async def test_a_monitor_of_a_block_is_told_the_group_that_its_body_raised() -> None:
    """The very object; `split` would make another, of another class."""
    raised = Invalid("order 7", [ValueError("price")])
    reasons: list[object] = []

    async def watch(block: otp.Pid[Any]) -> None:
        otp.monitor(block)
        reasons.append((await otp.receive(otp.Down)).reason)

    async with trio.open_nursery() as nursery:

        async def leave() -> None:
            async with otp.open_process() as block:
                otp.spawn(watch, block, nursery=nursery)
                await trio.testing.wait_all_tasks_blocked()
                raise raised

        with pytest.raises(Invalid):
            await leave()
        await trio.testing.wait_all_tasks_blocked()
    assert [raised] == reasons
    assert raised is reasons[0]


def test_a_group_beside_an_exit_keeps_its_class() -> None:
    """Only the exit is taken out of the group in which both are."""
    raised = Invalid("order 7", [ValueError("price")])

    async def body() -> None:
        try:
            otp.exit("bye")
        except BaseException as leaving:
            raise BaseExceptionGroup("both", [raised, leaving]) from None

    got = run(left, otp.open_process, body)
    assert isinstance(got, ExceptionGroup)
    assert "both" == got.message
    assert raised is got.exceptions[0]


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


def test_of_several_errors_at_one_time_none_is_lost() -> None:
    """Plain errors are told together; one that is no Exception has the others as its context."""
    one, two, stranger = ValueError(1), KeyError(2), Stranger("x")

    together = essence([one, two])
    assert isinstance(together, ExceptionGroup)
    assert (one, two) == together.exceptions
    assert stranger is essence([one, stranger])
    assert one is stranger.__context__
