"""Comparing traces: the first difference, and what is expected of a scenario."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
DEVIATIONS: Final = HERE / "deviations.toml"
NOTHING: Final = "(nothing)"


@dataclass(frozen=True)
class Difference:
    """The first place where two traces differ."""

    where: str
    expected: Any
    got: Any

    def __str__(self) -> str:
        return (
            f"at {self.where}\n"
            f"    expected {json.dumps(self.expected)}\n"
            f"    got      {json.dumps(self.got)}"
        )


def first_difference(expected: Any, got: Any, where: str = "trace") -> Difference | None:
    """Return the first difference of two JSON values, None if they are equal."""
    if isinstance(expected, dict) and isinstance(got, dict):
        keys = sorted(expected.keys() | got.keys())
        pairs = [
            (f"{where}.{key}", expected.get(key, NOTHING), got.get(key, NOTHING)) for key in keys
        ]
    elif isinstance(expected, list) and isinstance(got, list) and _is_log(expected, got):
        pairs = [
            (f"{where}[{index}]", _at(expected, index), _at(got, index))
            for index in range(max(len(expected), len(got)))
        ]
    else:
        return None if _same(expected, got) else Difference(where, expected, got)
    found = (first_difference(old, new, place) for place, old, new in pairs)
    return next((difference for difference in found if difference is not None), None)


def _is_log(*values: list[Any]) -> bool:
    """Tell a list of entries from an entry, which is shown as a whole."""
    return all(isinstance(item, list) for value in values for item in value)


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else NOTHING


def _same(one: Any, other: Any) -> bool:
    """Compare JSON values: true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def deviations() -> dict[str, dict[str, Any]]:
    """Return the deviations: {area/name: {decision, trace}}."""
    with DEVIATIONS.open("rb") as file:
        entries = tomllib.load(file).get("deviation", [])
    return {entry["scenario"]: {**entry, "trace": json.loads(entry["trace"])} for entry in entries}
