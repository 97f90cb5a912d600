"""Which numbers of arguments a function takes, without running it."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import pytest

from trio_otp._util.signature import argument_checker, right_counts


def none() -> None: ...
def one(a: Any) -> None: ...
def default(a: Any, b: Any = 1) -> None: ...
def defaults(a: Any = 1, b: Any = 2) -> None: ...
def positional(a: Any, /, b: Any) -> None: ...
def variadic(a: Any, *more: Any) -> None: ...
def all_of_them(*more: Any, **named: Any) -> None: ...
def keyword(a: Any, *, b: Any) -> None: ...
def keywords(a: Any, *, b: Any, c: Any = 1) -> None: ...
def keyword_default(a: Any, *, b: Any = 1) -> None: ...


FUNCTIONS = [
    none,
    one,
    default,
    defaults,
    positional,
    variadic,
    all_of_them,
    keyword,
    keywords,
    keyword_default,
]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_right_counts_are_those_that_a_call_takes(function: Any) -> None:
    """For each number of positional arguments alone, both ways to check agree."""
    least, most = right_counts(function)
    check = argument_checker(function)

    for count in range(5):
        try:
            check(*[None] * count)
        except TypeError:
            assert not least <= count <= most
        else:
            assert least <= count <= most


def test_any_number_may_be_right() -> None:
    """A function that takes all there is has no limit."""
    assert sys.maxsize == right_counts(variadic)[1]


@pytest.mark.parametrize("function", [partial(default, 1), len, type])
def test_of_what_is_no_function_no_number_is_known_to_be_right(function: Any) -> None:
    """So every call is checked."""
    assert (0, -1) == right_counts(function)
