"""What commands print of the messages that page and commands share, and of hostile ones. Pure."""

from __future__ import annotations

import json
from argparse import Namespace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from paths import ROOT

from trio_otp.observer.commands import (
    asking,
    show_crashes,
    show_processes,
    show_programs,
    show_stacks,
    show_tree,
)
from trio_otp.observer.commands.table import Column, table
from trio_otp.observer.socket.client import Answer, Unreachable
from trio_otp.observer.socket.discovery import Program

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGES = ROOT / "tests" / "data" / "observer" / "messages.jsonl"
MODULES = {"tree": "show_tree", "info": "show_info", "problems": "show_problems"}
MODULES |= {"stacks": "show_stacks", "crashes": "show_crashes"}


def results() -> list[tuple[str, dict[str, Any]]]:
    """List the answers of the shared messages that a command turns into text."""
    found: list[tuple[str, dict[str, Any]]] = []
    for line in MESSAGES.read_text(encoding="utf-8").splitlines():
        told: dict[str, Any] = json.loads(line)
        question = told["question"]
        if question is not None and question["ask"] in MODULES and "result" in told["message"]:
            found.append((question["ask"], told["message"]["result"]))
    return found


def lines_of(what: str) -> Callable[[dict[str, Any]], list[str]]:
    """Return what makes the text of an answer."""
    lines: Callable[[dict[str, Any]], list[str]] = import_module(
        f"trio_otp.observer.commands.{MODULES[what]}"
    ).lines
    return lines


def names_in(value: Any) -> set[str]:
    """Return the names of processes in an answer."""
    if isinstance(value, list):
        return {name for each in value for name in names_in(each)}
    if not isinstance(value, dict):
        return set()
    found = {value["name"]} if isinstance(value.get("name"), str) else set()
    return found | {name for each in value.values() for name in names_in(each)}


def test_the_shared_messages_are_shown() -> None:
    """Each process that is named in one is named in the text, and each has a text."""
    assert MODULES.keys() == {what for what, _ in results()}
    for what, result in results():
        text = "\n".join(lines_of(what)(result))
        assert text
        assert [name for name in names_in(result) if name not in text] == []


def printed(
    capsys: pytest.CaptureFixture[str],
    answer: Answer,
    lines: Callable[[Any], list[str]],
    *,
    as_json: bool = False,
) -> str:
    """Return what a command prints of an answer."""
    client: Any = SimpleNamespace(hello={"program": "shop", "pid": 1})
    asking.shown(Namespace(json=as_json), client, answer, lines)
    return capsys.readouterr().out


def test_what_is_printed_moves_no_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Names, places and frames of a hostile program are escaped, as text and as JSON."""
    evil = "\x1b[2J\r\n\x9b31mroot\u202e"
    loop = {"stuck": 1, "where": evil, "pid": 1, "name": evil}
    group = {"count": 1, "who": [{"pid": 1, "name": evil}], "stack": [{"text": evil}]}
    for as_json in (False, True):
        answer = Answer({"groups": [group]}, loop)
        text = printed(capsys, answer, show_stacks.lines, as_json=as_json)
        assert text.replace("\n", "").isprintable()
        assert "root" in text
    rows = table([Column("NAME", "name", whole=True)], [{"name": evil}], None)
    assert all(row.isprintable() for row in rows)


@pytest.mark.parametrize("result", [{}, {"groups": None}, {"groups": [5]}, {"groups": [{}]}])
def test_an_answer_that_cannot_be_read(
    result: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is an error in words, whatever a program has answered."""
    with pytest.raises(Unreachable, match="its answer cannot be read"):
        printed(capsys, Answer(result, None), show_stacks.lines)


def test_a_number_beyond_all_bounds_is_an_error_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """JSON has such numbers, and a program may say anything."""
    row = dict.fromkeys(("pid", "name", "status", "queue"), 1)
    result = {"keys": ["1"], "rows": {"1": {**row, "oldest": 10**400}}, "matching": 1, "total": 1}
    with pytest.raises(Unreachable, match="its answer cannot be read: OverflowError"):
        printed(capsys, Answer(result, None), show_processes._lines)


COLUMNS = (
    Column("PID", "pid", whole=True, right=True),
    Column("NAME", "name", whole=True),
    Column("RATE", "rate", right=True),
    Column("DOING", "doing", least=6),
)
ROWS = [
    {"pid": 7, "name": "shop", "rate": None, "doing": "call get for 3 s"},
    {"pid": 1200, "name": "a long name", "rate": 5, "doing": ""},
]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (None, "   7  shop               call get for 3 s"),
        (41, "   7  shop               call get for 3 s"),
        (35, "   7  shop               call get …"),
        (31, "   7  shop               call …"),
        (30, "   7  shop"),
        (5, "   7  shop"),
    ],
)
def test_a_table_gives_way_from_the_right(width: int | None, expected: str) -> None:
    """What may be cut is cut, then columns are left out; what is whole stays so in any width."""
    heading, first, second = table(COLUMNS, ROWS, width)
    assert expected == first
    assert ["1200", "a long name"] == [second[:4], second[6:17]]
    assert heading.split()[:2] == ["PID", "NAME"]
    assert ("RATE" in heading) == (width not in {5})


def node(depth: int, name: str, **more: Any) -> dict[str, Any]:
    empty = {"id": None, "status": "idle", "queue": 0, "restart_in": None, "restarts": 0}
    kind = {"budget": None, "behaviour": "-", "summary": None, "kind": "worker"}
    return {"depth": depth, "pid": len(name), "name": name, **empty, **kind, **more}


def test_branches_of_a_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    """They lead from each node to the one it stands under; a child that is down has no number."""
    monkeypatch.delenv("COLUMNS", raising=False)
    budget = {"used": 2, "limit": 3, "seconds": 5.0}
    nodes = [
        node(0, "top", summary="one_for_one", budget=budget, behaviour="Supervisor"),
        node(1, "a", queue=4, id="'first'"),
        node(2, "bb"),
        node(1, "c", pid=None, status="restarting", restart_in=1.5, restarts=2),
        node(2, "d"),
        node(0, "alone"),
    ]
    assert [
        "3 top idle, 2/3 in 5 s, Supervisor one_for_one",
        "├─ 1 a idle, queue 4, id 'first', worker",
        "│  └─ 2 bb idle, worker",
        "└─ c restarting, in 1.5 s, 2 restarts, worker",
        "   └─ 1 d idle, worker",
        "5 alone idle, worker",
        "... and 7 more nodes",
    ] == show_tree.lines({"nodes": nodes, "more": 7})


def test_a_group_is_shown_whose_crashes_are_forgotten() -> None:
    """A program keeps its last ones, and counts those before."""
    group = {"count": 2, "names": ["'shop'"], "text": "KeyError: 'colour'", "where": None}
    groups = [{**group, "number": 1}, {**group, "number": 2, "count": 1}]
    lines = show_crashes.lines({"groups": groups, "crashes": []})
    assert [
        "2 crashes of 'shop': KeyError: 'colour'",
        "",
        "1 crash of 'shop': KeyError: 'colour'",
    ] == lines


@pytest.mark.parametrize(
    ("ago", "shown"),
    [
        (0.0, "0 s"),
        (59.0, "59 s"),
        (90.0, "2 min"),
        (7200.0, "2 h"),
        (200_000.0, "2 d"),
        (-9, "0 s"),
    ],
)
def test_how_long_a_program_is_up(ago: float, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the largest unit; a clock that was set back gives no time below zero."""
    monkeypatch.setattr("time.time", lambda: 1e9)
    assert shown == up_of(1e9 - ago)


@pytest.mark.parametrize(
    "started",
    [None, "yesterday", [], -1, pytest.param(10**400, id="huge"), float("nan"), float("inf")],
)
def test_a_program_that_says_no_time(started: Any) -> None:
    """Whatever it says instead."""
    assert up_of(started) is None


def up_of(started: Any) -> Any:
    """Return what `list` shows of when a program has started."""
    program = Program(Path("7-a.sock"), 0, {"pid": 7, "started": started})
    return show_programs._row(program)["up"]
