"""Messages that nobody answers."""

from __future__ import annotations

from ..floors import casts as floors
from ..lanes import Race, Sizes, floor, ours
from ..measure import Measure
from ..ours import casts
from ..ours.servers import Plain, PlainAsync, Typed, TypedAsync

BURST = Race(
    name="cast",
    title="cast, all at once, then handled",
    what="casts",
    measure=Measure.RATE,
    sizes=Sizes(full=20_000, quick=3000),
    lanes=(
        floor("F8", "async for", floors.one_by_one),
        floor("F9", "64 at a time", floors.drained),
        floor("F10", "F9 with a deque", floors.deque_drained),
        ours("plain", "otp.cast, def", casts.plain, Plain),
        ours("plain_async", "otp.cast, async def", casts.plain, PlainAsync),
        ours("typed", "client, def", casts.client, Typed),
        ours("typed_async", "client, async def", casts.client, TypedAsync),
        ours("typed_bound", "bound method, async def", casts.bound_method, TypedAsync),
        ours("name", "otp.cast by name", casts.by_name),
        ours("via", "otp.cast via registry", casts.via),
    ),
)
TRICKLE = Race(
    name="trickle",
    title="cast, one at a time",
    what="casts",
    measure=Measure.RATE,
    sizes=Sizes(full=3000, quick=1000),
    lanes=(
        floor("F8", "channel", floors.trickle),
        ours("plain", "otp.cast, def", casts.trickle, Plain),
        ours("plain_async", "otp.cast, async def", casts.trickle, PlainAsync),
        ours("typed", "client, def", casts.client_trickle, Typed),
        ours("typed_async", "client, async def", casts.client_trickle, TypedAsync),
    ),
)
RACES = (BURST, TRICKLE)
