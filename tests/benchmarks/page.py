"""docs/performance.md and its charts, from a run as JSON."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from .chart import Bar, chart
from .measure import Measure
from .peers import ELIXIR
from .table import figure

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DOCS: Final = Path(__file__).parents[2] / "docs"
BEGIN: Final = "<!-- figures: written by `nox -s bench -- --write` -->\n"
END: Final = "<!-- end of figures -->\n"
# A checkpoint answers nobody; beside another virtual machine all else would be a few pixels long.
NO_BAR: Final = ("F0", ELIXIR)
CHARTS: Final = {
    "call": "calls a second",
    "cast": "casts a second",
    "start": "starts a second",
    "memory": "bytes",
    "statem": "events a second",
}


def write(report: Mapping[str, Any], docs: Path = DOCS) -> None:
    """Put the figures into the page, and the charts beside it."""
    page = docs / "performance.md"
    text = page.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    page.write_text(pattern.sub(lambda _: BEGIN + figures(report) + END, text), encoding="utf-8")
    folder = docs / "performance"
    folder.mkdir(exist_ok=True)
    for name, svg in charts(report):
        (folder / f"{name}.svg").write_text(svg, encoding="utf-8")


def charts(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the charts: the name of the file, and its text."""
    for race in report["races"]:
        lanes = [lane for lane in race["lanes"] if "median" in lane]
        if race["name"] in CHARTS and lanes:
            measure = measure_of(race)
            best_first = sorted(lanes, key=lambda lane: lane["median"], reverse=True)
            bars = [
                Bar(_bar_name(lane), lane["kind"], lane["median"], figure(lane["median"], measure))
                for lane in best_first
                if lane["name"] not in NO_BAR
            ]
            yield race["name"], chart(race["title"], CHARTS[race["name"]], bars)


def measure_of(race: Mapping[str, Any]) -> Measure:
    """Return the measure of a race of the report."""
    return Measure(race["measure"])


def _bar_name(lane: Mapping[str, Any]) -> str:
    if lane["kind"] == "peer":
        return str(lane["name"])
    name = "trio_otp" if lane["kind"] == "ours" else lane["name"]
    return f"{name}: {lane['title']}"


def figures(report: Mapping[str, Any]) -> str:
    """Return the generated part of the page."""
    facts = report["facts"]
    lines = [
        "",
        (
            f"CPython {facts['python']}, trio {facts['trio']}, {facts['cores']} cores of "
            f"{facts['processor'] or facts['machine']}, {facts['date'][:10]}."
        ),
        "Peers: " + ", ".join(f"{name} {text}" for name, text in facts["peers"].items()) + ".",
        *(f"{name} took no part: {reason}." for name, reason in report["missing"].items()),
        "",
        *_targets(report),
    ]
    for race in report["races"]:
        lines.extend(_race(race))
    return "\n".join([*lines, ""])


def _targets(report: Mapping[str, Any]) -> Iterator[str]:
    yield "| target | limit | measured | |"
    yield "|---|---|---|---|"
    for target in report["targets"]:
        value = "" if target["value"] is None else f"{target['value']:.2f}"
        yield f"| {target['text']} | {target['limit']} | {value} | {target['verdict']} |"


def _race(race: Mapping[str, Any]) -> Iterator[str]:
    measure = measure_of(race)
    lanes = [lane for lane in race["lanes"] if "median" in lane]
    rows = [lane for lane in lanes if lane["kind"] == "ours"]
    others = [lane for lane in lanes if lane["kind"] != "ours"]
    yield ""
    yield f"### {race['title'][0].upper()}{race['title'][1:]}"
    yield ""
    if race["name"] in CHARTS:
        yield f"![{race['title']}](performance/{race['name']}.svg)"
        yield ""
    if race["exponent"] is not None:
        yield f"The time for all of them grows as n to the power of {race['exponent']:.2f}."
        yield ""
    yield "| | " + " | ".join(["trio_otp", *(lane["name"] for lane in others)]) + " |"
    yield "|---" * (len(others) + 2) + "|"
    for row in rows:
        cells = [_cell(row, measure)]
        cells += [f"{_cell(o, measure)}<br>{o['ratios'][row['name']]:.2f}x" for o in others]
        yield f"| {row['title']} | " + " | ".join(cells) + " |"
    for lane in race["lanes"]:
        if lane["failure"]:
            yield ""
            yield f"{lane['name']} left this race: {lane['failure']}."


def _cell(lane: Mapping[str, Any], measure: Measure) -> str:
    half = (lane["high"] - lane["low"]) / 2 / lane["median"]
    return f"{figure(lane['median'], measure)} ±{half:.0%}"
