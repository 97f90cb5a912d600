"""A whole service, with clients over real sockets."""

from __future__ import annotations

import functools

from ..lanes import Race, Sizes, floor, ours
from ..measure import Measure
from ..ours import service

RACES = tuple(
    Race(
        name=name,
        title=f"GET of the cache service, 50 connections{words}",
        what="commands",
        measure=Measure.RATE,
        sizes=Sizes(full=2000 * depth, quick=200 * depth, rounds=9),
        lanes=(
            floor(
                "checkpoint",
                "a checkpoint for each call",
                functools.partial(service.straight_gets, depth=depth),
            ),
            ours("service", "the worker of a keyspace", service.gets, depth),
        ),
    )
    for name, words, depth in (("get", "", 1), ("get.16", ", 16 deep", 16))
)
