"""A run as JSON: every figure, and what it was measured on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .lanes import OURS, Kind
from .peers import ELIXIR, PEERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .run import Result, Times
    from .targets import Judgement


def facts() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "trio": version("trio"),
        "trio_otp": version("trio_otp"),
        "peers": _peers(),
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": list(os.getloadavg()),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv[1:],
    }


def _peers() -> dict[str, str]:
    """Return the version of each peer that is there, whether or not it took part."""
    there: dict[str, str] = {}
    for package in dict.fromkeys(peer.package for peer in PEERS):
        with suppress(PackageNotFoundError):
            there[package] = version(package)
    if elixir := shutil.which(ELIXIR):
        command = [elixir, "--short-version"]
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        there[ELIXIR] = said.strip()
    return there


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def as_json(
    results: Iterable[Result], judgements: Iterable[Judgement], missing: Mapping[str, str]
) -> dict[str, Any]:
    """Return the whole run."""
    return {
        "facts": facts(),
        "races": [_race(result) for result in results],
        "targets": [_target(judgement) for judgement in judgements],
        "missing": dict(missing),
    }


def _race(result: Result) -> dict[str, Any]:
    race = result.race
    rows = {times.lane.name: times for times in result.of(Kind.OURS)}
    return {
        "name": race.name,
        "title": race.title,
        "counts": race.what,
        "measure": race.measure.value,
        "unit": race.measure.unit,
        "more_is_better": race.measure.more_is_better,
        "n": result.n,
        "seconds": round(result.seconds, 3),
        "lanes": [_lane(times, rows) for times in result.times],
        "exponent": result.exponent if race.grows and len(rows) > 1 else None,
    }


def _lane(times: Times, rows: Mapping[str, Times]) -> dict[str, Any]:
    lane = times.lane
    told = {
        "kind": lane.kind.value,
        "contestant": OURS if lane.kind is Kind.OURS else lane.name,
        "name": lane.name,
        "title": lane.title,
        "failure": times.failure or None,
    }
    if not times.figures:
        return told
    spread = times.spread
    return told | {
        "figures": times.figures,
        "median": spread.median,
        "low": spread.low,
        "high": spread.high,
        "ratios": {name: times.ratio(row).median for name, row in rows.items()},
    }


def _target(judgement: Judgement) -> dict[str, Any]:
    return {
        "text": judgement.target.text,
        "limit": judgement.target.limit,
        "value": judgement.value,
        "verdict": judgement.verdict.value,
    }
