"""What IPython and notebooks show of values of the library."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import trio
import trio.testing
from inside import LIBRARIES, NAMERS, Block, Table, folded_stack, shown_text
from IPython.lib.pretty import pretty

import trio_otp as otp

HOSTILE = "<b onclick='x'>&\"\x1b[2J\n"


class Cache(otp.GenServer):
    """Waits."""

    @otp.on_call
    async def wait(self) -> None:
        await trio.sleep_forever()


class Odd(otp.GenServer):
    """Has a state that is not to be shown as it is."""

    def __init__(self) -> None:
        self.text = HOSTILE * 20


def html(value: Any) -> list[str]:
    """Return the texts of the fields that a notebook shows of a value; they have to be escaped."""
    tree = ET.fromstring(f"<div>{value._repr_html_().replace('<br>', '<br/>')}</div>")
    known = {"div", "table", "thead", "tbody", "tr", "th", "td", "br", "p"}
    assert known >= {each.tag for each in tree.iter()}
    return [" ".join(each.itertext()) for each in tree.iter() if each.tag in {"th", "td", "p"}]


async def test_a_process_is_a_short_block() -> None:
    """With what there is to say of it, and the way to where it waits in the user's code."""
    children = [otp.child(Cache).having(name="cache", id="the cache")]
    async with otp.open_supervisor(children, name="top"), trio.open_nursery() as nursery:
        nursery.start_soon(Cache.at("cache").wait)
        await trio.testing.wait_all_tasks_blocked()
        info, top = otp.process_info("cache"), otp.process_info("top")
        nursery.cancel_scope.cancel()
    lines = pretty(info).splitlines()
    assert len(repr(info)) > 700 > len(pretty(info))
    assert lines[:6] == [
        f"{info.pid!r} handling",
        f"  supervisor  {top.pid!r}, as 'the cache'",
        f"  parent      {top.pid!r}",
        "  queue       0 waiting, 0 handled, 1 call not answered",
        f"  in hand     call wait(), for {info.seconds:.3g} s",
        f"  links       {top.pid!r}",
    ]
    stack = [line[14:] for line in lines[6:]]
    assert stack[0].startswith("… ")
    assert stack[0].endswith(" frames of Trio and trio_otp")
    assert stack[1].startswith("tests/inspect/test_shown.py:")
    assert stack[1].endswith(" in wait")
    assert stack[2].startswith("… ")
    assert 3 == len(stack)
    assert [f"{info.pid!r} handling", "supervisor"] == html(info)[:2]
    assert "  strategy" in pretty(top)
    assert "  supervisor" not in pretty(top)


async def test_a_status_and_statistics_are_short() -> None:
    """A status has what its server shows of its state; what is not there is left out."""
    async with otp.open_supervisor([otp.child(Odd).having(name="cache")]) as sup:
        await otp.sys.statistics("cache", True)
        await otp.sys.get_state("cache")
        status = await otp.sys.get_status("cache")
        counted = await otp.sys.statistics("cache", "get")
    assert pretty(status).splitlines() == [
        f"{status.pid!r} gen_server, running",
        f"  behaviour  {status.behaviour.__qualname__}",
        f"  parent     {status.parent!r}",
        f"  state      {shown_text(repr({'text': HOSTILE * 20}), 100)}",
        "  debug      ('statistics',)",
        "  queue      0 waiting",
    ]
    assert f"{status.pid!r} gen_server, running" == html(status)[0]
    assert counted is not None
    assert pretty(counted).startswith("0 messages in, 0 answers out, in ")
    assert f"Statistics(start_time={counted.start_time!r}," in repr(counted)
    assert sup.pid == status.parent


async def test_children_are_a_table() -> None:
    """It is a list like any other, with a line for each child in a notebook."""
    children = [
        otp.child(Cache).having(id=HOSTILE),
        otp.child(otp.DynamicSupervisor).having(name="pool"),
    ]
    async with otp.open_supervisor(children) as sup:
        await otp.terminate_child(sup, HOSTILE)
        listed = await otp.which_children(sup)
    lines = [line.split() for line in pretty(listed).splitlines()]
    assert lines == [
        ["id", "pid", "type", "status", "restarts"],
        [*repr(HOSTILE).split(), "worker", "undefined", "0"],
        ["'pool'", *repr(listed[1].pid).split(), "supervisor", "running", "0"],
    ]
    assert ["id", "pid", "type", "status", "restarts", repr(HOSTILE)] == html(listed)[:6]
    assert list(listed) == listed
    assert isinstance(listed, list)
    for other in (pickle.loads(pickle.dumps(listed[:0])), listed[:1], [*listed]):
        assert type(other) is list


def test_long_tables_and_lines_are_cut() -> None:
    """A hundred rows, and a hundred characters of a line."""
    table = Table(("name", "#count"), [("x" * 300, str(n)) for n in range(107)])
    lines = table.text().splitlines()
    assert (1 + 100 + 1, "… 7 more") == (len(lines), lines[-1])
    assert f"{'x' * 97}...      0" == lines[1]
    block = Block(HOSTILE, [(HOSTILE, [HOSTILE * 9]), ("nothing", [])])
    assert 2 == len(block.text().splitlines())
    assert block.text().replace("\n", "").isprintable()


class Of:
    """A value as IPython asks for it."""

    def __init__(self, block: Block | Table) -> None:
        self._repr_html_ = block.html


def test_nothing_from_outside_is_markup() -> None:
    """Whatever stands in a title, a head, a field."""
    html(Of(Block(HOSTILE, [(HOSTILE, [HOSTILE])])))
    html(Of(Table((HOSTILE, "#" + HOSTILE), [(HOSTILE, HOSTILE)] * 101)))


def test_paths_are_short_and_frames_of_libraries_folded() -> None:
    """Paths are from here or from home, or their last parts; what is no frame stays as it is."""
    ours = [f"{folder}_x.py:{n} in run" for n, folder in enumerate(LIBRARIES)]
    stack = [
        *ours,
        f"{Path.cwd() / 'shop.py'}:3 in sell",
        f"{Path.home() / 'x.py'}:4 in <lambda>",
        f"{Path.cwd() / 'venv/lib/python/site/pkg/mod.py'}:5 in call",
        "/a/b/c/d/e.py:6 in far",
        ours[0],
        "what is no frame",
    ]
    assert [
        "… 2 frames of Trio and trio_otp",
        "shop.py:3 in sell",
        "~/x.py:4 in <lambda>",
        "…/site/pkg/mod.py:5 in call",
        "…/c/d/e.py:6 in far",
        "… 1 frame of Trio and trio_otp",
        "what is no frame",
    ] == folded_stack(stack)


def test_better_names_of_files_are_asked_for() -> None:
    """As the notebook does, whose cells are files."""

    def name(file: str) -> str | None:
        return "Cell In[3]" if file == "/tmp/cell.py" else None

    NAMERS.append(name)
    try:
        assert ["Cell In[3]:1 in sell", "/tmp/x.py:1 in buy"] == folded_stack(
            ["/tmp/cell.py:1 in sell", "/tmp/x.py:1 in buy"]
        )
    finally:
        NAMERS.remove(name)
