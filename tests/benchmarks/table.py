"""The table in the terminal: rows are workloads, columns are contestants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .lanes import OURS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .measure import Measure
    from .run import Result, Times
    from .targets import Judgement

NAME_WIDTH = 32
CELL_WIDTH = 13  # at least; a long name of a contestant takes more


def number(value: float) -> str:
    """Return three digits and a letter for thousands or millions, or for thousandths."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "u")):
        if abs(value) >= factor:
            scaled = value / factor
            digits = 2 if scaled < 10 else 1 if scaled < 100 else 0
            return f"{scaled:.{digits}f}{letter and ' ' + letter}"
    return "0"


def figure(value: float, measure: Measure) -> str:
    """Return a figure with its unit: `63.2 k/s`, `5.40 kB`, `1.20 ms`."""
    text = number(value)
    gap = "" if text[-1].isalpha() or not measure.unit else " "
    return f"{text}{gap}{measure.unit}"


def columns(result: Result) -> list[Times]:
    """Return those whom the ways to use trio_otp stand beside."""
    return [*result.of(Kind.FLOOR), *result.of(Kind.PEER)]


def cells(times: Times, row: Times | None, measure: Measure) -> tuple[str, str]:
    """Return the median with its spread, and the ratio to the row's trio_otp."""
    spread = times.spread
    first = f"{figure(spread.median, measure)}"
    second = f"±{spread.relative:.0%}"
    if row is not None:
        second += f" {times.ratio(row).median:.2f}x"
    return first, second


def render(results: Iterable[Result]) -> str:
    """Return the whole table."""
    return "\n\n".join(_section(result) for result in results if result.times)


def _section(result: Result) -> str:
    race = result.race
    lines = [f"{race.title} ({result.n:,} {race.what} a round)"]
    if race.note:
        lines.append(race.note)
    if race.grows and len(result.of(Kind.OURS)) > 1:
        lines.append(f"The time for all of them grows as n to the power of {result.exponent:.2f}.")
    others = columns(result)
    names = [OURS, *(times.lane.name for times in others)]
    widths = [max(CELL_WIDTH, len(name) + 2) for name in names]
    lines.append(_line("", names, widths))
    for row in result.of(Kind.OURS):
        own = cells(row, None, race.measure)
        pairs = [own, *(cells(times, row, race.measure) for times in others)]
        lines.append(_line(row.lane.title, [pair[0] for pair in pairs], widths))
        lines.append(_line("", [pair[1] for pair in pairs], widths))
    lines.extend(f"  {failed.lane.name}: {failed.failure}" for failed in result.failures)
    return "\n".join(lines)


def render_targets(judgements: Iterable[Judgement]) -> str:
    """Return the list of targets, each with what was measured."""
    lines = ["Targets"]
    for judgement in judgements:
        value = "" if judgement.value is None else f"{judgement.value:.2f}"
        target = judgement.target
        words = f"{judgement.verdict.value:14}{target.text:50}{value:>8}  ({target.limit})"
        lines.append(words)
    return "\n".join(lines)


def _line(name: str, parts: list[str], widths: list[int]) -> str:
    cells = "".join(part.rjust(width) for part, width in zip(parts, widths, strict=True))
    return (name.ljust(NAME_WIDTH) + cells).rstrip()
