"""The tree as a picture in SVG, and as the value of a cell of a notebook."""

from __future__ import annotations

import copy
import pickle
import re
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

import trio
from hypothesis import given
from hypothesis import strategies as st
from inside import BOXES, DEEPEST, TreeNode, as_svg
from IPython.core.formatters import DisplayFormatter

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "image/svg+xml"
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('&\")</script>\x00\x1b[2J\ud800"


class Rect(NamedTuple):
    """A box of the picture."""

    left: float
    top: float
    right: float
    bottom: float


class Server(otp.GenServer):
    """Does nothing."""


async def forever() -> None:
    await trio.sleep_forever()


def formatted(value: object) -> dict[str, str]:
    data: dict[str, str] = DisplayFormatter().format(value)[0]
    return data


def node(number: int, above: int | None = None, **changed: Any) -> TreeNode:
    plain: dict[str, Any] = {"name": None, "label": f"p{number}", "id": None, "pid": number}
    plain |= {"kind": "worker", "status": "idle", "restarts": 0, **changed}
    return TreeNode(number, above, **plain)


def texts(svg: str) -> list[str]:
    """Return the lines of text of a picture."""
    return ["".join(each.itertext()) for each in ET.fromstring(svg).iter(f"{SVG}text")]


def groups(svg: str) -> list[ET.Element]:
    """Return the boxes with all that is in them."""
    return list(ET.fromstring(svg).iter(f"{SVG}g"))


def rect_of(group: ET.Element) -> Rect:
    """Return where the uppermost sheet of a box lies."""
    *_, sheet = group.iter(f"{SVG}rect")
    left, top, width, height = (float(sheet.attrib[key]) for key in ("x", "y", "width", "height"))
    return Rect(left, top, left + width, top + height)


def overlaps(one: Rect, other: Rect) -> bool:
    beside = one.right <= other.left or other.right <= one.left
    return not beside and one.top < other.bottom and other.top < one.bottom


def shown(svg: str) -> Iterator[int]:
    """Return for how many processes each box stands."""
    for group in groups(svg):
        title = group.findtext(f"{SVG}title") or ""
        found = re.match(r".*? (\d+) of these|… (\d+) more", title)
        yield int(found[1] or found[2]) if found else 1


async def test_a_tree_is_drawn_as_the_value_of_a_cell() -> None:
    """It is a str like any other, with a picture and its text for who asks as IPython does."""
    async with otp.open_supervisor([otp.child(Server).having(name="cache")], name="top"):
        text: Any = otp.tree()
        svg: Any = otp.tree(output="svg")
        mermaid: Any = otp.tree("top", output="mermaid")
    assert {"text/plain": text, "image/svg+xml": svg} == text._repr_mimebundle_()
    assert {"text/plain": text, "image/svg+xml": svg} == svg._repr_mimebundle_(exclude=())
    assert {"text/plain": mermaid, "text/vnd.mermaid": mermaid} == mermaid._repr_mimebundle_()
    for each in (text, svg):  # as the shell formats it, for which every `str` has quotes
        assert (text, svg) == tuple(formatted(each)[kind] for kind in ("text/plain", IMAGE))
    assert texts(svg) == [
        "topSupervisor",
        "supervisor one_for_one, idle",
        "cacheServer",
        "worker, idle",
    ]
    for other in (copy.deepcopy(text), pickle.loads(pickle.dumps(text)), str(text), text + ""):
        assert type(other) is str
        assert other == text


def test_a_box_says_what_its_line_says() -> None:
    """With the restarts, what is down and when it comes back, and the pid for a page."""
    down = node(1, 0, pid=None, status="restarting", restart_in=1.25, restarts=2, id="'db'")
    svg = as_svg([node(0, kind="supervisor one_for_one", name="'top'"), down])
    assert texts(svg) == [
        "topp0",
        "supervisor one_for_one, idle",
        "dbp1",
        "worker, restarting in 1.25 s, 2 restarts",
    ]
    assert [{"data-pid": "0"}, {}] == [group.attrib for group in groups(svg)]
    assert "stroke-dasharray" in ET.tostring(groups(svg)[1], "unicode")


def test_whatever_a_name_is_the_picture_is_well_formed() -> None:
    """It opens no element and closes none, and it may be as long as it likes."""
    for text in (HOSTILE, HOSTILE * 100, "\x00\x1b\ud800", "漢字" * 50, ""):
        svg = as_svg([node(0, label=text, name=repr(text), id=text)])
        assert {"svg", "title", "g", "rect", "circle", "text", "tspan"} == {
            each.tag.removeprefix(SVG) for each in ET.fromstring(svg).iter()
        }
        assert float(ET.fromstring(svg).attrib["width"]) < 1200


def test_nothing_to_draw_is_said() -> None:
    """A run without processes has a picture, too."""
    assert ["no processes"] == texts(as_svg([]))


TREES = st.lists(st.floats(0, 1), max_size=60)


@given(TREES)
def test_no_box_lies_on_another(shape: list[float]) -> None:
    """And each is right of the one above it, within the rows of those below."""
    nodes = [node(0)]
    for place in shape:
        nodes.append(node(len(nodes), int(place * (len(nodes) - 1))))
    nodes = in_order(nodes)
    svg = as_svg(nodes)
    rects = [rect_of(group) for group in groups(svg)]
    assert not any(overlaps(*pair) for pair in combinations(rects, 2))
    by_pid = {g.get("data-pid"): rect_of(g) for g in groups(svg) if g.get("data-pid")}
    for each in nodes:
        if each.above is not None and str(each.node) in by_pid:
            assert by_pid[str(each.above)].right < by_pid[str(each.node)].left
    root = ET.fromstring(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert max(rect.right for rect in rects) <= width
    assert max(rect.bottom for rect in rects) <= height
    assert len(nodes) == sum(shown(svg))


def in_order(nodes: list[TreeNode]) -> list[TreeNode]:
    """Return nodes as the tree lists them: each right before those under it."""
    under: dict[int | None, list[TreeNode]] = {}
    for each in nodes:
        under.setdefault(each.above, []).append(each)
    todo, ordered = [nodes[0]], []
    while todo:
        ordered.append(todo.pop())
        todo += reversed(under.get(ordered[-1].node, []))
    return ordered


def test_many_equal_children_are_one_box() -> None:
    """With their number; those that differ stay as they are, and up to 300 all do."""
    few = [node(0), *(node(n, 0, label="worker") for n in range(1, BOXES))]
    assert BOXES == len(groups(as_svg(few)))
    many = [*few, node(BOXES, 0, label="other"), node(BOXES + 1, 0, label="worker")]
    svg = as_svg(many)
    assert [1, BOXES, 1] == list(shown(svg))
    assert f"worker{BOXES} of these" in texts(svg)


def test_what_is_still_too_much_is_counted_where_it_stands() -> None:
    """A picture stays small, however many differ and however deep they are."""
    wide = [node(0), *(node(n, 0) for n in range(1, 5000))]
    svg = as_svg(wide)
    assert 5000 == sum(shown(svg))
    assert BOXES + 1 == len(groups(svg))
    assert f"… {5000 - BOXES} more" == texts(svg)[-1]
    chain = as_svg([node(0), *(node(n, n - 1) for n in range(1, 5000))])
    assert DEEPEST + 1 == len(groups(chain))
    assert 5000 == sum(shown(chain))
    roots = as_svg([node(n) for n in range(BOXES + 7)])
    assert "… 7 more" == texts(roots)[-1]
