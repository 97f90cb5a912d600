"""Moments that only luck leads to: of the thread of a notebook's loop, and of a watch."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from trio_otp.notebook import watch
from trio_otp.notebook.cell import Cell
from trio_otp.notebook.loop import Loop


def test_a_cell_for_a_loop_that_has_ended_gets_an_error() -> None:
    """It was given to the loop before the shell had noticed the end; it does not run."""
    loop = Loop({})
    loop.stop()

    async def body() -> None:
        raise AssertionError("it runs")

    cell = Cell(body())
    loop.start(cell)
    with pytest.raises(RuntimeError, match="was stopped; write %reload_ext"):
        cell.wait()


class BusyLoop:
    """Does nothing of what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.seen = threading.Semaphore(0)  # released at each interval

    @property
    def ended(self) -> None:
        self.seen.release()

    def soon(self, function: object) -> None:
        self.asked.append(function)


def test_a_watch_asks_a_busy_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not again in each interval, until the loop has looked."""
    monkeypatch.setattr(watch, "INTERVAL", 0.001)
    loop: Any = BusyLoop()
    shell: Any = SimpleNamespace(
        display_formatter=SimpleNamespace(format=lambda value: ({"text/plain": value}, {})),
        display_pub=SimpleNamespace(publish=lambda *_, **__: None),
    )
    watching = watch.Watch(shell, loop, lambda: "drawn")
    watching.start()
    for _ in range(4):
        assert loop.seen.acquire(timeout=60)
    watching.stop()

    assert 1 == len(loop.asked)
