"""`trio-otp ps`: the processes of a program in a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .asking import connected, shown
from .table import Column, table
from .terminal import height, width

if TYPE_CHECKING:
    import argparse

COLUMNS: Final = (
    Column("PID", "pid", whole=True, right=True),
    Column("NAME", "name", whole=True),
    Column("STATUS", "status", whole=True),
    Column("QUEUE", "queue", whole=True, right=True),
    Column("OLDEST", "oldest", right=True),
    Column("MSG/S", "handled", right=True),
    Column("RESTARTS", "restarts", right=True),
    Column("BEHAVIOUR", "behaviour", least=9),
    Column("DOING", "doing", least=12),
)
UPWARDS: Final = {"pid", "name", "behaviour", "status"}  # sorted with the smallest first


def command(given: argparse.Namespace) -> int:
    """Carry it out."""
    arguments = {
        "filter": " ".join(given.filter),
        "sort": given.sort,
        "descending": given.sort not in UPWARDS,
        "count": height() if given.count is None else given.count,
    }
    with connected(given) as client:
        return shown(given, client, client.ask("rows", **arguments), _lines)


def _lines(result: dict[str, Any]) -> list[str]:
    rows = [_row(result["rows"][key]) for key in result["keys"]]
    lines = table(COLUMNS, rows, width())
    if len(rows) == result["matching"] == result["total"]:
        return lines
    return [*lines, f"{len(rows)} of {result['matching']} that match, of {result['total']}"]


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "oldest": _seconds(row.get("oldest")), "handled": _rate(row.get("handled"))}


def _seconds(value: Any) -> str | None:
    return None if value is None else f"{value:.1f} s"


def _rate(value: Any) -> str | None:
    return None if value is None else f"{value:.0f}"
