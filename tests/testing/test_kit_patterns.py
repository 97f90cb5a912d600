"""Patterns of the testing kit: what matches, what is refused, how they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from inside import CallMessage
from testing_kit import Counter

import trio_otp as otp
from trio_otp.testing import assert_receive, called, like, matches
from trio_otp.testing.patterns import check_pattern, shown


@dataclass(frozen=True)
class Order:
    """A message."""

    item: str
    pieces: int = 1


class Odd:
    """Is equal to nothing, with noise."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no ==")

    __hash__ = object.__hash__


ODD = Odd()


def is_long(text: str) -> bool:
    return len(text) > 3


def message(method: Any, *args: Any, **kwargs: Any) -> CallMessage:
    return CallMessage(method, args, kwargs)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (object, None),
        (int | str, "x"),
        (Order, Order("tea")),
        (3, 3),
        (otp.NORMAL, otp.NORMAL),
        (Order("tea", 2), Order("tea", 2)),
        (is_long, "long"),
        (("order", str, is_long), ("order", "x", "long")),
        ([int, [int]], [1, [2]]),
        ({"a": int}, {"a": 1}),
        (like(Order, item="tea"), Order("tea", 7)),
        (like(Order, pieces=int, item=is_long), Order("coffee")),
        (like(object), 1),
        (ValueError("bad", int), ValueError("bad", 1)),
        (otp.Shutdown("x"), otp.Shutdown("x")),
        (ODD, ODD),
        (Counter.count, message(Counter.count, "tea")),
        (called(Counter.count, is_long), message(Counter.count, "coffee")),
        (called(Counter.add, "x", times=int), message(Counter.add, "x", times=2)),
    ],
)
def test_what_matches(pattern: Any, value: Any) -> None:
    """Types, values, functions, parts of values, requests of client methods."""
    check_pattern("pattern", pattern)
    assert matches(pattern, value)


@pytest.mark.parametrize(
    ("pattern", "value"),
    [
        (int, "x"),
        (int | None, "x"),
        (3, 4),
        (is_long, "x"),
        (is_long, 7),
        ((str,), ("a", "b")),
        ((str,), ["a"]),
        ((), None),
        ({"a": int}, {"a": 1, "b": 2}),
        ({"a": int}, {"b": 2}),
        (like(Order, item="tea"), Order("coffee")),
        (like(Order, price=1), Order("coffee")),
        (like(Order, item="tea"), 7),
        (ValueError("bad"), ValueError("worse")),
        (ValueError("bad"), KeyError("bad")),
        (ValueError("bad"), ValueError),
        (ODD, 1),
        (1, ODD),
        (Counter.count, message(Counter.add, "tea")),
        (called(Counter.count, "x"), message(Counter.count, "tea")),
        (called(Counter.count, "x"), "count"),
        (called(Counter.add, "x"), message(Counter.add, "x", times=2)),
    ],
)
def test_what_does_not_match(pattern: Any, value: Any) -> None:
    """Among them values of another kind than a function or an `==` was written for."""
    assert not matches(pattern, value)


def test_patterns_are_shown_as_they_are_written() -> None:
    """A failure names the pattern in the words of the test."""
    pattern = (int, ["a", like(Order, item=str, pieces=2)], called(Counter.add, "x", times=int))
    assert "(int, ['a', like(Order, item=str, pieces=2)], add('x', times=int))" == shown(pattern)
    assert ("(int,)", "Counter.count", "int | str") == (
        shown((int,)),
        shown(Counter.count),
        shown(int | str),
    )
    line = is_long.__code__.co_firstlineno
    assert f"is_long of {__file__}:{line}" == shown(is_long)


async def test_what_can_be_no_pattern_is_refused(otp_system: object) -> None:
    """A type with parameters would raise at every message, and a coroutine was forgotten."""
    with pytest.raises(TypeError, match=r"pattern=list\[int\]: expected a class without param"):
        await assert_receive(list[int])
    with pytest.raises(TypeError, match=r"pattern=typing.Any: expected .* object for anything"):
        await assert_receive(Any)
    with pytest.raises(TypeError, match="expected a pattern, not a coroutine"):
        await assert_receive(otp.call("x", 1))
    with pytest.raises(TypeError, match=r"kind=3: expected a class; write like\(Down, reason="):
        like(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"method=3: expected a method of a server class"):
        called(3)
