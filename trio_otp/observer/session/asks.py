"""The answers to the questions of the protocol that only read: what each of them shows.

Each function gets the hub, the arguments, and a memory of its subscription, which holds what the
client knows already.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import trio

from ..._util.bounded import shown_text
from ..reading.crashes import as_dict
from ..reading.records import LINGER
from ..reading.rows import Changes, selected, window
from ..reading.stacks import Groups
from ..reading.texts import NAME, doing

if TYPE_CHECKING:
    from ..hub import Hub
    from ..reading.sampler import Seen

    Memory = dict[Any, Any]
    Answer = dict[str, Any]

KNOWN: Final = 5000  # processes that it has seen
TOP: Final = 5  # rows of a list of the overview
TOPS: Final = ("queue", "oldest", "handled", "restarts", "doing")


async def rows(hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool) -> Answer:
    """Answer `rows`: the part of the table that a client shows, as far as it has changed.

    `total` and `matching` are how many processes there are, and how many the filter lets through;
    `keys` are the pids of the window, whose first row is number `first`, in order; `rows` are those
    that are not as in the last answer, by pid; `gone` says why others have ended, for some seconds.
    """
    await hub.sample(3 if once else 1)
    found = selected(
        list(hub.sampler.table.values()),
        arguments["filter"],
        arguments["sort"],
        descending=arguments["descending"],
    )
    first, shown = window(found, arguments["first"], arguments["count"])
    drawn = {str(seen.number): row_of(hub, seen) for seen in shown}
    changes: Changes = memory.setdefault("rows", Changes())
    return {
        "total": len(hub.sampler.table),
        "matching": len(found),
        "first": first,
        "keys": list(drawn),
        "rows": changes.of(drawn),
        "gone": _gone(hub, memory, shown),
    }


def _gone(hub: Hub, memory: Memory, shown: list[Seen]) -> dict[str, str]:
    """Return why processes have ended that this client has seen, for some seconds."""
    now = hub.tables.now()
    known: dict[int, None] = memory.setdefault("known", {})
    known.update(dict.fromkeys(seen.number for seen in shown))
    ends = [end for end in list(hub.records.ends) if now - end[0] <= LINGER]
    if len(known) > KNOWN:
        memory["known"] = dict.fromkeys(list(known)[-KNOWN // 2 :])
    return {str(number): why for _, number, why in ends if number in known}


def row_of(hub: Hub, seen: Seen) -> Answer:
    """Return a row of the table as a client gets it."""
    process = hub.tables.processes.get(seen.number)
    try:
        does = "" if process is None else doing(process, hub.tables.now())
    except Exception:  # it changes meanwhile
        does = ""
    return {
        "pid": seen.number,
        "name": seen.shown,
        "label": shown_text(seen.label, NAME),
        "behaviour": seen.behaviour,
        "status": seen.status,
        "queue": seen.queue,
        "oldest": _tenths(seen.oldest),
        "handled": _rate(seen.rate),
        "restarts": seen.restarts,
        "doing": does,
    }


async def overview(hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool) -> Answer:
    """Answer `overview`: counts, the points of the charts that are new, the tops of five lists."""
    await hub.sample(3 if once else 1)
    table = list(hub.sampler.table.values())
    statuses: dict[str, int] = {}
    for seen in table:
        statuses[seen.status] = statuses.get(seen.status, 0) + 1
    points = hub.vitals.since(memory.get("point", 0))
    if points:
        memory["point"] = points[-1].number
    return {
        "counts": {
            "processes": len(table),
            "queued": hub.sampler.queued,
            "restarts": hub.sampler.restarts,
            "dropped": hub.tables.dropped,
            "handled": round(hub.sampler.rate, 1),
            "statuses": statuses,
        },
        "points": points,
        "top": {sort: _top(hub, table, sort) for sort in TOPS},
        "at": time.time(),
    }


async def nothing(hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool) -> Answer:
    """Answer `loop`: what holds the loop comes with each answer."""
    await trio.lowlevel.checkpoint()
    return {}


def _top(hub: Hub, table: list[Seen], sort: str) -> list[Answer]:
    found = selected(table, "", sort, descending=True)[:TOP]
    return [row_of(hub, seen) for seen in found if _is_notable(seen, sort)]


def _is_notable(seen: Seen, sort: str) -> bool:
    values = {"queue": seen.queue, "oldest": seen.oldest, "handled": seen.rate}
    values |= {"restarts": seen.restarts, "doing": seen.seconds}
    return bool(values[sort])


def _tenths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _rate(rate: float | None) -> float | None:
    return None if rate is None else round(rate, 1)


async def stacks(hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool) -> Answer:
    """Answer `stacks`: all tasks that have the same stack as one."""
    groups = Groups(hub.tables, arguments["filter"])
    await hub.in_slices(groups.collect())
    return groups.shown()


async def crashes(hub: Hub, memory: Memory, arguments: dict[str, Any], *, once: bool) -> Answer:
    """Answer `crashes`: those after a number, or new to this client; and all of them in groups."""
    await trio.lowlevel.checkpoint()
    kept = hub.records.crashes
    since = max(arguments["since"], memory.get("crash", 0))
    found = kept.since(since)
    memory["crash"] = last = found[-1].number if found else since
    now = time.time()
    return {
        "crashes": [{**as_dict(crash), "ago": round(now - crash.at, 1)} for crash in found],
        "groups": kept.groups(),
        "last": last,
        "count": kept.count,
    }
