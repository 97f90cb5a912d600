"""The tree of processes as far as a client has it open: a line for each node that is seen.

A node that is folded shows what is worst below it, and the sums of what is below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..._inspect.introspect import loop_of
from ..._process.doing import seconds_text
from ..._util.bounded import bounded
from .again import read_again
from .budget import budget_of, ends_of_children
from .references import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..._process.process import Process
    from ..._supervisor.data import ChildInfo, Slot
    from ..._supervisor.loop import SupervisorLoop
    from ..hub import Hub
    from .sampler import Seen

    Node = dict[str, Any]

MOST: Final = 5000  # nodes of an answer
DEEPEST: Final = 50  # levels; what is deeper stands at the last one
LONG_KEY: Final = 400  # characters
BUSY: Final = 1.0  # seconds in one message after which a handler is stuck
# From what is well to what is not; a folded node shows the last of those below it.
STATUSES: Final = (
    "idle",
    "running",
    "handling",
    "waiting",
    "starting",
    "suspended",
    "undefined",
    "restarting",
    "exiting",
    "stuck",
)
_RANK: Final = {status: rank for rank, status in enumerate(STATUSES)}


class Below:
    """What is below a node, all levels together."""

    __slots__ = ("count", "queued", "restarts", "worst")

    def __init__(self) -> None:
        self.count: int = 0
        self.queued: int = 0
        self.restarts: int = 0
        self.worst: str = "idle"

    def add(self, status: str, queued: int = 0, restarts: int = 0) -> None:
        """Take in one process."""
        self.queued += queued
        self.restarts += restarts
        self.count += 1
        self.note(status)

    def note(self, status: str) -> None:
        """Take in a status."""
        if _RANK.get(status, 0) > _RANK[self.worst]:
            self.worst = status


async def tree(hub: Hub, memory: Node, arguments: Node, *, once: bool) -> Node:
    """Answer `tree`."""
    await hub.sample(1)
    root = None if arguments["root"] is None else find(hub.tables, arguments["root"])
    limit = min(max(arguments["limit"], 1), MOST)
    opened = None if arguments["everything"] else {str(key) for key in arguments["open"]}
    nodes, more = read_again(lambda: _Drawing(hub, opened).nodes(root, limit))
    return {"nodes": nodes, "more": more}


class _Level(NamedTuple):
    """What is left of the children of a node."""

    children: Iterator[tuple[int, ChildInfo | None]]
    above: str | None  # the key of that node
    depth: int


class _Drawing:
    """One picture.

    Args:
        hub: has the samples.
        opened: the keys of what is unfolded; None for everything.
    """

    def __init__(self, hub: Hub, opened: set[str] | None) -> None:
        self._hub = hub
        self._opened = opened
        self._table = hub.sampler.table
        self._now = hub.tables.now()
        self._under: dict[int, list[int]] = {}
        self._below: dict[int, Below] = {}
        self._sum_up()

    def _sum_up(self) -> None:
        """Add up what is below each process; a starter has a lower number."""
        table, under, below = self._table, self._under, self._below
        for number in sorted(table, reverse=True):
            seen = table[number]
            above = seen.above if seen.above in table else 0
            under.setdefault(above, []).append(number)
            loop = self._loop(number)
            if loop is not None and _has_child_down(loop):
                below.setdefault(number, Below()).note("restarting")
            if not above:
                continue
            sums = below.setdefault(above, Below())
            sums.add(_status(seen), seen.queue, seen.restarts)
            own = below.get(number)
            if own is not None:
                sums.count += own.count
                sums.queued += own.queued
                sums.restarts += own.restarts
                sums.note(own.worst)
        for numbers in under.values():
            numbers.reverse()

    def _loop(self, number: int) -> SupervisorLoop[Any] | None:
        return loop_of(self._hub.tables.processes.get(number))

    def nodes(self, root: Process | None, limit: int) -> tuple[list[Node], int]:
        """Return the nodes that are seen, in the order of their lines, and how many more follow.

        Of what follows, only those beside the last nodes are counted, not those below them.
        """
        if root is not None:
            roots = [root.pid._number]
        else:
            numbers = self._under.get(0, [])
            roots = sorted(numbers, key=lambda number: self._loop(number) is None)
        found: list[Node] = []
        todo = [_Level(iter([(number, None) for number in roots]), None, 0)]
        while todo and len(found) < limit:
            children, above, depth = todo[-1]
            child = next(children, None)
            if child is None:
                todo.pop()
                continue
            node = self._drawn(*child, above, depth)
            found.append(node)
            if node["open"]:
                below = self._children(node["pid"])
                todo.append(_Level(below, node["key"], min(depth + 1, DEEPEST)))
        return found, sum(sum(1 for _ in level.children) for level in todo)

    def _children(self, number: int) -> Iterator[tuple[int, ChildInfo | None]]:
        """Yield what stands below a process, most of which may not be seen; 0 is no process."""
        loop = self._loop(number)
        others = dict.fromkeys(self._under.get(number, ()))
        for info in () if loop is None else loop.infos():
            child = 0 if info.pid is None else info.pid._number
            others.pop(child, None)
            yield child if child in self._table else 0, info
        for other in others:
            yield other, None

    def _drawn(self, number: int, info: ChildInfo | None, above: str | None, depth: int) -> Node:
        if number:
            return self._node(number, above, info, depth)
        assert info is not None
        assert above is not None
        return self._down(info, above, depth)

    def _node(self, number: int, above: str | None, info: ChildInfo | None, depth: int) -> Node:
        seen = self._table[number]
        key = _key(above, info, number)
        loop = self._loop(number)
        below = self._below.get(number)
        has_children = below is not None or bool(_slots(loop))
        return {
            "key": key,
            "above": above,
            "depth": depth,
            "pid": number,
            "name": seen.shown,
            "id": None if info is None or info.id is None else bounded(info.id, 80),
            "behaviour": seen.behaviour,
            "kind": self._kind(seen, loop, info),
            "summary": None if loop is None else loop.summary,
            "status": _status(seen),
            "queue": seen.queue,
            "restarts": seen.restarts,
            "restart_in": None,
            "has_children": has_children,
            "open": has_children and (self._opened is None or key in self._opened),
            "below": None if below is None else _sums(below),
            **self._of_supervisor(loop),
        }

    def _of_supervisor(self, loop: SupervisorLoop[Any] | None) -> Node:
        """Return what it may still bear, and the last end of a child."""
        budget = None if loop is None else budget_of(loop, self._now)
        ends = [] if loop is None else ends_of_children(loop, self._now)[-1:]
        last = [f"{seconds_text(ago)} ago: {child} {reason}" for ago, child, reason in ends]
        return {
            "budget": None if budget is None else budget._asdict(),
            "last_end": last[0] if last else None,
        }

    def _kind(self, seen: Seen, loop: object, info: ChildInfo | None) -> str:
        if loop is not None:
            return "supervisor"
        if info is not None:
            return info.type
        return "linked" if seen.above in self._table else "process"

    def _down(self, info: ChildInfo, above: str, depth: int) -> Node:
        """Return the node of a child that does not run."""
        status = "exiting" if info.status == "running" else info.status
        left = info.restart_in
        return {
            "key": _key(above, info, 0),
            "above": above,
            "depth": depth,
            "pid": None,
            "name": "child" if info.id is None else bounded(info.id, 80),
            "id": None if info.id is None else bounded(info.id, 80),
            "behaviour": "",
            "kind": info.type,
            "summary": None,
            "status": status,
            "queue": 0,
            "restarts": info.restarts,
            "restart_in": None if left is None else round(left, 1),
            "has_children": False,
            "open": False,
            "below": None,
            "budget": None,
            "last_end": None,
        }


def _key(above: str | None, info: ChildInfo | None, number: int) -> str:
    """Return what a node is called by a client: the same after a restart, if it has an id."""
    named = info is not None and info.id is not None and above is not None
    if not named or len(above or "") > LONG_KEY:
        return str(number)
    assert info is not None
    return f"{above}/{bounded(info.id, 80)}"


def _status(seen: Seen) -> str:
    stuck = seen.status == "handling" and (seen.seconds or 0.0) > BUSY
    return "stuck" if stuck else seen.status


def _sums(below: Below) -> Node:
    return {
        "count": below.count,
        "queued": below.queued,
        "restarts": below.restarts,
        "worst": below.worst,
    }


def _slots(loop: SupervisorLoop[Any] | None) -> dict[Any, Slot]:
    """Return the children of a supervisor, also those that are down."""
    slots: dict[Any, Slot] = getattr(loop, "slots", {})
    return slots


def _has_child_down(loop: SupervisorLoop[Any]) -> bool:
    return any(slot.process is None for slot in list(_slots(loop).values()))
