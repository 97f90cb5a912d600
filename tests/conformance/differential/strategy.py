"""Scenarios made up by hypothesis, in the language of GRAMMAR.md.

Every scenario starts its tree, lets some acts happen to it, each followed by a rest, and ends by
stopping the tree and the helpers, so that every call has to have its answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import strategies as st

from .acts import BUSY, CALL, HELPERS, Act, acts
from .trees import SLOTS, Tree, grow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import DrawFn

ACTS: Final = 12
SLOW_ACTS: Final = 5
# The rest after an act. Half a slot more than the sum, so that what goes on longer shows.
PAUSE: Final = sum(SLOTS) + 15
AREA: Final = "differential"


@st.composite
def scenarios(draw: DrawFn) -> dict[str, Any]:
    """Draw a scenario."""
    tree = grow(draw)
    limit = SLOW_ACTS if tree.timed else ACTS
    happening = draw(st.lists(acts(tree), min_size=1, max_size=limit))
    ends = ["stop", "shutdown"] if tree.gentle else ["stop", "shutdown", "kill"]
    steps = Script(tree, happening).steps(draw(st.sampled_from(ends)))
    return {
        "name": "example",
        "area": AREA,
        "about": "Made up.",
        "defs": used(tree.defs, steps),
        "steps": steps,
    }


class Script:
    """Turns acts into steps."""

    def __init__(self, tree: Tree, happening: list[Act]) -> None:
        self.tree = tree
        self.happening = happening
        self.saved: set[str] = set()  # the keys under which a caller may be kept by now
        self.calls = 0

    def steps(self, end: str) -> list[list[Any]]:
        """Return all the steps; `end` says how the tree ends."""
        first = [["start_link", "s0"], *self._rest(False)]
        acted = [step for act in self.happening for step in self._act(act)]
        text = repr(acted)
        needed = [name for name in HELPERS if f"'{name}'" in text]
        for name in needed:
            self.tree.defs[name] = {"kind": HELPERS[name]}
        started = [["start", name] for name in needed]
        return [*started, *first, *acted, *self._end(end, needed)]

    def _act(self, act: Act) -> Iterator[list[Any]]:
        if act.needs is not None and act.needs not in self.saved:
            return
        first = self.calls
        yield from self._perform(act)
        for inner in act.within:
            yield ["settle"]
            if inner.needs is None or inner.needs in self.saved:
                yield from self._perform(inner)
        yield from self._rest(act.busy)
        yield from (["call_poll", f"c{number}"] for number in range(first, self.calls))
        yield ["tree", "s0"]

    def _perform(self, act: Act) -> Iterator[list[Any]]:
        if act.saves is not None:
            self.saved.add(act.saves)
        for step in act.steps:
            if CALL in step:
                yield [f"c{self.calls}" if part == CALL else part for part in step]
                self.calls += 1
            else:
                yield step

    def _rest(self, busy: bool) -> list[list[Any]]:
        if not self.tree.timed:
            return [["settle"]]
        return [["settle"], ["sleep", PAUSE + BUSY * busy]]

    def _end(self, end: str, needed: list[str]) -> list[list[Any]]:
        """Stop the tree, then the helpers; after that every call has its answer."""
        last = ["stop", "s0", "shutdown"] if end == "stop" else ["signal", "s0", end]
        steps = [last, *self._rest(False)]
        for name in needed:
            steps += [["signal", name, "kill"], *self._rest(False)]
        return [
            *steps,
            *(["call_poll", f"c{number}"] for number in range(self.calls)),
            ["flush_sorted"],
        ]


def used(defs: dict[str, Any], steps: list[list[Any]]) -> dict[str, Any]:
    """Leave out the definitions that nothing refers to; whatever is below stands after it."""
    kept: dict[str, Any] = {}
    text = repr(steps)
    for name, definition in defs.items():
        if f"'{name}'" in text or name in started_by(kept):
            kept[name] = definition
    return kept


def started_by(defs: dict[str, Any]) -> set[str]:
    """Name the static children of definitions."""
    return {spec["start"] for known in defs.values() for spec in known.get("children", [])}
