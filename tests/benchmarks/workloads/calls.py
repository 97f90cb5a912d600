"""A request and its answer."""

from __future__ import annotations

from ..floors import calls as floors
from ..lanes import Race, Sizes, floor, ours
from ..measure import Measure
from ..ours import calls
from ..ours.servers import Plain, PlainAsync, Sleeping, Typed, TypedAsync

CALL = Race(
    name="call",
    title="call, one after the other",
    what="calls",
    measure=Measure.RATE,
    sizes=Sizes(full=3000, quick=800),
    lanes=(
        floor("F0", "a checkpoint", floors.checkpoints),
        floor("F1", "ping-pong", floors.ping_pong),
        floor("F2", "channel + reschedule", floors.channel_and_reschedule),
        floor("F3", "channel + event", floors.channel_and_event),
        floor("F4", "two channels", floors.two_channels),
        floor("F5", "F2 in fail_after", floors.cancel_scopes),
        floor("F6", "F2 + deadlines", floors.fifo_deadlines),
        ours("plain", "otp.call, def", calls.plain, Plain),
        ours("plain_async", "otp.call, async def", calls.plain, PlainAsync),
        ours("no_limit", "otp.call, timeout=None", calls.without_limit),
        ours("typed", "client, def", calls.client, Typed),
        ours("typed_async", "client, async def", calls.client, TypedAsync),
        ours("typed_at", "Class.at(pid) each time", calls.client_anew),
        ours("typed_bound", "bound method", calls.bound_method),
        ours("name", "otp.call by name", calls.by_name),
        ours("via", "otp.call via registry", calls.via),
        ours("deferred", "answered by otp.reply", calls.deferred),
    ),
)
CONCURRENT = Race(
    name="concurrent",
    title="call, 100 callers at once",
    what="calls",
    measure=Measure.RATE,
    sizes=Sizes(full=10_000, quick=1500),
    lanes=(
        floor("F7", "F2, 100 callers", floors.hundred_callers),
        ours("plain", "otp.call, def", calls.hundred_callers),
        ours("typed", "client, def", calls.hundred_clients),
    ),
)
WAKE = Race(
    name="wake",
    title="call that wakes a server",
    what="calls",
    measure=Measure.RATE,
    sizes=Sizes(full=3000, quick=800),
    lanes=(
        ours("asleep", "it sleeps", calls.plain, Sleeping),
        ours("plain", "it waits", calls.plain, Plain),
    ),
)
RACES = (CALL, CONCURRENT, WAKE)
