"""The random numbers behind the jitter of restart back-off: one generator for each run."""

from __future__ import annotations

from random import Random
from typing import Final

from .._process.runtime import runtime

_KEY: Final = "jitter of restarts"  # in the extras of a run


def jitter_generator() -> Random:
    """Return the generator that all jitter of this run is drawn from."""
    extras = runtime().extras
    if _KEY not in extras:
        extras[_KEY] = Random()  # noqa: S311 - it keeps no secret
    found: Random = extras[_KEY]
    return found


def random() -> float:
    """Return a number from 0 up to 1."""
    return jitter_generator().random()
