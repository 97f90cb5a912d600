"""The breaker opens after failures in a row, rests, and lets one call try."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp
from examples.recipes import circuit_breaker
from examples.recipes.circuit_breaker import Breaker, CircuitOpen, guarded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Service:
    """Counts how often it is asked, and fails while it is down."""

    def __init__(self) -> None:
        self.asked = 0
        self.down = True

    async def __call__(self) -> str:
        self.asked += 1
        await trio.sleep(0.1)
        if self.down:
            raise OSError("down")
        return "up"


@asynccontextmanager
async def opened() -> AsyncGenerator[Service]:
    """Run a breaker that has just opened, after three failures."""
    service = Service()
    child = otp.child(Breaker, failures=3, cool_down=10.0).having(name="b")
    async with otp.open_supervisor([child]):
        for _ in range(3):
            with pytest.raises(OSError, match="down"):
                await guarded("b", service)
        yield service


async def test_it_opens_after_failures_in_a_row(autojump_clock: Any) -> None:
    """Then the service is not asked any more."""
    async with opened() as service:
        for _ in range(5):
            with pytest.raises(CircuitOpen):
                await guarded("b", service)
        assert 3 == service.asked


async def test_a_success_ends_the_row(autojump_clock: Any) -> None:
    """Two failures, a success and two failures are not three in a row."""
    service = Service()
    child = otp.child(Breaker, failures=3, cool_down=10.0).having(name="b")
    async with otp.open_supervisor([child]):
        for down in (True, True, False, True, True):
            service.down = down
            try:
                assert "up" == await guarded("b", service)
            except OSError:
                assert down
        service.down = False
        assert "up" == await guarded("b", service)


async def test_one_call_tries_when_it_has_cooled_down(autojump_clock: Any) -> None:
    """The others are refused until it is known how that went."""
    async with opened() as service:
        service.down = False
        await trio.sleep(11)
        results: list[Any] = []

        async def ask() -> None:
            try:
                results.append(await guarded("b", service))
            except CircuitOpen:
                results.append("refused")

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(ask)
        assert ["refused", "refused", "up"] == results
        assert 4 == service.asked
        assert "up" == await guarded("b", service)


async def test_a_try_that_fails_lets_it_rest_again(autojump_clock: Any) -> None:
    """For the whole time."""
    async with opened() as service:
        await trio.sleep(11)
        with pytest.raises(OSError, match="down"):
            await guarded("b", service)
        await trio.sleep(9)
        with pytest.raises(CircuitOpen):
            await guarded("b", service)


async def test_one_that_never_tells_keeps_nobody_waiting(autojump_clock: Any) -> None:
    """If the one that tries is cancelled, another one may try later."""
    async with opened() as service:
        await trio.sleep(11)
        with trio.move_on_after(0.05):
            await guarded("b", service)
        service.down = False
        with pytest.raises(CircuitOpen):
            await guarded("b", service)
        await trio.sleep(10)
        assert "up" == await guarded("b", service)


async def test_what_it_prints(autojump_clock: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Three failures, two refusals, a try in vain, two refusals, and it works."""
    await circuit_breaker.main()
    refused, failed, works = "CircuitOpen()", "OSError('connection refused')", "here I am"
    expected = [*[failed] * 3, refused, refused, failed, refused, refused, works, works]
    assert expected == capsys.readouterr().out.splitlines()
