"""State machines as pictures in SVG, and as the value of a cell of a notebook."""

from __future__ import annotations

import enum
from itertools import combinations
from typing import Any, ClassVar
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st
from inside import Edge, statem_as_svg

import trio_otp as otp

SVG = "{http://www.w3.org/2000/svg}"


class Door(otp.GenStatem[str]):
    """A door with declared transitions."""

    initial = "closed"

    @otp.on_state("closed", to={"push": "open", "lock": "locked"})
    def closed(self, kind: Any, content: Any) -> None: ...

    @otp.on_state("open", to={"5 s": "closed", "push": "open", "burn <&>": None})
    def open(self, kind: Any, content: Any) -> None: ...

    @otp.on_state("locked", to={"unlock": "closed"})
    def locked(self, kind: Any, content: Any) -> None: ...


class Wild(otp.GenStatem[str]):
    """A machine that declares nothing."""

    def handle_event(self, kind: Any, content: Any, state: str) -> None: ...


def texts(svg: str) -> set[str]:
    return {"".join(each.itertext()) for each in ET.fromstring(svg).iter(f"{SVG}text")}


def count(svg: str, kind: str) -> int:
    return len(list(ET.fromstring(svg).iter(f"{SVG}{kind}")))


def test_a_picture_has_the_states_and_what_leads_from_one_to_another() -> None:
    """With an arrow for each transition, for the start and for the end."""
    svg = Door.to_svg()
    states, labels = {"closed", "open", "locked"}, {"push", "lock", "5 s", "burn <&>", "unlock"}
    assert states | labels == texts(svg)
    assert 1 + 6 == count(svg, "polygon")  # the heads of arrows
    assert 2 == count(svg, "circle")  # start and end
    assert "Door" == ET.fromstring(svg).findtext(f"{SVG}title")


def test_what_leads_to_a_state_need_not_be_text() -> None:
    """It is shown as a state is: a member of an enum, or any other event."""

    class Event(enum.Enum):
        PUSH = 1

    class Gate(otp.GenStatem[int]):
        initial = 1
        transitions: ClassVar = {1: {Event.PUSH: 2}, 2: {("pull", 3): 1, 7: None}}

    assert {"PUSH", "('pull', 3)", "7"} <= texts(Gate.to_svg())
    for text in (Gate.to_mermaid(), Gate.to_dot()):
        assert all(part in text for part in ("PUSH", "('pull', 3)", "7"))


def test_what_is_not_declared_is_not_drawn() -> None:
    """A machine without transitions, or without states, has a picture as well."""
    assert (set(), 0) == (texts(Wild.to_svg()), count(Wild.to_svg(), "polygon"))
    alone = statem_as_svg("one", ["on"], [], 0, 1)
    assert ({"on"}, 1) == (texts(alone), count(alone, "polygon"))


def test_a_machine_is_drawn_as_the_value_of_a_cell() -> None:
    """As the picture, or natively from the text for Mermaid; in a terminal it is that text."""
    svg: Any = Door.to_svg()
    mermaid: Any = Door.to_mermaid()
    assert {"text/plain": mermaid, "image/svg+xml": svg} == svg._repr_mimebundle_()
    assert {"text/plain": mermaid, "text/vnd.mermaid": mermaid} == mermaid._repr_mimebundle_()


STATES = 7
EDGES = st.lists(
    st.builds(
        Edge,
        st.integers(0, STATES - 1),
        st.integers(0, STATES),  # the last one is the end
        st.text(st.characters(codec="utf-8"), max_size=60),
    ),
    max_size=16,
)


@given(EDGES, st.none() | st.integers(0, STATES - 1))
def test_nothing_lies_on_anything_else(edges: list[Edge], start: int | None) -> None:
    """Boxes and labels have their places, within the picture, whatever leads where."""
    svg = statem_as_svg("any", [f"state {n}" for n in range(STATES)], edges, start, STATES)
    root = ET.fromstring(svg)
    rects = [
        tuple(float(each.attrib[key]) for key in ("x", "y", "width", "height"))
        for each in root.iter(f"{SVG}rect")
    ]
    assert not any(overlap(*pair) for pair in combinations(rects, 2))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(x >= 0 and y >= 0 for x, y, _, _ in rects)
    assert all(x + w <= width and y + h <= height for x, y, w, h in rects)
    loops = {edge.source for edge in edges if edge.source == edge.target}
    arrows = sum(edge.source != edge.target for edge in edges)
    assert arrows + len(loops) + (start is not None) == count(svg, "polygon")


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    beside = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
    return not beside and one[1] < other[1] + other[3] and other[1] < one[1] + one[3]


def machine(edges: dict[str, dict[str, str | None]]) -> type[otp.GenStatem[str]]:
    class Many(otp.GenStatem[str]):
        initial = "s0"
        transitions: ClassVar = edges

    return Many


def test_a_machine_of_very_many_transitions_is_drawn_at_once() -> None:
    """Each state leads to each: a line for each pair, in a circle where no box lies on another."""
    states = [f"s{n}" * (1 + n % 5) for n in range(60)]
    svg = machine(
        {one: {f"to {n}": states[n] for n in range(60)} | {"stop": None} for one in states}
    ).to_svg()
    root = ET.fromstring(svg)
    rects = [
        tuple(float(each.attrib[key]) for key in ("x", "y", "width", "height"))
        for each in root.iter(f"{SVG}rect")
    ]
    assert not any(overlap(*pair) for pair in combinations(rects, 2))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(0 <= x and 0 <= y and x + w <= width and y + h <= height for x, y, w, h in rects)
    pairs = 60 * 59 // 2
    loops, first = 60, 1
    assert pairs + 60 + loops + first == count(svg, "path")
    assert 2 * pairs + 60 == count(svg, "polygon")
    assert len(svg) < 1_000_000  # laid out in layers it was 12 MB, after a minute and a half
    titles = {each.text for each in root.iter(f"{SVG}title")}
    assert f"{states[0]} → {states[1]}: to 1; {states[1]} → {states[0]}: to 0" in titles
    assert {f"{states[0]} → the end: stop", f"{states[2]} → {states[2]}: to 2"} <= titles


def test_many_ways_to_the_same_state_are_one_arrow() -> None:
    """Of more than 300 transitions; their labels stand together, and what is long is cut."""
    edges: dict[str, dict[str, str | None]]
    edges = {"s0": {f"event {n}": "on" for n in range(400)}, "on": {"": "s0"}}
    svg = machine(edges).to_svg()
    assert 1 + 2 == count(svg, "polygon")
    assert any(text.startswith("event 0, event 1, event 2") for text in texts(svg))


def test_a_circle_without_an_end() -> None:
    """Nothing is drawn that the machine has not: no end, no way from a state to itself."""
    states = [f"s{n}" for n in range(20)]
    svg = machine(
        {one: {f"to {other}": other for other in states if other != one} for one in states}
    ).to_svg()
    assert (1, 20) == (count(svg, "circle"), count(svg, "rect"))
    assert 20 * 19 // 2 + 1 == count(svg, "path")
