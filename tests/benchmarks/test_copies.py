"""A copy of the library is the library, but for the part that it does without."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest
import trio

import trio_otp

from . import copies
from .copies import PARTS, Part, copy_of_library
from .ours.bookkeeping import calls, casts, server_of
from .workloads.bookkeeping import COPIES

if TYPE_CHECKING:
    from collections.abc import Callable

# The self-tests of the benchmarks took a third of the default run, so they run with the long tests.
pytestmark = pytest.mark.slow


async def seen_by_a_call(otp: Any) -> dict[str, Any]:
    """Let a server tell what is noted while it handles the call of a process."""
    seen: dict[str, Any] = {}

    class Looking(server_of(otp)):  # type: ignore[misc]
        def handle_call(self, request: object, from_: Any) -> Any:
            process = from_._server
            seen["notes"] = process.current is from_
            seen["edges"] = from_._caller is not None and from_._caller.waits_for is process
            seen["open"] = from_ in (process.requests or ())
            return otp.Reply("answer")

    async with trio.open_nursery() as nursery, otp.open_process():
        pid = await otp.start(Looking, nursery=nursery)
        otp.events.attach("handle_stop", lambda *_: seen.update(hooks=True))
        seen["answer"] = await otp.call(pid, "question")
        nursery.cancel_scope.cancel()
    return {"hooks": False} | seen


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_does_without_its_parts_alone(copy: tuple[str, ...]) -> None:
    """It answers, and all that is noted is noted but for the parts that are left out."""
    expected = {"answer": "answer"} | {part: part not in copy for part in PARTS}

    assert expected == trio.run(seen_by_a_call, copy_of_library(*copy))


def test_the_library_itself_is_whole() -> None:
    """Copies do not change what they are copied from, and share no state with it."""
    copy = copy_of_library("without_any", "notes", "edges", "open")

    assert {"answer": "answer"} | dict.fromkeys(PARTS, True) == trio.run(seen_by_a_call, trio_otp)
    assert copy.GenServer is not trio_otp.GenServer
    assert copy is copy_of_library("without_any", "notes", "edges", "open")


@pytest.mark.parametrize("work", [calls, casts])
def test_the_work_is_done_by_every_copy(work: Callable[..., Any]) -> None:
    """All messages are handled, whatever is left out."""
    counts = [trio.run(work, 200, copy).count for copy in COPIES.values()]

    assert [200] * len(COPIES) == counts


def test_a_part_that_is_done_in_another_way_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else its cost would be measured as nothing."""
    monkeypatch.setitem(PARTS, "gone", Part(unset=frozenset(["no_such_attribute"])))

    with pytest.raises(LookupError, match="gone"):
        copy_of_library("gone", "gone")


@pytest.mark.parametrize(
    ("source", "left"),
    [
        ("def f(p):\n    p.note = 1", "def f(p):\n    pass"),
        ("def f(p):\n    p.note += 1\n    p.g()", "def f(p):\n    p.g()"),
        ("def f(p):\n    x = p.note = 1\n    return x", "def f(p):\n    x = 1\n    return x"),
        ("def f(p):\n    p.note = p.now()", "def f(p):\n    p.note = p.now()"),
        ("def f(p):\n    p.note[1] = 2\n    p.note.pop(1)", "def f(p):\n    pass"),
        ("def f(p):\n    return p.note", "def f(p):\n    return p.note"),
        ("def f(p):\n    x = p.asked\n    if x:\n        x()", "def f(p):\n    pass"),
        ("def f(p):\n    if asked:\n        g()\n    else:\n        h()", "def f(p):\n    h()"),
        ("async def f(p):\n    if p.asked:\n        g()", "async def f(p):\n    pass"),
        (
            "def f(p):\n    if a and p.asked is None and b:\n        g()",
            "def f(p):\n    if a and b:\n        g()",
        ),
        ("def f(p):\n    if g():\n        p.note = 1", "def f(p):\n    if g():\n        pass"),
    ],
)
def test_what_is_left_of_a_function(source: str, left: str) -> None:
    """Statements that do nothing else go; whatever others need stays."""
    leaver = copies.Leaver(Part(unset=frozenset(["note"]), untested=frozenset(["asked", "x"])))

    assert left == ast.unparse(ast.fix_missing_locations(leaver.visit(ast.parse(source))))
    assert (source != left) == leaver.left_out
