"""Only its own folder, and the loops of each message, assign to attributes of a process."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(otp.__file__).parent
PROCESS = re.compile(r"\b_?(process|caller|waiter|helper|starter|watcher|peer)$")
# A call more for each message is what all messages would pay for.
LOOPS = {
    ("_gen_server/message_loop.py", "current"),
    ("_gen_server/message_loop.py", "since"),
    ("_gen_server/loop.py", "current"),
    ("_gen_statem/loop.py", "current"),
    ("_supervisor/loop.py", "current"),
    ("_supervisor/loop.py", "since"),
}
STATE = {"current", "since", "instance", "behaviour", "callers", "waits_for"}
TABLES = {"links", "monitors", "monitored_by", "requests", "watchers", "cleanups", "timers"}


def writes() -> Iterator[tuple[str, str]]:
    """Yield the file and the attribute of each assignment to one of a process, elsewhere."""
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        if not name.startswith("_process/"):
            for node in ast.walk(ast.parse(file.read_text())):
                stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
                if stored and PROCESS.search(ast.unparse(node.value)):
                    yield name, node.attr


def test_others_change_what_a_process_is_by_its_methods() -> None:
    """So that what belongs together is changed together, and can be found."""
    made = {("_start/start.py", "behaviour")}  # as it is made
    found = {(name, attribute) for name, attribute in writes() if attribute in STATE | TABLES}
    assert LOOPS | made == found
