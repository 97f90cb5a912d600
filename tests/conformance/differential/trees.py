"""Supervision trees for made-up scenarios: the definitions of processes.

What two processes do at once must not show in a trace. So no process of a tree starts, calls or
links another one on its own; whatever happens in a tree is begun by a step of the driver.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn

DEPTH: Final = 3
CHILDREN: Final = 4
WINDOW: Final = 1000  # seconds: no restart is ever forgotten
# Durations in ms. Each is used once in a tree, and no two sums of them are less than 30 ms apart.
SLOTS: Final = (30, 60, 120)
STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
RESTARTS: Final = ("permanent", "transient", "temporary")
REASONS: Final = ("normal", "shutdown", {"shutdown": "x"}, "custom", "killed", "kill")
SUPERVISORS: Final = ("supervisor", "dynamic_supervisor")


@dataclass
class Tree:
    """What one scenario is about: its processes, and what may be done to them.

    Attributes:
        draw: draws from a strategy.
        timed: whether anything in it takes time.
        gentle: whether no supervisor is killed. Its children would still die, and have their
            names, when the next ones are started; and trio_otp sets limits to such orphans.
        named: whether workers have names.
        defs: the definitions made so far.
        slots: the durations not used yet.
        single: the workers of which one at most lives.
    """

    draw: DrawFn
    timed: bool
    gentle: bool
    named: bool
    defs: dict[str, Any] = field(default_factory=dict)
    slots: list[int] = field(default_factory=list)
    single: list[str] = field(default_factory=list)

    def pick(self, *values: Any) -> Any:
        """Draw one of these values, the simplest first."""
        return self.draw(st.sampled_from(values))

    def often_not(self, odds: int) -> bool:
        """Draw True once in so many times."""
        return bool(self.pick(*[False] * (odds - 1), True))

    def slot(self) -> int | None:
        """Take a duration, None if there is none left or none wanted."""
        if not self.slots or not self.draw(st.booleans()):
            return None
        return self.slots.pop(self.draw(st.integers(0, len(self.slots) - 1)))

    def add(self, prefix: str, definition: dict[str, Any]) -> str:
        """Enter a definition under the next name with this prefix."""
        name = f"{prefix}{sum(known.startswith(prefix) for known in self.defs)}"
        self.defs[name] = definition
        return name

    def of_kind(self, *kinds: str) -> list[str]:
        """Name the definitions of these kinds."""
        return [name for name, known in self.defs.items() if known["kind"] in kinds]


def grow(draw: DrawFn) -> Tree:
    """Draw a tree, whose root is `s0`, and some definitions that can be started later."""
    mode = draw(st.sampled_from(["plain", "plain", "named", "timed", "limits"]))
    timed = mode in ("timed", "limits")
    tree = Tree(draw, timed, gentle=mode in ("named", "limits"), named=mode == "named")
    tree.slots = list(SLOTS) if tree.timed else []
    supervisor(tree, 1)
    tree.single = tree.of_kind("server", "proc")
    for _ in range(2):
        worker(tree, "x")
    if tree.often_not(3):
        supervisor(tree, DEPTH, "y")
    task(tree)
    return tree


def supervisor(tree: Tree, depth: int, prefix: str = "s") -> str:
    """Draw a supervisor and what is below it."""
    definition: dict[str, Any] = {
        "kind": "supervisor",
        "strategy": tree.pick(*STRATEGIES),
        "max_restarts": tree.pick(1, 0, 2, 3, 4),
        "max_seconds": WINDOW,
    }
    name = tree.add(prefix, definition)
    auto = tree.pick("never", "never", "never", "any_significant", "all_significant")
    if auto != "never":
        definition["auto_shutdown"] = auto
    definition["children"] = [
        specification(tree, part, depth, auto)
        for part in tree.draw(st.lists(st.sampled_from(parts(depth)), max_size=CHILDREN))
    ]
    return name


def parts(depth: int) -> list[str]:
    """Return what may be below a supervisor of this depth, as often as it shall be there."""
    nested = ["supervisor", "supervisor"] if depth < DEPTH else []
    return ["worker"] * 4 + nested + ["pool"]


def specification(tree: Tree, part: str, depth: int, auto: str) -> dict[str, Any]:
    """Draw a child with its options."""
    match part:
        case "worker":
            name = worker(tree, "w")
            spec = {"start": name, **worker_options(tree, name)}
        case "pool":
            spec = {"start": pool(tree), **supervisor_options(tree)}
        case _:
            spec = {"start": supervisor(tree, depth + 1), **supervisor_options(tree)}
    if auto != "never" and spec["restart"] != "permanent" and tree.draw(st.booleans()):
        spec["significant"] = True
    return spec


def worker_options(tree: Tree, name: str) -> dict[str, Any]:
    """Draw the options of a worker."""
    options: dict[str, Any] = {"restart": tree.pick(*RESTARTS)}
    slot = tree.slot() if tree.gentle else None
    limit = slot or tree.pick(None, None, None, "brutal_kill", "infinity")
    if is_deaf(tree.defs[name]):
        limit = "brutal_kill"
    return options if limit is None else options | {"shutdown": limit}


def is_deaf(definition: dict[str, Any]) -> bool:
    """Check whether a process does not end when it is told to: it has to be killed."""
    return definition["kind"] == "proc" and "trap_exit" in definition


def supervisor_options(tree: Tree) -> dict[str, Any]:
    """Draw the options of a supervisor."""
    options: dict[str, Any] = {"restart": tree.pick(*RESTARTS)}
    limit = None if tree.gentle else tree.slot() or tree.pick(None, None, None, "brutal_kill")
    return options if limit is None else options | {"shutdown": limit}


def worker(tree: Tree, prefix: str) -> str:
    """Draw a server or a plain process."""
    if tree.often_not(5):
        return tree.add(prefix, {"kind": "proc"} | trapping(tree))
    definition = {"kind": "server"} | trapping(tree) | ending(tree) | start(tree, prefix)
    if tree.named and prefix == "w":
        definition["register"] = f"n{len(tree.defs)}"
    return tree.add(prefix, definition)


def trapping(tree: Tree) -> dict[str, Any]:
    """Draw whether a process traps exits."""
    return {"trap_exit": True} if tree.draw(st.booleans()) else {}


def start(tree: Tree, prefix: str) -> dict[str, Any]:
    """Draw what init does: mostly nothing, else something at some of the starts."""
    if tree.timed and tree.often_not(2) and (slow := slow_start(tree, prefix)):
        return slow
    if not tree.often_not(4):
        return {}
    refusal = tree.pick(
        ["fail", tree.pick(*REASONS)], ["ignore"], ["raise", "boom"], ["exit", tree.pick(*REASONS)]
    )
    generations = tree.pick([2], [2, 3], [1], [3, 4], [2, 3, 4, 5, 6, 7, 8, 9])
    return {"init": [["when_gen", generations, [refusal]]]}


def slow_start(tree: Tree, prefix: str) -> dict[str, Any]:
    """Draw an init that takes time, and its limit.

    Only a first start may exceed it: OTP does not wait for the end of a process whose start has
    timed out, so a supervisor that goes on to restart would race with it.
    """
    pair = sorted(slot for slot in (tree.slot(), tree.slot()) if slot is not None)
    if len(pair) < 2:
        return {}
    generations, limit, duration = ([1], *pair) if prefix == "x" else ([2, 3], pair[1], pair[0])
    program = [["when_gen", generations, [["sleep", duration]]]]
    return {"init": program, "start_timeout": limit}


def ending(tree: Tree) -> dict[str, Any]:
    """Draw what terminate does."""
    duration = tree.slot()
    if duration is not None:
        return {"terminate": [["sleep", duration]], "trap_exit": True}
    program: list[Any] = tree.pick(
        None,
        None,
        None,
        [["note", "$state"]],
        [["raise", "late"]],
        [["exit", "custom"]],
        [["exit", "normal"]],
    )
    return {} if program is None else {"terminate": program}


def pool(tree: Tree) -> str:
    """Draw a dynamic supervisor."""
    definition: dict[str, Any] = {
        "kind": "dynamic_supervisor",
        "max_restarts": tree.pick(1, 0, 2, 3),
        "max_seconds": WINDOW,
    }
    if tree.often_not(3):
        definition["max_children"] = tree.pick(1, 2)
    return tree.add("d", definition)


def task(tree: Tree) -> str:
    """Draw a task, which ends at once."""
    program = tree.pick([], [["note", "hi"]], [["raise", "boom"]], [["exit", tree.pick(*REASONS)]])
    return tree.add("t", {"kind": "task", "run": program})
