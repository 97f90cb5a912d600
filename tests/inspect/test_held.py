"""What the system monitor concludes from its samples: pure functions of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inside import Held, LongQueues, Notices

LOOKS = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b"]), st.floats(0.25, 9), st.floats(0, 9), st.floats(0, 9)
    )
)


def test_a_step_that_is_seen_over_and_over_holds_the_loop() -> None:
    """It is reported at the limit, again after a while, and at its end."""
    held = Held(0.25, 1.0)
    told = [held.look("a", 0.25, 0.0) for _ in range(60)]
    assert [(4, 1.0), (44, 11.0)] == [(i, v.long) for i, v in enumerate(told) if v.long]
    assert (14.75, None) == held.look("b", 0.25, 0.0)
    assert (None, None) == held.look("b", 0.25, 0.0)


def test_a_pause_counts_as_one_look() -> None:
    """The monitor samples an hour late, and the loop has used no processor time meanwhile."""
    held = Held(0.25, 1.0)
    assert {(None, None)} == {held.look("a", late, 0.01) for late in (0.25, 3600.0, 0.25)}
    assert (None, None) == held.look("b", 3600.0, 0.25)


def test_what_is_computed_while_the_looker_is_kept_waiting_counts() -> None:
    """A step that was never sampled is reported, unless the monitor only got no processor time."""
    assert (None, 2.75) == Held(0.25, 1.0).look("a", 3.0, 3.0)
    assert (None, 1.5) == Held(0.25, 1.0).look("a", 3.0, 1.5)
    assert (None, None) == Held(0.25, 1.0).look("a", 3.0, 3.0, starved=2.5)
    assert (None, None) == Held(0.25, 1.0).look(None, 3.0, 3.0)


def test_what_is_forgiven_begins_anew() -> None:
    """Nothing of it is reported, not even its end."""
    held = Held(0.25, 0.5)
    assert 0.5 == [held.look("a", 0.25, 0) for _ in range(3)][-1].long
    held.forgive()
    assert (None, None) == held.look("a", 0.25, 0)
    assert (None, None) == held.look("b", 0.25, 0)


@given(LOOKS)
def test_no_more_is_told_than_has_passed(
    looks: list[tuple[str | None, float, float, float]],
) -> None:
    """And no end without a beginning, whatever the clocks show."""
    held, passed, is_told = Held(0.25, 0.5), 0.0, False
    for step, elapsed, computed, starved in looks:
        passed += elapsed
        over, long = held.look(step, elapsed, computed, starved)
        assert (over is not None) <= is_told
        is_told = (is_told and over is None) or long is not None
        for seconds in (over, long):
            assert seconds is None or 0.5 <= seconds <= passed + 1e-6
        assert step is not None or long is None


def test_a_queue_is_long_until_it_is_short() -> None:
    """Between the two limits nothing is reported."""
    queues = LongQueues(2, 5)
    told = [queues.look("shop", length) for length in (4, 5, 9, 3, 4, 2, 2, 4, 5)]
    assert [None, True, None, None, None, False, None, None, True] == told
    queues.forget({"till"})
    assert queues.look("shop", 5) is True


def test_a_notice_is_admitted_once_in_a_while() -> None:
    """Suppressed reports are counted, by kind."""
    notices = Notices()
    told = [notices.admits("a", time) for time in (0, 1, 9.9, 10, 11)]
    assert [0, None, None, 2, None] == told
    assert 0 == notices.admits("b", 11)


def test_there_are_not_too_many_notices_of_all_kinds() -> None:
    """The table of kinds is bounded."""
    notices = Notices()
    assert 20 == sum(notices.admits(kind, 0.0) is not None for kind in range(100))
    for kind in range(5000):
        notices.admits(kind, kind * 10.0)
    assert len(notices._next) <= 1000
    assert len(notices._left_out) <= 1000
