"""Draw a state machine from its declared transitions: Mermaid, SVG, Graphviz. Pure.

A state, and what leads to one, is shown by its name if it is a member of an enum, by itself if it
is text, by its repr otherwise. `None` as a target is the end of the machine.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, cast

from .._util.bounded import bounded, visible_lines
from .._util.drawn import MERMAID, SVG, Drawn

# What may stand after `to=`: a state, several, or {what leads there: a state or a list of states}.
Targets: TypeAlias = "Mapping[Any, Any] | Iterable[Any] | str | enum.Enum"
Edges: TypeAlias = "list[tuple[str, Any]]"  # [(label, target)]

ARROWS: Final = 300  # in a picture; with more, parallel ones are folded, then all goes in a circle
_WORD: Final = re.compile(r"[A-Za-z]\w*", re.ASCII)
_RESERVED: Final = {"as", "class", "classdef", "default", "direction", "end", "note", "state"}
# `%%{` is a directive wherever it stands, and `\\n` a line break.
_MERMAID: Final = {
    "#": "#35;",
    "%": "#37;",
    "\\": "#92;",
    ";": "#59;",
    '"': "#quot;",
    ":": "#58;",
    "\n": " ",
    "<": "#lt;",
    ">": "#gt;",
}


def edges_of(targets: Targets) -> Edges:
    """Return declared targets as a list of labels and states.

    >>> edges_of({"coin": "open", "kick": ["open", "broken"]})
    [('coin', 'open'), ('kick', 'open'), ('kick', 'broken')]
    >>> edges_of("open"), edges_of(["open", "broken"])
    ([('', 'open')], [('', 'open'), ('', 'broken')])
    """
    if isinstance(targets, Mapping):
        named = cast("Mapping[Any, Any]", targets)  # type: ignore[redundant-cast] # not for pyright
        return [(_text(label), one) for label, given in named.items() for one in _several(given)]
    if isinstance(targets, str | enum.Enum) or not isinstance(targets, Iterable):
        return [("", targets)]
    return [("", target) for target in targets]


def _several(given: object) -> list[Any]:
    # To pyright the elements of what `isinstance` says is a list are unknown; they may be anything.
    several: list[Any] = given if isinstance(given, list) else [given]  # pyright: ignore[reportUnknownVariableType]
    return several


class Drawing:
    """The states and transitions of one machine.

    Args:
        title: the name of the machine.
        initial: its first states, none or one.
        edges: {state: its edges}, also the states without any.
    """

    def __init__(self, title: str, initial: list[Any], edges: list[tuple[Any, Edges]]) -> None:
        self.title = title
        self.initial = initial
        self.edges = edges
        self.states: list[Any] = []
        for state in [*initial, *(s for s, _ in edges), *(t for _, es in edges for _, t in es)]:
            if state is not None and not any(state is s or state == s for s in self.states):
                self.states.append(state)

    def mermaid(self) -> str:
        """Return the text of a Mermaid state diagram."""
        ids = [self._mermaid_id(number) for number in range(len(self.states))]
        lines = ["stateDiagram-v2"]
        for name, state in zip(ids, self.states, strict=True):
            text = _text(state)
            lines.append(f"    {name}" if name == text else f'    state "{_safe(text)}" as {name}')

        def name_of(state: object) -> str:
            return "[*]" if state is None else ids[self.states.index(state)]

        lines += [f"    [*] --> {name_of(state)}" for state in self.initial]
        for source, edges in self.edges:
            for label, target in edges:
                what = f": {_safe(label)}" if label else ""
                lines.append(f"    {name_of(source)} --> {name_of(target)}{what}")
        text = "\n".join(lines) + "\n"
        return Drawn(text, MERMAID, lambda: text)

    def _mermaid_id(self, number: int) -> str:
        text = _text(self.states[number])
        plain = _WORD.fullmatch(text) and text.lower() not in _RESERVED
        return text if plain and not re.fullmatch(r"state_\d+", text) else f"state_{number}"

    def svg(self) -> str:
        """Return a picture in SVG."""
        from . import statem_circle, statem_svg  # noqa: PLC0415 - few programs need it

        def number_of(state: object) -> int:
            return len(self.states) if state is None else self.states.index(state)

        edges = [
            statem_svg.Edge(number_of(source), number_of(target), visible_lines(label))
            for source, targets in self.edges
            for label, target in targets
        ]
        start = next(map(number_of, self.initial), None)
        names = list(map(_text, self.states))
        if len(edges) > ARROWS:
            edges = statem_svg.folded(edges)
        draw = statem_svg.as_svg if len(edges) <= ARROWS else statem_circle.as_circle
        svg = draw(self.title, names, edges, start, len(self.states))
        return Drawn(svg, SVG, lambda: svg, self.mermaid())

    def dot(self) -> str:
        """Return the text of a Graphviz digraph."""
        lines = [f"digraph {_quoted(self.title)} {{", "    node [shape=box, style=rounded];"]
        for number, state in enumerate(self.states):
            lines.append(f"    s{number} [label={_quoted(_text(state))}];")
        if self.initial:
            lines.append("    start [shape=point];")
        if any(target is None for _, edges in self.edges for _, target in edges):
            lines.append('    end [shape=doublecircle, label=""];')

        def name_of(state: object) -> str:
            return "end" if state is None else f"s{self.states.index(state)}"

        lines += [f"    start -> {name_of(state)};" for state in self.initial]
        for source, edges in self.edges:
            for label, target in edges:
                what = f" [label={_quoted(label)}]" if label else ""
                lines.append(f"    {name_of(source)} -> {name_of(target)}{what};")
        return "\n".join([*lines, "}"]) + "\n"


def _text(state: object) -> str:
    if isinstance(state, enum.Enum):
        return state.name
    return state if isinstance(state, str) else bounded(state)


def _safe(text: str) -> str:
    text = visible_lines(text)
    return "".join(_MERMAID.get(character, character) for character in text)


def _quoted(text: str) -> str:
    text = visible_lines(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
