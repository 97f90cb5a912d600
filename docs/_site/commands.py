"""The command line as Markdown, from the parser itself: what `{cli}` stands for on a page."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from trio_otp.cli import _parser

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 78  # of what fits beside the navigation
ONLY_IN_A_CLONE = "demo"


def page() -> str:
    """Return what there is to say of each command."""
    return "\n".join(_command(_parser(), "trio-otp", 2))


def _command(parser: argparse.ArgumentParser, name: str, level: int) -> Iterator[str]:
    """Yield the lines about a parser, then those about its commands."""
    yield f"```text\n{_usage(parser, name)}\n```\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from _commands(action, name, level)
        elif action.dest != "help":
            yield from _explained(action)


def _usage(parser: argparse.ArgumentParser, name: str) -> str:
    formatter = argparse.HelpFormatter(name, width=WIDTH)
    formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups, "")
    return formatter.format_help().strip()


def _commands(
    action: argparse._SubParsersAction[argparse.ArgumentParser], name: str, level: int
) -> Iterator[str]:
    helps = {each.dest: each.help or "" for each in action._choices_actions}
    for command, parser in action.choices.items():
        yield f"\n{'#' * level} {name} {command}\n"
        yield f"{_sentence(helps.get(command, ''))}\n"
        if command != ONLY_IN_A_CLONE:
            yield from _command(parser, f"{name} {command}", level + 1)


def _explained(action: argparse.Action) -> Iterator[str]:
    """Yield an entry of a list of definitions."""
    shown = [f"`{option}{_value(action)}`" for option in action.option_strings]
    yield ", ".join(shown or [f"`{_metavar(action)}`"])
    yield f": {_sentence((action.help or '') % {'prog': 'trio-otp', 'default': action.default})}\n"


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    return f"[={_metavar(action)}]" if action.nargs == "?" else f" {_metavar(action)}"


def _metavar(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _sentence(text: str) -> str:
    """Return a help as a sentence; what looks like markup is code."""
    return f"{text[:1].upper()}{text[1:]}.".replace("<", r"\<")
