"""The shipped records."""

from __future__ import annotations

import json

from examples.cache_service.data import AIRPORTS, records


def test_every_airport_is_a_record() -> None:
    """Each line of the file but the heading is one record with a key of its own."""
    keys = [key for key, _ in records()]

    assert AIRPORTS.read_bytes().count(b"\n") - 1 == len(keys) == len(set(keys)) == 7884
    assert sorted(keys) == keys


def test_a_record_says_what_and_where() -> None:
    """A value is JSON in UTF-8 that names the airport and its place."""
    airports = dict(records())

    assert {
        "name": "Andøya Airport",
        "city": "Andenes",
        "country": "NO",
        "lat": 69.2925,
        "lon": 16.1442,
    } == json.loads(airports[b"airport:ANX"])


def test_positions_are_on_the_globe() -> None:
    """Every airport has a name, a country and a position in degrees."""
    places = [json.loads(value) for _, value in records()]

    assert all(place["name"] and len(place["country"]) == 2 for place in places)
    assert all(abs(place["lat"]) <= 90 and abs(place["lon"]) <= 180 for place in places)


def test_the_licence_is_beside_the_data() -> None:
    """Who has the data has the licence under which it may be passed on."""
    licence = AIRPORTS.with_name("LICENSE").read_text(encoding="utf-8")

    assert "Mike Borsetti" in licence
    assert "mwgg" in licence
    assert "The above copyright notice and this permission notice shall be included" in licence
