"""What a scenario needs: the kinds of its definitions and the operations of its programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = ("init", "terminate", "timeout", "run", "start")  # keys of a definition
TABLES = ("call", "cast", "info", "continue", "event")
CONDITIONS = ("when_gen", "when_state")


def features(scenario: dict[str, Any]) -> Iterator[str]:
    """Name what a scenario needs: `kind NAME` for a definition, `NAME` for an operation."""
    for definition in scenario["defs"].values():
        yield f"kind {definition['kind']}"
        yield from _of_definition(definition)
    yield from _of_program(scenario["steps"])


def _of_definition(definition: dict[str, Any]) -> Iterator[str]:
    for key in PROGRAMS:
        yield from _of_program(definition.get(key, []))
    for key in TABLES:
        for program in definition.get(key, {}).values():
            yield from _of_program(program)
    for table in (definition.get("any", {}), *definition.get("states", {}).values()):
        for program in table.values():
            yield from _of_program(program)


def _of_program(program: list[list[Any]]) -> Iterator[str]:
    for name, *args in program:
        if name in CONDITIONS:
            yield from _of_program(args[1])
            continue
        yield name
        for arg in args:
            if isinstance(arg, dict) and "do" in arg:
                yield from _of_program(arg["do"])
