"""The library's way to make dataclasses gives what the standard library's gives."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import re
from pathlib import Path
from typing import Any, Generic, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trio_otp._util import record
from trio_otp._util.bounded import bounded

T = TypeVar("T")
KINDS = (dataclasses.dataclass, record.dataclass)
WAYS = [{"frozen": f, "slots": s} for f in (False, True) for s in (False, True)]


def pair_of(maker: Any, how: dict[str, bool]) -> type[Any]:
    @maker(**how)
    class Pair(Generic[T]):
        """Two."""

        a: T
        b: list[int] = dataclasses.field(default_factory=list)
        c: Any = dataclasses.field(default="c", compare=False, repr=False)

    return Pair


def one_of(maker: Any, how: dict[str, bool]) -> type[Any]:
    @maker(**how)
    class One:  # noqa: PLW1641 - whether it gets a hash is what is compared
        """One."""

        a: Any

        def __post_init__(self) -> None:
            if self.a == "bad":
                raise ValueError(self.a)

        def __eq__(self, other: object) -> bool:
            return isinstance(other, One) and bool(self.a == other.a)

        def __repr__(self) -> str:
            return f"<{self.a}>"

    return One


def none_of(maker: Any, how: dict[str, bool]) -> type[Any]:
    @maker(**how)
    class Nothing:
        """None."""

    return Nothing


@record.dataclass(frozen=True, slots=True)
class Frozen:
    """One that pickle finds."""

    a: Any
    b: Any = None


@record.dataclass(slots=True)
class Open:
    """One that can be changed."""

    a: Any


SHAPES = (pair_of, one_of, none_of)
VALUES = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


def told(call: Any) -> Any:
    """Return what a call gives, or what it raises."""
    try:
        return call()
    except Exception as exc:
        return type(exc).__name__, str(exc).partition(".<locals>")[2] or str(exc)


@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_class_is_described_as_the_standard_one(shape: Any, how: dict[str, bool]) -> None:
    """Fields, parameters, order of matching, slots and annotations are those of the original."""
    theirs, ours = (shape(maker, how) for maker in KINDS)

    assert str(inspect.signature(theirs)) == str(inspect.signature(ours))
    assert theirs.__match_args__ == ours.__match_args__
    assert repr(theirs.__dataclass_params__) == repr(ours.__dataclass_params__)
    assert vars(theirs).get("__slots__") == vars(ours).get("__slots__")
    assert theirs.__init__.__annotations__ == ours.__init__.__annotations__
    assert theirs.__init__.__qualname__ == ours.__init__.__qualname__
    assert theirs.__doc__ == ours.__doc__
    assert [f.name for f in dataclasses.fields(theirs)] == [
        f.name for f in dataclasses.fields(ours)
    ]


@pytest.mark.parametrize("how", WAYS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=20)
@given(data=st.data())
def test_an_instance_behaves_as_one_of_the_standard(
    shape: Any, how: dict[str, bool], data: Any
) -> None:
    """Any arguments, operation and value have the result, or the error, of the original."""
    left, right = (data.draw(st.lists(VALUES | st.just("bad"), max_size=4)) for _ in range(2))
    name, value = data.draw(st.sampled_from(["a", "b", "c"])), data.draw(VALUES)
    results: list[Any] = []
    for maker in KINDS:
        kind = shape(maker, how)
        mine = told(lambda kind=kind: kind(*left))
        other = told(lambda kind=kind: kind(*right))
        results.append(
            [
                told(lambda mine=mine: repr(mine).rpartition(".")[2]),
                told(lambda mine=mine, other=other: mine == other),
                told(lambda mine=mine: mine == mine),  # noqa: PLR0124
                told(lambda mine=mine: hash(mine)) if mine.__class__ is kind else mine,
                told(lambda mine=mine: dataclasses.asdict(mine)),
                told(lambda mine=mine: repr(dataclasses.replace(mine, b=value))[-20:]),
                told(lambda mine=mine: copy.deepcopy(mine) == mine),
                told(lambda mine=mine: bounded(mine).rpartition(".")[2]),
                told(lambda mine=mine: setattr(mine, name, value))
                if name in kind.__match_args__
                else None,
                told(lambda mine=mine: repr(mine).rpartition(".")[2]),
            ]
        )

    assert results[0] == results[1]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_instances_can_be_copied_and_pickled(protocol: int) -> None:
    """A frozen one with slots comes back equal, as does one that is not frozen."""
    for value in (Frozen(1, [2]), Open({"a": 1})):
        assert value == pickle.loads(pickle.dumps(value, protocol))
        assert value == copy.copy(value)


def test_a_frozen_instance_stays_as_it_is() -> None:
    """No attribute can be set or deleted, and none can be added."""
    value = Frozen(1)
    for name in ("a", "new"):
        with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot assign to .* '{name}'"):
            setattr(value, name, 2)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'a'"):
        del value.a  # type: ignore[misc]

    assert Frozen(1) == value


def test_a_user_may_extend_it() -> None:
    """Dataclasses and ordinary classes that extend one are as if the standard had made it."""

    @dataclasses.dataclass(frozen=True)
    class More(Frozen):
        c: int = 3

    class Named(Frozen):
        pass

    named = Named(1)
    named.other = 4  # type: ignore[attr-defined]

    assert More(1, 2, 3) == dataclasses.replace(More(1, 5), b=2)
    assert (4, 1) == (named.other, named.a)  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="cannot inherit non-frozen dataclass from a frozen one"):
        dataclasses.dataclass(type("Loose", (Frozen,), {}))


def test_a_value_that_contains_itself_has_a_repr() -> None:
    """A circle ends in three dots."""
    value = Open(None)
    value.a = value

    assert "Open(a=...)" == repr(value)


def test_matching_binds_the_fields_in_their_order() -> None:
    """A pattern takes the fields by position."""
    match Frozen(1, 2):
        case Frozen(a, b):
            assert (1, 2) == (a, b)
        case _:
            pytest.fail("it does not match")


def test_the_library_makes_its_dataclasses_so() -> None:
    """No other module of the library takes the slow one."""
    files = [
        file for file in Path(record.__file__).parents[1].rglob("*.py") if file.stem != "record"
    ]
    slow = re.compile(r"^(from dataclasses import .*\bdataclass\b|@dataclasses\.dataclass)", re.M)

    assert len(files) > 100
    assert [] == [file.name for file in files if slow.search(file.read_text(encoding="utf-8"))]
