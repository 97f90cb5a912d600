"""Which partition a key belongs to: stable, the same for equal keys, spread evenly."""

from __future__ import annotations

import enum
import subprocess
import sys
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import pytest
from hypothesis import given
from inside import partition_of

import trio_otp as otp


class Colour(enum.Enum):
    """Names of keys."""

    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class User:
    """A value of a class that shows itself."""

    name: str


@pytest.mark.parametrize(
    ("key", "expected"),
    [(0, 0), (1, 1), (2, 2), (3, 0), (4, 1), (-1, 1), (-2, 2), (-3, 0), (10, 1)],
)
def test_whole_numbers_go_by_their_remainder(key: int, expected: int) -> None:
    """With three partitions, as the real PartitionSupervisor sends them."""
    assert expected == partition_of(key, 3)


KEYS: list[Any] = [
    "ada",
    b"ada",
    1.5,
    True,
    None,
    ("user", 7, ("ada", b"x")),
    frozenset({"a", "b", "c", "d"}),
    Colour.RED,
    otp.GenServer,
    User("ada"),
    UUID(int=7),
    "\ud800",
]
PROGRAM = f"""
from {__name__} import KEYS
from trio_otp._supervisor.partition_key import partition_of
print([partition_of(key, 1000) for key in KEYS])
"""


@pytest.mark.sampled(1)
@pytest.mark.parametrize("seed", ["0", "1", "12345"])
def test_a_key_has_the_same_partition_in_every_run(seed: str) -> None:
    """The salt that Python puts into its hashes changes nothing."""
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    expected = [partition_of(key, 1000) for key in KEYS]
    assert str(expected) == ran.stdout.strip(), ran.stderr


plain: Any = st.one_of(
    st.text(), st.binary(), st.floats(allow_nan=False), st.booleans(), st.none(), st.integers()
)
keys: Any = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple), st.frozensets(inner, max_size=4)
    ),
    max_leaves=8,
)


@given(key=keys, partitions=st.integers(1, 50))
def test_every_key_has_a_partition(key: Any, partitions: int) -> None:
    """It is a number below how many there are, and the same each time."""
    number = partition_of(key, partitions)

    assert 0 <= number < partitions
    assert number == partition_of(key, partitions)


@given(items=st.sets(st.text(), min_size=2, max_size=8))
def test_the_order_inside_of_a_set_does_not_matter(items: set[str]) -> None:
    """Equal sets that were built in different orders belong together."""
    listed = sorted(items)
    there, back = frozenset(listed), frozenset(reversed(listed))

    assert partition_of(there, 1009) == partition_of(back, 1009)
    assert partition_of(0.0, 1009) == partition_of(-0.0, 1009)


def test_keys_that_only_look_alike_are_apart() -> None:
    """What joins to the same text is another key, and so is another type."""
    alike: list[list[Any]] = [
        [("ab", "c"), ("a", "bc"), ("abc",), "abc", b"abc"],
        ["1", 1.0, True, ("1",), frozenset({"1"})],
        [Colour.RED, Colour.BLUE, "RED", Colour],
    ]
    for group in alike:
        assert len(group) == len({partition_of(key, 10**9) for key in group})


def test_keys_are_spread_evenly() -> None:
    """Of ten thousand names each of eight partitions gets an eighth, give or take a tenth."""
    numbers = [partition_of(f"user-{number}", 8) for number in range(10_000)]

    assert all(1125 <= numbers.count(partition) <= 1375 for partition in range(8))


@pytest.mark.parametrize("key", [[1], ("a", [1]), {}, object(), ("a", object())])
def test_keys_that_cannot_be_told_apart_are_refused(key: Any) -> None:
    """Lists do not hash, and bare objects differ by their address alone; the error says so."""
    with pytest.raises(TypeError, match=r"^key=.*: expected "):
        partition_of(key, 3)
