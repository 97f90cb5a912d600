"""The tree of processes as JSON, for other programs. Pure: values go in, text comes out."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from .._util.bounded import bounded, shown_text

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 1  # goes up when a key goes or changes its meaning; new keys may come at any time
DEEPEST: Final = 50  # levels; each takes two brackets, and some readers go down a hundred


def as_json(nodes: Iterable[tuple[int | None, dict[str, Any]]]) -> str:
    """Return the text of `as_data`."""
    import json  # noqa: PLC0415 - few programs need it

    return json.dumps(as_data(nodes), indent=1)


def as_data(nodes: Iterable[tuple[int | None, dict[str, Any]]]) -> dict[str, Any]:
    """Put each node among the `children` of the one above it, and all of them under a version.

    What is deeper than readers can go stands beside the last one, with the pid of the one `above`.

    Args:
        nodes: from the top down; each with the index of the one above it, None at the top.

    >>> as_data([(None, {"pid": 1}), (0, {"pid": 2})])
    {'version': 1, 'processes': [{'pid': 1, 'children': [{'pid': 2, 'children': []}]}]}
    """
    roots: list[dict[str, Any]] = []
    placed: list[tuple[dict[str, Any], list[dict[str, Any]], int]] = []
    for above, node in nodes:
        host, beside, depth = (None, roots, 0) if above is None else placed[above]
        if host is not None and depth < DEEPEST:
            beside = host["children"]
        elif host is not None:
            node["above"] = host["pid"]
        node["children"] = []
        beside.append(node)
        placed.append((node, beside, min(depth + 1, DEEPEST)))
    return {"version": VERSION, "processes": roots}


def plain(name: object) -> str | None:
    """Return a name or id as text: a str as it is, an enum member as a program writes it.

    >>> plain("cache"), plain(int), plain(("shard", 2)), plain(None)
    ('cache', 'int', "('shard', 2)", None)
    """
    if name is None:
        return None
    if isinstance(name, Enum):
        return shown_text(f"{type(name).__name__}.{name.name}")
    return shown_text(name) if isinstance(name, str) else bounded(name)
