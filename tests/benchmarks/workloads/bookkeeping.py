"""What the library keeps account of in each message: whole, and without one part or all of them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from ..lanes import Race, Sizes, floor, ours
from ..measure import Measure
from ..ours import bookkeeping

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..measure import Sample

# {column: (name of the copy, parts that it does without)}
COPIES: Final = {
    "whole": ("whole_too",),
    "no notes": ("without_notes", "notes"),
    "no edges": ("without_edges", "edges"),
    "no open calls": ("without_open", "open"),
    "none of them": ("without_any", "notes", "edges", "open"),
    "no hooks": ("without_hooks", "hooks"),
}
CALLS: Final = Sizes(2000, 500, 31, 7)


def _race(name: str, title: str, work: Callable[..., Awaitable[Sample]], sizes: Sizes) -> Race:
    return Race(
        name=f"bookkeeping.{name}",
        title=f"bookkeeping in {title}",
        what=title.partition(",")[0],
        measure=Measure.RATE,
        sizes=sizes,
        lanes=(
            ours("whole", "all of it", functools.partial(work, copy=("whole",))),
            *(
                floor(column, column, functools.partial(work, copy=copy))
                for column, copy in COPIES.items()
            ),
        ),
        note="Columns: copies of the library without a part of it; `whole` is one more whole copy.",
    )


RACES = (
    _race("call", "calls, from plain Trio code", bookkeeping.calls, CALLS),
    _race(
        "process", "calls, from a process", bookkeeping.calls_of_process, Sizes(2000, 500, 31, 7)
    ),
    _race("cast", "casts, all at once", bookkeeping.casts, Sizes(20_000, 3000, 31, 7)),
)
