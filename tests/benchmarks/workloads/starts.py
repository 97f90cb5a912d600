"""Starts, stops, and what a server weighs."""

from __future__ import annotations

from ..floors import memory
from ..floors import starts as floors
from ..lanes import Race, Sizes, floor, ours
from ..measure import Measure
from ..ours import starts
from ..ours.servers import Plain, Sleeping, TypedAsync

START = Race(
    name="start",
    title="start, one after the other",
    what="starts",
    measure=Measure.RATE,
    sizes=Sizes(full=1000, quick=200),
    lanes=(
        floor("F11", "start_soon", floors.start_soon),
        floor("hand-made", "start_soon, handshake, kept", floors.hand_made_start),
        floor("nursery.start", "of a waiting task", floors.nursery_start),
        floor("nursery.start/empty", "of an empty task", floors.nursery_start_empty),
        ours("nursery", "otp.start", starts.in_nursery),
        ours("link", "otp.start_link", starts.linked),
        ours("dynamic", "start_child, DynamicSupervisor", starts.dynamic_children),
        ours("static", "start_child, Supervisor", starts.static_children),
    ),
)
STOP = Race(
    name="stop",
    title="start and stop, one after the other",
    what="starts and stops",
    measure=Measure.RATE,
    sizes=Sizes(full=1000, quick=200),
    lanes=(
        floor("start+cancel", "nursery.start, cancel", floors.start_and_end),
        ours("stop", "otp.start, otp.stop", starts.start_and_stop),
    ),
)
MEMORY = Race(
    name="memory",
    title="memory of an idle server",
    what="servers",
    measure=Measure.MEMORY,
    sizes=Sizes(full=2000, quick=300, rounds=3, quick_rounds=1),
    lanes=(
        floor("F12", "task, channel", memory.parked_with_channel),
        floor("F12+scope", "task, channel, scope", memory.parked_with_channel_and_scope),
        floor("F12-deque", "task, deque", memory.parked_with_deque),
        floor("F13", "no task", memory.no_task),
        ours("plain", "otp.start, plain", starts.memory, Plain),
        ours("typed", "otp.start, typed", starts.memory, TypedAsync),
        ours("asleep", "otp.start, asleep", starts.memory, Sleeping),
        ours("supervised", "DynamicSupervisor's child", starts.supervised_memory),
    ),
    note="Allocated bytes, by tracemalloc.",
)
RACES = (START, STOP, MEMORY)
