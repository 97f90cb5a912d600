"""Whether a function takes its arguments, found out without running it."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from inside import Parameters, check_arguments, parameters_of


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


class Made:
    """Is called as its `__init__` is."""

    def __init__(self, a: Any, *, b: Any = 1) -> None: ...
    def method(self, a: Any) -> None: ...


class Unhashable:
    """Can be called, but not be looked up."""

    __hash__ = None  # type: ignore[assignment]  # as an object that is equal to others has none

    def __call__(self, a: Any) -> None: ...


TARGETS = [
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
    functools.partial(default, 1),
    Made,
    Made(1).method,
    Unhashable(),
]
ARGUMENTS = st.lists(st.integers(), max_size=3).map(tuple)
KEYWORDS = st.dictionaries(st.sampled_from("abcd"), st.integers(), max_size=3)


@pytest.mark.parametrize(
    "target", TARGETS, ids=lambda target: getattr(target, "__name__", "object")
)
@given(args=ARGUMENTS, kwargs=KEYWORDS)
def test_what_is_checked_is_what_a_call_takes(
    target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """The check and the call agree about every shape, also when it is asked again."""
    try:
        target(*args, **kwargs)
    except TypeError:
        for _ in range(2):
            with pytest.raises(TypeError, match=r": .*; it is \w+\("):
                check_arguments(target, args, kwargs)
    else:
        for _ in range(2):
            check_arguments(target, args, kwargs)


def test_lambdas_of_one_line_are_known_once() -> None:
    """Each pass makes a new function of the same code, and none of them is kept alive."""
    known = {id(parameters_of(lambda value, by=number: value + by)) for number in range(3)}

    assert 1 == len(known)


def test_a_function_whose_defaults_change_is_another_one() -> None:
    """What has no default any more is missing."""

    def add(a: int, b: int = 1) -> int:
        return a + b

    check_arguments(add, (1,))
    add.__defaults__ = None
    with pytest.raises(TypeError, match=r"add: missing a required argument: 'b'; it is add\(a"):
        check_arguments(add, (1,))


def test_what_a_decorator_made_may_take_more() -> None:
    """It shows the signature of what it wraps, and gives that an argument of its own."""

    @functools.wraps(default)
    def giving(*args: Any) -> None:
        default(1, *args)

    check_arguments(giving, ())
    with pytest.raises(TypeError, match="unexpected keyword argument 'b'"):
        check_arguments(giving, (), {"b": 1})


def test_of_some_functions_only_a_call_can_tell() -> None:
    """A builtin without a signature takes anything here."""
    assert None is parameters_of(min).signature
    check_arguments(min, (), {"colour": 1})


def test_names_from_outside_do_not_pile_up() -> None:
    """A function that takes any name is asked with many; few of them are remembered."""
    parameters = Parameters(inspect.signature(all_of_them))
    for number in range(1000):
        assert parameters.fit((), {f"name{number}": 1})

    assert len(parameters.shapes) < 100


def test_a_default_that_cannot_be_shown() -> None:
    """The text of the error says so, and is one line."""

    class Rude:
        def __repr__(self) -> str:
            raise ZeroDivisionError

    def rude(a: Any, b: Any = Rude()) -> None: ...  # noqa: B008 - it is what is tested

    with pytest.raises(TypeError, match="missing a required argument: 'a'; it is rude<Signature: "):
        check_arguments(rude, ())
