"""What is to be reached, and what the figures of one run say to it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from .lanes import Kind
from .statistics import spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .run import Result, Times


class Verdict(enum.Enum):
    """What a run says of a target."""

    REACHED = "reached"
    MISSED = "missed"
    OPEN = "not measured"


Value = Callable[["Mapping[str, Result]"], float | None]  # None: the run did not measure it


@dataclass(frozen=True)
class Target:
    """A limit for a figure or a ratio."""

    text: str
    value: Value
    least: float | None = None
    most: float | None = None

    @property
    def limit(self) -> str:
        """The limit in words."""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    def judge(self, results: Mapping[str, Result]) -> Judgement:
        """Hold a run to it."""
        value = self.value(results)
        if value is None:
            return Judgement(self, Verdict.OPEN, None)
        reached = (self.least is None or value >= self.least) and (
            self.most is None or value <= self.most
        )
        return Judgement(self, Verdict.REACHED if reached else Verdict.MISSED, value)


@dataclass(frozen=True)
class Judgement:
    """What came of a target in a run."""

    target: Target
    verdict: Verdict
    value: float | None


def judge(results: Iterable[Result]) -> list[Judgement]:
    """Hold a run to all targets."""
    by_name = {result.race.name: result for result in results}
    return [target.judge(by_name) for target in TARGETS]


def _ours(results: Mapping[str, Result], race: str, lane: str) -> Times | None:
    result = results.get(race)
    return None if result is None else result.named(lane, Kind.OURS)


def to_floor(race: str, lane: str, name: str) -> Value:
    """Return the ratio of a way to use trio_otp to a floor of the same race."""

    def value(results: Mapping[str, Result]) -> float | None:
        mine = _ours(results, race, lane)
        floor = results[race].named(name, Kind.FLOOR) if mine else None
        return mine.ratio(floor).median if mine and floor else None

    return value


def to_another(race: str, lane: str, name: str) -> Value:
    """Return the ratio of a way to use trio_otp to another way in the same race."""

    def value(results: Mapping[str, Result]) -> float | None:
        mine, other = _ours(results, race, lane), _ours(results, race, name)
        return mine.ratio(other).median if mine and other else None

    return value


def to_peers(race: str, lane: str, *names: str) -> Value:
    """Return the ratio to the best of these peers, or of all that run in one Python process."""

    def value(results: Mapping[str, Result]) -> float | None:
        mine = _ours(results, race, lane)
        if mine is None:
            return None
        peers = [
            peer
            for peer in results[race].of(Kind.PEER)
            if (peer.lane.name in names if names else peer.lane.name != "elixir")
        ]
        return min((mine.ratio(peer).median for peer in peers), default=None)

    return value


def worst_to_peers(*names: str) -> Value:
    """Return the ratio to these peers in the row, of all rates, that is furthest behind them."""

    def value(results: Mapping[str, Result]) -> float | None:
        ratios = [
            to_peers(name, row.lane.name, *names)(results)
            for name, result in results.items()
            if result.race.measure.more_is_better
            for row in result.of(Kind.OURS)
        ]
        return min((ratio for ratio in ratios if ratio is not None), default=None)

    return value


def _median(race: str, lane: str) -> Value:
    def value(results: Mapping[str, Result]) -> float | None:
        mine = _ours(results, race, lane)
        return mine.spread.median if mine else None

    return value


def part_of(race: str, column: str) -> Value:
    """Return the part of the time that a copy of the library does without."""

    def value(results: Mapping[str, Result]) -> float | None:
        found = _copies(results, race, column)
        return None if found is None else spread(found[0]).median

    return value


def _beyond_spread(race: str, column: str) -> Value:
    """Return how far that part is from what two whole copies differ by; 0 is not measurable."""

    def value(results: Mapping[str, Result]) -> float | None:
        found = _copies(results, race, column)
        if found is None:
            return None
        parts, noise = found
        return max(0.0, spread(parts).low - spread(noise).high)

    return value


def _copies(
    results: Mapping[str, Result], race: str, column: str
) -> tuple[list[float], list[float]] | None:
    """Give, for each round, the part that a copy does without, and how whole ones differ."""
    result = results.get(f"bookkeeping.{race}")
    wholes = [] if result is None else [t.figures for t in result.times if t.lane.name == "whole"]
    bare = None if result is None else result.named(column)
    if bare is None or not all(wholes):
        return None
    rounds = list(zip(*wholes, bare.figures, strict=True))
    parts = [1 - fmean((one, other)) / without for one, other, without in rounds]
    return parts, [abs(one - other) / one for one, other, _ in rounds]


def _exponent(race: str) -> Value:
    def value(results: Mapping[str, Result]) -> float | None:
        result = results.get(race)
        complete = result is not None and len(result.of(Kind.OURS)) == len(result.times) > 1
        return result.exponent if result is not None and complete else None

    return value


def _import_over_trio(results: Mapping[str, Result]) -> float | None:
    mine = _ours(results, "import", "trio_otp")
    trio = results["import"].named("trio") if mine else None
    return mine.more_than(trio).median * 1000 if mine and trio else None


def _delay(results: Mapping[str, Result]) -> float | None:
    figures = [_median("delay.messages", lane)(results) for lane in ("plain", "plain_async")]
    known = [figure for figure in figures if figure is not None]
    return max(known, default=None)


TARGETS: Final = (
    Target("call, plain, to F2", to_floor("call", "plain", "F2"), least=0.95),
    Target("call, plain, to F1", to_floor("call", "plain", "F1"), least=1.35),
    Target("call, plain, to F0", to_floor("call", "plain", "F0"), least=0.58),
    Target("call, typed, to F1", to_floor("call", "typed", "F1"), least=1.1),
    Target("call, typed, to F2", to_floor("call", "typed", "F2"), least=0.82),
    Target("call, plain, to the best Python peer", to_peers("call", "plain"), least=1.0),
    Target("call, plain, to triotp", to_peers("call", "plain", "triotp"), least=3.0),
    Target("100 callers, to F7", to_floor("concurrent", "plain", "F7"), least=1.5),
    Target(
        "GET of the cache service, to a checkpoint for each call",
        to_floor("get", "service", "checkpoint"),
        least=0.9,
    ),
    Target(
        "GenStatem call, to GenServer call", to_another("statem", "calls", "server"), least=0.55
    ),
    Target("cast burst, plain, to F8", to_floor("cast", "plain", "F8"), least=4.0),
    Target("cast burst, typed async, to F8", to_floor("cast", "typed_async", "F8"), least=2.0),
    Target("cast burst, plain, to the best Python peer", to_peers("cast", "plain"), least=1.0),
    Target("bookkeeping, part of a call", part_of("call", "none of them"), most=0.10),
    Target(
        "bookkeeping, part of a call by a process", part_of("process", "none of them"), most=0.10
    ),
    Target("bookkeeping, part of a cast", part_of("cast", "none of them"), most=0.25),
    Target("idle hooks, measurable part of a call", _beyond_spread("call", "no hooks"), most=0),
    Target("idle hooks, measurable part of a cast", _beyond_spread("cast", "no hooks"), most=0),
    Target("a flood delays others, messages", _delay, most=64),
    Target(
        "start, to nursery.start of an empty task",
        to_floor("start", "nursery", "nursery.start/empty"),
        least=1.0,
    ),
    Target(
        "start_child, DynamicSupervisor, to the same",
        to_floor("start", "dynamic", "nursery.start/empty"),
        least=0.55,
    ),
    Target(
        "start_child, Supervisor, to the same",
        to_floor("start", "static", "nursery.start/empty"),
        least=0.45,
    ),
    Target("start, to a hand-made one", to_floor("start", "nursery", "hand-made"), least=0.95),
    Target(
        "start_child, DynamicSupervisor, to nursery.start",
        to_floor("start", "dynamic", "nursery.start"),
        least=1.0,
    ),
    Target(
        "start_child, Supervisor, to the same",
        to_floor("start", "static", "nursery.start"),
        least=0.8,
    ),
    Target("start and stop, to its floor", to_floor("stop", "stop", "start+cancel"), least=1.0),
    Target(
        "start and stop, to triotp, pykka, otpylib, fauxtp",
        to_peers("stop", "stop", "triotp", "pykka", "otpylib", "fauxtp"),
        least=1.0,
    ),
    Target(
        "the last of all rows to triotp, pykka, otpylib, fauxtp",
        worst_to_peers("triotp", "pykka", "otpylib", "fauxtp"),
        least=1.0,
    ),
    Target(
        "crash to restarted, to a crash and a new task",
        to_floor("restart", "one", "crash+start"),
        least=0.4,
    ),
    Target("task, to start_soon", to_floor("task", "task", "start_soon"), least=0.3),
    Target("async_stream, to a task each", to_floor("stream", "stream", "task each"), least=0.2),
    Target(
        "cast, one at a time, to the best Python peer",
        to_peers("trickle", "plain"),
        least=1.0,
    ),
    Target(
        "memory, to a parked task with channel and scope",
        to_floor("memory", "plain", "F12+scope"),
        most=1.2,
    ),
    Target(
        "memory of a supervised child, to the same",
        to_floor("memory", "supervised", "F12+scope"),
        most=1.2,
    ),
    Target("memory of a server that sleeps, bytes", _median("memory", "asleep"), most=1024),
    Target("each of a million that sleep, bytes", _median("million.asleep", "asleep"), most=1200),
    Target("import over import trio, ms", _import_over_trio, most=60),
    Target(
        "gen_statem events (casts), to transitions",
        to_peers("statem", "casts", "transitions"),
        least=1.0,
    ),
    Target(
        "gen_statem events (casts), to transitions async",
        to_peers("statem", "casts", "transitions.async"),
        least=1.0,
    ),
    Target("growth of n stops, exponent", _exponent("growth.stop"), most=1.1),
    Target("growth of n restarts, exponent", _exponent("growth.restart"), most=1.1),
    Target("growth of n lookups, exponent", _exponent("growth.lookup"), most=1.1),
    Target("growth of dispatch to n, exponent", _exponent("growth.dispatch"), most=1.1),
)
