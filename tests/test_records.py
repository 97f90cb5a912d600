"""What the dataclasses of the library have in common: they are frozen, copied, pickled, slotted."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = [
    otp.Exit(None, ("a", 1)),
    otp.Shutdown(["detail"]),
    otp.Reply({"k": 1}),
    otp.Stop("why"),
    otp.task.Ok([1]),
    otp.task.Exited(otp.KILLED),
    otp.StateTimeout(1, "content"),
    otp.NextState("state", otp.Reply(1)),
    otp.ExitStatus(3),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_records_can_be_copied_and_pickled(record: Any, protocol: int) -> None:
    """They come back equal, and as what they were."""
    for other in (pickle.loads(pickle.dumps(record, protocol)), copy.copy(record)):
        assert record == other
        assert type(record) is type(other)
        assert repr(record) == repr(other)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_frozen_records_stay_as_they_are(record: Any) -> None:
    """No field can be set or deleted; what is not frozen has a hash all the same."""
    if not record.__dataclass_params__.frozen:
        return
    name = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, name, 1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(record, name)
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
        record.another = 1


def functions(kind: type[Any]) -> Iterator[FunctionType]:
    """Yield the functions of a class, those of its properties among them."""
    for member in vars(kind).values():
        found = getattr(member, "fget", getattr(member, "__func__", member))
        if isinstance(found, FunctionType):
            yield found


def test_no_method_of_a_slotted_dataclass_needs_its_class() -> None:
    """`slots=True` makes a second class: `super()` would mean the first, which is thrown away.

    And what a base class does with each class that extends it would be done twice.
    """
    records = [kind for kind in every_class(object) if dataclasses.is_dataclass(kind)]
    slotted = [kind for kind in records if is_ours(kind) and "__slots__" in vars(kind)]

    assert len(slotted) > 40
    assert [] == [
        function.__qualname__
        for kind in slotted
        for function in functions(kind)
        if "__class__" in function.__code__.co_freevars
    ]
    assert [] == [
        (kind.__name__, base.__name__)
        for kind in slotted
        for base in kind.__mro__[1:]
        if is_ours(base) and "__init_subclass__" in vars(base)
    ]


def is_ours(kind: type[Any]) -> bool:
    """Check whether a class is one of the library."""
    return kind.__module__.partition(".")[0] == "trio_otp"


def every_class(kind: type[Any]) -> set[type[Any]]:
    """Return all that extends a class."""
    below = type.__subclasses__(kind)
    return {*below, *(inner for each in below for inner in every_class(each))}
