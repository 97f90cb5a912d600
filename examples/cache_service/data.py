"""The records that the demonstration stores: airports of the world, see `data/README.md`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

AIRPORTS: Final = Path(__file__).with_name("data") / "airports.csv"


def records() -> Iterator[tuple[bytes, bytes]]:
    """Read the airports.

    Returns:
        A key, as `b"airport:JFK"`, and a value, a JSON object in UTF-8 with the members name, city,
        country, lat and lon, for each airport in the order of the codes.
    """
    with AIRPORTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield _key(row), _value(row)


def _key(row: dict[str, str]) -> bytes:
    return f"airport:{row['code']}".encode()


def _value(row: dict[str, str]) -> bytes:
    place = {name: row[name] for name in ("name", "city", "country")}
    position = {name: float(row[name]) for name in ("lat", "lon")}
    return json.dumps(place | position, ensure_ascii=False, separators=(",", ":")).encode()
