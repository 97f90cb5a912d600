"""What concerns the whole program: fairness, import time, very many servers."""

from __future__ import annotations

import functools

from ..floors import others as floors
from ..lanes import Kind, Lane, Race, Sizes, floor, ours
from ..measure import Measure
from ..ours import work
from ..ours.servers import Plain, PlainAsync
from ..processes import import_time, many

FLOODS = tuple(
    Race(
        name=name,
        title=f"a flood of casts: the longest turn of the server, in {words}",
        what="casts",
        measure=measure,
        sizes=Sizes(full=5000, quick=2000, quick_rounds=3),
        lanes=(
            floor("F8", "async for", functools.partial(floors.flood_one_by_one, measure=words)),
            floor("F9", "64 at a time", functools.partial(floors.flood_drained, measure=words)),
            ours("plain", "def", work.flood, Plain, words),
            ours("plain_async", "async def", work.flood, PlainAsync, words),
        ),
    )
    for name, measure, words in (
        ("delay.messages", Measure.MESSAGES, "messages"),
        ("delay", Measure.DELAY, "seconds"),
    )
)
IMPORT = Race(
    name="import",
    title="import in a fresh interpreter, all files compiled",
    what="imports",
    measure=Measure.TIME,
    sizes=Sizes(full=1, quick=1, quick_rounds=5),
    lanes=(
        Lane(Kind.FLOOR, "trio", "trio", functools.partial(import_time, line="import trio")),
        *(
            Lane(Kind.OURS, name, line, functools.partial(import_time, line=line))
            for name, line in (
                ("trio_otp", "import trio_otp"),
                ("everything", "from trio_otp import *"),
            )
        ),
    ),
)


def _many(name: str, n: int, kind: str, *, on_request: bool) -> Race:
    lane = Lane(Kind.OURS, kind, f"otp.start, {kind}", functools.partial(many, kind=kind))
    return Race(
        name=name,
        title=f"memory of each of {n:,} servers, {kind}, which all answer a call",
        what="servers",
        measure=Measure.MEMORY,
        sizes=Sizes(full=n, quick=n, rounds=1, quick_rounds=1),
        lanes=(lane,),
        note="By which a process of its own has grown.",
        warm_up=False,
        in_quick=False,
        on_request=on_request,
    )


RACES = (
    *FLOODS,
    IMPORT,
    _many("many", 100_000, "plain", on_request=False),
    _many("many.asleep", 100_000, "asleep", on_request=False),
    _many("million", 1_000_000, "plain", on_request=True),
    _many("million.asleep", 1_000_000, "asleep", on_request=True),
)
