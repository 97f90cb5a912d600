"""transitions, its asynchronous machine, on asyncio."""

from __future__ import annotations

import asyncio

from transitions.extensions.asyncio import AsyncMachine

from ..measure import Sample, Watch
from .on_transitions import make


async def _events(n: int) -> Sample:
    model = make(AsyncMachine)
    go = model.go
    watch = Watch()
    for _ in range(n):
        await go()
    return watch.sample(model.entered)


def events(n: int) -> Sample:
    return asyncio.run(_events(n))


LANES = {"statem": events}
