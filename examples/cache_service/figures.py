"""Rates and latencies, as a small table.

>>> print(table({"writes": [0.004] * 99 + [0.25], "reads": []}, 2.0))
            per second       p50       p90       p99       max
writes              50    4.0 ms    4.0 ms    4.0 ms    250 ms
reads                0         -         -         -         -
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PERCENTS = (50, 90, 99)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed.

    Args:
        ordered: values, smallest first; at least one.
        percent: from 0 to 100.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 50)
    2.0
    """
    rank = -int(-len(ordered) * percent // 100)
    return ordered[max(rank, 1) - 1]


def table(times: Mapping[str, Sequence[float]], seconds: float, *, indent: int = 0) -> str:
    """Show how many there were a second, and how long they took.

    Args:
        times: how long each took, in seconds, by what they were.
        seconds: how long it went on.
        indent: spaces before each line.
    """
    titles = [f"p{percent}" for percent in PERCENTS] + ["max"]
    header = f"{'':12}{'per second':>10}" + "".join(f"{title:>10}" for title in titles)
    rows = [header, *(_row(name, sorted(of), seconds) for name, of in times.items())]
    return "\n".join(" " * indent + row for row in rows)


def _row(name: str, ordered: Sequence[float], seconds: float) -> str:
    shown = [milliseconds(percentile(ordered, p)) for p in (*PERCENTS, 100)] if ordered else "----"
    rate = len(ordered) / seconds
    return f"{name:12}{rate:>10,.0f}" + "".join(f"{text:>10}" for text in shown)


def milliseconds(seconds: float) -> str:
    """Show a duration.

    >>> milliseconds(0.0004), milliseconds(0.0123), milliseconds(1.5)
    ('0.4 ms', '12 ms', '1,500 ms')
    """
    amount = seconds * 1000
    return f"{amount:,.0f} ms" if amount >= 9.95 else f"{amount:.1f} ms"


def counted(number: int, noun: str) -> str:
    """Say how many there are of something.

    >>> counted(1, "retry"), counted(1200, "retry"), counted(0, "client")
    ('1 retry', '1,200 retries', '0 clients')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"
