"""The delays of restarts: their numbers, their jitter, and which of them an intensity allows."""

from __future__ import annotations

import math
import pickle
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from inside import Delays, Intensity, check_backoff

import trio_otp as otp

PLAIN = otp.Backoff(jitter=0)
DEFAULT = otp.Backoff()


def none() -> float:
    """Return the least number that a random one can be."""
    return 0.0


def most() -> float:
    """Return the greatest number that a random one can be."""
    return math.nextafter(1.0, 0.0)


def numbers(
    backoff: otp.Backoff, count: int, chance: Any = none, delays: Delays | None = None
) -> list[float]:
    """Return the delays of a child that fails at each start."""
    delays = delays or Delays(backoff)
    return [delays.next(chance) for _ in range(count)]


def test_each_delay_is_the_one_before_times_the_factor_up_to_the_most() -> None:
    """Without jitter the delays are exactly these."""
    assert [0.5, 1, 2, 4, 8, 16, 30, 30, 30] == numbers(PLAIN, 9)
    slow = otp.Backoff(min_delay=3, max_delay=10, factor=1.5, jitter=0)
    assert [3, 4.5, 6.75, 10, 10] == numbers(slow, 5)
    even = otp.Backoff(min_delay=7, max_delay=30, factor=1, jitter=0.0)
    assert [7, 7, 7] == numbers(even, 3)


def test_the_defaults_are_those_that_are_documented() -> None:
    """Half a second, doubled up to half a minute, a fifth of jitter, well after a minute."""
    assert DEFAULT == otp.Backoff(
        min_delay=0.5, max_delay=30.0, factor=2.0, jitter=0.2, reset_after=60.0
    )


@pytest.mark.parametrize("chance", [none, most])
@pytest.mark.parametrize("factor", [1.0, 1.001, 2.0, 1e300])
def test_the_delay_is_right_after_5000_restarts_in_a_row(chance: Any, factor: float) -> None:
    """No number overflows, and the last delay is the longest one with its jitter."""
    backoff = otp.Backoff(min_delay=0.5, max_delay=60.0, factor=factor)
    last = numbers(backoff, 5000, chance)[-1]
    low = 0.5 if factor == 1.0 else 50.0
    assert low * (1.2 if chance is most else 1) == pytest.approx(last)


def test_jitter_makes_a_delay_longer_by_its_part_at_most() -> None:
    """Also for the longest delay, so that not all children restart at once."""
    assert [0.5, 1, 2, 4, 8, 16, 25, 25] == numbers(DEFAULT, 8, none)
    assert [0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 30, 30] == pytest.approx(numbers(DEFAULT, 8, most))


delays = st.floats(1e-9, 1e9)


@st.composite
def backoffs(draw: st.DrawFn) -> otp.Backoff:
    """Return any back-off."""
    short, long = sorted([draw(delays), draw(delays)])
    factor = draw(st.floats(1, 1e308))
    reset = draw(st.floats(0, allow_nan=False))
    jitter = draw(st.floats(0, 1))
    return otp.Backoff(
        min_delay=short, max_delay=long, factor=factor, jitter=jitter, reset_after=reset
    )


@example(backoff=otp.Backoff(min_delay=9, max_delay=9), chances=[0.5])
@given(backoff=backoffs(), chances=st.lists(st.floats(0, 1, exclude_max=True), max_size=50))
def test_no_delay_is_below_the_least_or_above_the_most(
    backoff: otp.Backoff, chances: list[float]
) -> None:
    """Whatever the numbers and the jitter; so none is below zero."""
    chance = iter(chances)
    for delay in numbers(backoff, len(chances), lambda: next(chance)):
        assert backoff.min_delay <= delay <= backoff.max_delay


def test_a_child_that_was_well_for_long_enough_begins_anew() -> None:
    """Its life counts from the end of its init; a start that fails is none."""
    delays = Delays(PLAIN)
    assert [0.5, 1, 2] == numbers(PLAIN, 3, delays=delays)
    delays.started(100.0)
    delays.ended(159.9)
    assert [4] == numbers(PLAIN, 1, delays=delays)
    delays.ended(1000.0)  # it has not started
    assert [8] == numbers(PLAIN, 1, delays=delays)
    delays.started(2000.0)
    delays.ended(2060.0)
    assert [0.5, 1] == numbers(PLAIN, 2, delays=delays)


def test_with_an_infinite_reset_the_delays_never_begin_anew() -> None:
    """For a child whose every crash counts."""
    delays = Delays(otp.Backoff(jitter=0, reset_after=math.inf))
    delays.next(none)
    delays.started(0.0)
    delays.ended(1e9)
    assert 1.0 == delays.next(none)


def test_another_back_off_goes_on_about_where_the_one_before_was() -> None:
    """As after a change of code: delays neither start over nor exceed the new maximum."""
    before = Delays(PLAIN)
    numbers(PLAIN, 4, delays=before)  # the next one is 8
    for most_of_it, expected in ((100.0, [8, 16]), (5.0, [5, 5])):
        after = Delays(otp.Backoff(jitter=0, max_delay=most_of_it))
        after.go_on_from(before)
        assert expected == numbers(PLAIN, 2, delays=after)


# -- intensity -------------------------------------------------------------------------------------


@given(
    start=st.floats(0, 10),
    lives=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from([0, 0, 0, 0.1, 59.9, 60])),
        max_size=60,
    ),
)
def test_a_child_alone_on_the_default_delays_never_exceeds_the_default_intensity(
    start: float, lives: list[tuple[float, float]]
) -> None:
    """Whenever it began, however long it lives each time, and whatever the jitter."""
    check_backoff(DEFAULT, 3, 5)
    delays, intensity, now = Delays(DEFAULT), Intensity(3, 5), start
    for chance, life in lives:
        delays.ended(now)
        now += delays.next(lambda chance=chance: chance)  # type: ignore[misc]
        assert intensity.charge(now)
        delays.started(now)
        now += life


def exceeds(backoff: otp.Backoff, limit: int, seconds: float) -> bool:
    """Fail a child at each start, with the least jitter, from any sixteenth of a second on."""
    for phase in range(16):
        delays, intensity, now = Delays(backoff), Intensity(limit, seconds), phase / 16
        for _ in range(limit + 20):
            now += delays.next(none)
            if not intensity.charge(now):
                return True
    return False


# Binary fractions, so that sums of them are exact.
SHORT = (1 / 16, 0.5, 0.75, 1.0, 1.75, 2.0, 3.0, 6.0)


@pytest.mark.parametrize("limit", range(8))
@pytest.mark.parametrize("seconds", [1, 5, 10, 60])
@pytest.mark.parametrize("factor", [1.0, 1.5, 2.0])
def test_a_back_off_that_must_exceed_its_intensity_is_refused_and_no_other(
    limit: int, seconds: int, factor: float
) -> None:
    """The least delays decide, at the worst place in a second."""
    for short in SHORT:
        backoff = otp.Backoff(min_delay=short, max_delay=max(8.0, short), factor=factor, jitter=0)
        refused = False
        try:
            check_backoff(backoff, limit, seconds)
        except otp.SpecError:
            refused = True
        assert exceeds(backoff, limit, seconds) == refused, backoff


def test_the_error_says_what_to_write() -> None:
    """It names the numbers, and how to never give up."""
    with pytest.raises(otp.SpecError) as caught:
        check_backoff(otp.Backoff(min_delay=0.1), 3, 5, "child 'db': ")
    text = str(caught.value)
    assert text.startswith("child 'db': backoff=Backoff(min_delay=0.1, max_delay=30.0")
    assert "restarted 4 times in the window of max_seconds=5" in text
    assert "write max_restarts=None" in text


def test_without_restarts_no_back_off_is_possible_and_without_limit_any() -> None:
    """`max_restarts=0` allows none; None allows any number."""
    with pytest.raises(otp.SpecError, match="max_restarts=None"):
        check_backoff(otp.Backoff(min_delay=1e6, max_delay=1e6), 0, 5)
    check_backoff(otp.Backoff(min_delay=1e-9), None, 5)


def test_a_million_restarts_are_checked_in_no_time() -> None:
    """Equal delays are not added one by one."""
    check_backoff(otp.Backoff(), 10**18, 5)
    check_backoff(otp.Backoff(), 10**400, 5)  # more than a float holds
    with pytest.raises(otp.SpecError, match="allow more"):
        check_backoff(otp.Backoff(), 10**18, 10**21)


# -- what is not accepted --------------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"min_delay": 0}, "min_delay=0: expected a finite number > 0"),
    ({"min_delay": -1}, "min_delay=-1: expected a finite number > 0"),
    ({"min_delay": True}, "min_delay=True: expected"),
    ({"min_delay": "1"}, "min_delay='1': expected"),
    ({"min_delay": math.nan}, "min_delay=nan: expected"),
    ({"min_delay": 60}, "max_delay=30.0: expected a finite number of seconds >= min_delay=60"),
    ({"max_delay": math.inf}, "max_delay=inf: expected a finite number of seconds"),
    ({"max_delay": None}, "max_delay=None: expected"),
    ({"factor": 0.5}, "factor=0.5: expected a finite number >= 1"),
    ({"factor": math.inf}, "factor=inf: expected"),
    ({"factor": 10**400}, "factor=1000"),
    ({"jitter": -0.1}, "jitter=-0.1: expected a number from 0 to 1"),
    ({"jitter": 1.5}, "jitter=1.5: expected a number from 0 to 1"),
    ({"jitter": True}, "jitter=True: expected"),
    ({"reset_after": -1}, "reset_after=-1: expected seconds >= 0"),
    ({"reset_after": None}, "reset_after=None: expected"),
]


@pytest.mark.parametrize(("numbers", "text"), BAD, ids=repr)
def test_a_number_that_is_no_back_off_is_refused_by_name(
    numbers: dict[str, Any], text: str
) -> None:
    """At the definition, not at the first crash."""
    with pytest.raises(otp.SpecError) as caught:
        otp.Backoff(**numbers)
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("value", [1, "fast", True, otp.Backoff, {"min_delay": 1}])
def test_what_is_no_back_off_is_refused(value: Any) -> None:
    """As an option of a child, of a class, and of every supervisor."""
    ways: list[Any] = [
        lambda: otp.child(otp.Agent, dict).having(backoff=value),
        lambda: type("Db", (otp.GenServer,), {}, backoff=value),
        lambda: otp.Supervisor.spec([], backoff=value),
        lambda: otp.DynamicSupervisor.spec(backoff=value),
        lambda: otp.PartitionSupervisor(otp.GenServer, partitions=2, backoff=value),
        lambda: otp.TaskSupervisor(backoff=value),
    ]
    for way in ways:
        with pytest.raises(otp.SpecError, match=r"backoff=.*: expected otp\.Backoff\(\.\.\.\)"):
            way()


def test_a_back_off_is_plain_data() -> None:
    """It is compared, hashed, pickled and shown by its numbers."""
    backoff = otp.Backoff(max_delay=5.0)
    assert backoff == pickle.loads(pickle.dumps(backoff))
    assert hash(backoff) == hash(otp.Backoff(max_delay=5.0))
    assert repr(backoff).startswith("Backoff(min_delay=0.5, max_delay=5.0, factor=2.0")
