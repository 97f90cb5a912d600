"""`trio-otp kill`, `restart`, `suspend`, `resume`, `replace-state`: do something to a process.

The program has to allow it. The name of the process is typed to confirm it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from ..._util.bounded import visible
from ..socket.discovery import NotChosen
from .asking import SAID_NO, connected, shown

if TYPE_CHECKING:
    import argparse

REPLACE: Final = "replace-state"


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    with connected(given) as client:
        program = f"{client.hello.get('program')}, pid {client.hello.get('pid')}"
        typed = given.confirm if given.confirm is not None else _typed(given, program)
        target = {"ref": given.ref, "confirm": typed}
        if given.word == REPLACE:
            answer = client.ask("replace_state", source=given.source, **target)
        else:
            answer = client.ask("act", action=given.word, **target)
        shown(given, client, answer, _lines)
        return 0 if answer.result.get("done") else SAID_NO


def _typed(given: argparse.Namespace, program: str) -> str:
    """Ask a person for the name of the process."""
    if not sys.stdin.isatty():
        raise NotChosen("expected --confirm NAME where nobody can be asked for the name")
    question = visible(f"{given.word} {given.ref} in {program}; type its name to confirm: ")
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _lines(result: dict[str, Any]) -> list[str]:
    return [str(result["text"])]
