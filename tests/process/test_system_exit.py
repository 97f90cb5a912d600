"""SystemExit in a process leaves whatever block waits for it, bare and with its status."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from bare_kit import (
    App,
    Shop,
    is_public,
    raising,
    run,
)
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
