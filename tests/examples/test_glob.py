"""Patterns of keys: they fit what they fit in Redis, and a hostile one takes no longer."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.cache_service.commands import CommandError
from examples.cache_service.glob import LONGEST, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "fits", "others"),
    [
        (b"", [b""], [b"a"]),
        (b"*", [b"", b"a", b"\n\0\xff"], []),
        (b"**", [b"", b"ab"], []),
        (b"?", [b"a", b"\n", b"\xff"], [b"", b"ab"]),
        (b"h?llo", [b"hello", b"h\nllo"], [b"hllo", b"heello"]),
        (b"a*b*c", [b"abc", b"aXbXc", b"abcc", b"abcbc"], [b"ab", b"acb", b"abcx"]),
        (b"*ab", [b"ab", b"aab", b"abab"], [b"aba"]),
        (b"a*a", [b"aa", b"aba"], [b"a"]),
        (b"h[ae]llo", [b"hallo", b"hello"], [b"hillo", b"hllo", b"haello"]),
        (b"h[^e]llo", [b"hallo"], [b"hello", b"hllo"]),
        (b"[a-c]", [b"a", b"b", b"c"], [b"d", b"-"]),
        (b"[c-a]", [b"b"], [b"d"]),
        (b"[a-]", [b"a", b"]", b"_"], [b"-", b"b"]),  # as in Redis, a range from `a` to `]`
        (b"[]", [], [b"", b"]"]),
        (b"[^]", [b"a"], [b""]),
        (b"[ab", [b"a", b"b"], [b"[ab"]),
        (b"[\\]]", [b"]"], [b"\\"]),
        (b"[.^]x", [b".x", b"^x"], [b"ax"]),
        (rb"\*", [b"*"], [b"a", rb"\*"]),
        (b"a\\", [b"a\\"], [b"a"]),
        (b"(a|b)+$", [b"(a|b)+$"], [b"a"]),
    ],
    ids=repr,
)
def test_patterns_fit_as_in_redis(pattern: bytes, fits: list[bytes], others: list[bytes]) -> None:
    """Stars, question marks, sets and escapes; all else means itself."""
    matcher = compile_pattern(pattern)

    assert fits == [key for key in [*fits, *others] if matcher(key)]


def slowly(pattern: bytes, key: bytes) -> bool:
    """Match stars and question marks by trying all there is."""
    if not pattern:
        return not key
    if pattern[0] == ord("*"):
        return any(slowly(pattern[1:], key[at:]) for at in range(len(key) + 1))
    return bool(key) and pattern[0] in (ord("?"), key[0]) and slowly(pattern[1:], key[1:])


@given(
    st.lists(st.sampled_from([b"a", b"b", b"?", b"*"]), max_size=7).map(b"".join),
    st.lists(st.sampled_from([b"a", b"b"]), max_size=7).map(b"".join),
)
def test_first_place_where_a_part_fits_is_enough(pattern: bytes, key: bytes) -> None:
    """Never trying another place for what stands between two stars finds all that fits."""
    assert slowly(pattern, key) == bool(compile_pattern(pattern)(key))


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_any_bytes_are_a_pattern(pattern: bytes, key: bytes) -> None:
    """No pattern is an error, and a star matches any rest of a key."""
    compile_pattern(pattern)(key)
    assert compile_pattern(b"*" + b"".join(b"\\" + bytes([n]) for n in key) + b"*")(key)


def test_hostile_pattern_takes_no_time() -> None:
    """Stars cause no exponential search."""
    matcher = compile_pattern(b"*a" * 500 + b"b")
    began = time.process_time()
    assert not any(matcher(key) for key in itertools.repeat(b"a" * 10_000, 5))
    assert time.process_time() - began < 5


def test_long_pattern_is_refused() -> None:
    """The time that matching takes is bounded."""
    assert compile_pattern(b"a" * LONGEST)(b"a" * LONGEST)
    with pytest.raises(CommandError, match="ERR the pattern is longer than 1024 bytes"):
        compile_pattern(b"a" * (LONGEST + 1))
