"""The limits of a service as a pure table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inside import MAX_ANSWERED, ConnectionLimits

LIMITS = st.none() | st.integers(1, 4)
ADDRESSES = st.sampled_from(["1.1.1.1", "2.2.2.2", None])


@given(LIMITS, LIMITS, st.booleans(), st.lists(st.tuples(st.booleans(), ADDRESSES), max_size=40))
def test_no_limit_is_ever_passed_and_nothing_released_is_lost(
    most: int | None, each: int | None, answers: bool, events: list[tuple[bool, str | None]]
) -> None:
    """Whatever comes and goes, the limits agree with a list of the connections."""
    limits = ConnectionLimits(most, each, answers=answers)
    there: list[str | None] = []
    for comes, address in events:
        if comes:
            room = most is None or len(there) < most
            near = address is None or each is None or there.count(address) < each
            assert (room and near) is limits.may_serve(address)
            assert (room or answers) is limits.may_accept()
            if room and near:
                limits.acquire(address)
                there.append(address)
        elif address in there:
            limits.release(address)
            there.remove(address)
        assert len(there) == limits.served


def test_answers_have_a_limit_of_their_own() -> None:
    """Clients that never read their answer must not take all sockets there are."""
    limits = ConnectionLimits(1, None, answers=True)
    limits.acquire(None)
    for _ in range(MAX_ANSWERED):
        assert limits.may_accept()
        assert limits.may_answer()
        limits.answered += 1
    assert not limits.may_accept()
    assert not limits.may_answer()
    assert not ConnectionLimits(1, None).may_answer()
