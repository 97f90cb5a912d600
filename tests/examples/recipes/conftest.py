"""A virtual clock for recipes that use threads."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def clock_beside_threads(monkeypatch: pytest.MonkeyPatch) -> trio.testing.MockClock:
    """A clock that jumps, but not while a thread works; the run has to be given it."""
    clock = trio.testing.MockClock(autojump_threshold=0)
    run_sync, working = trio.to_thread.run_sync, 0

    async def held(function: Callable[..., Any], *args: Any) -> Any:
        nonlocal working
        working += 1
        clock.autojump_threshold = math.inf
        try:
            return await run_sync(function, *args)
        finally:
            working -= 1
            if not working:
                clock.autojump_threshold = 0

    monkeypatch.setattr(trio.to_thread, "run_sync", held)
    return clock
