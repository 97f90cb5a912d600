"""The commands of `trio-otp` that look into a program from another terminal.

They speak the protocol of the page over the program's Unix socket. Parsing their arguments needs
nothing of the observer; the rest is imported when a command is carried out.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import Any, Final

SORTS: Final = (
    "queue",
    "oldest",
    "handled",
    "restarts",
    "doing",
    "pid",
    "name",
    "behaviour",
    "status",
)
# {command: (where it is, what it does)}
COMMANDS: Final = {
    "list": ("show_programs", "list the programs that can be looked at"),
    "ps": ("show_processes", "list the processes of a program, the busy ones first"),
    "tree": ("show_tree", "draw the supervision tree, or a part of it"),
    "info": ("show_info", "tell all about one process"),
    "problems": ("show_problems", "say what is wrong; exit status 1 if anything is"),
    "stacks": ("show_stacks", "show where processes wait, those at one place together"),
    "crashes": ("show_crashes", "show the last crashes, grouped by error and line"),
    "url": ("show_url", "print the address of the page with its token"),
    "kill": ("act", "kill a process"),
    "restart": ("act", "restart a child of a supervisor"),
    "suspend": ("act", "have a process handle no messages until `resume`"),
    "resume": ("act", "have a suspended process go on"),
    "replace-state": ("act", "give a process another state"),
    "shell": ("shell", "type Python into a program that allows actions; `await` works"),
}


def add_commands(commands: Any) -> None:
    """Add the commands to a parser.

    Args:
        commands: what `add_subparsers` has given.
    """
    for name, (module, what) in COMMANDS.items():
        parser: argparse.ArgumentParser = commands.add_parser(name, help=what)
        _OPTIONS.get(name, _no_options)(parser)
        if name != "shell":
            parser.add_argument("--json", action="store_true", help="print one line of JSON")
        if name != "list":
            _add_choice(parser)
        parser.set_defaults(command=_Command(module), word=name)


class _Command:
    """Carries out a command line of one command; imports it for that."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __call__(self, given: argparse.Namespace, _rest: list[str]) -> int:
        asking = import_module(".asking", __name__)
        command = import_module(f".{self._module}", __name__).command
        status: int = asking.carry_out(lambda: command(given))
        return status


def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pid", type=int, help="look into the program with this number")
    parser.add_argument("--name", help="look into the program with this name, or a part of it")


def _no_options(_: argparse.ArgumentParser) -> None:
    pass


def _of_ps(parser: argparse.ArgumentParser) -> None:
    what = "conditions: q>10, age>5, status:waiting, or a part of a name, label or class"
    parser.add_argument("filter", nargs="*", help=what)
    parser.add_argument("--sort", choices=SORTS, default="queue", help="queue if left out")
    what = "how many rows; as many as the terminal has lines, or 1000, if left out"
    parser.add_argument("-n", "--count", type=_count, help=what)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number >= 0")
    return int(text)


def _of_tree(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", nargs="?", metavar="NAME", help="name or number of a process")


def _of_info(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="REF", help="name or number of a process")


def _of_action(parser: argparse.ArgumentParser) -> None:
    _of_info(parser)
    what = "its name, which is asked for otherwise, so that nothing is hit by mistake"
    parser.add_argument("--confirm", metavar="NAME", help=what)


def _of_replace_state(parser: argparse.ArgumentParser) -> None:
    _of_action(parser)
    what = "a function of the state that gives another one, as in 'lambda state: {}'"
    parser.add_argument("source", metavar="FUNCTION", help=what)


def _of_stacks(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("filter", nargs="*", help="which processes, as for ps")


_OPTIONS: Final = {
    "ps": _of_ps,
    "tree": _of_tree,
    "info": _of_info,
    "stacks": _of_stacks,
    "kill": _of_action,
    "restart": _of_action,
    "suspend": _of_action,
    "resume": _of_action,
    "replace-state": _of_replace_state,
}
