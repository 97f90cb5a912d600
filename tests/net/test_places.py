"""Who may be served, as a pure table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from inside import MOST_ANSWERS, Places

LIMITS = st.none() | st.integers(1, 4)
ADDRESSES = st.sampled_from(["1.1.1.1", "2.2.2.2", None])


@given(LIMITS, LIMITS, st.booleans(), st.lists(st.tuples(st.booleans(), ADDRESSES), max_size=40))
def test_no_limit_is_ever_passed_and_no_place_is_lost(
    most: int | None, each: int | None, answers: bool, events: list[tuple[bool, str | None]]
) -> None:
    """Whatever comes and goes: the places are those of a list of who is there."""
    places = Places(most, each, answers=answers)
    there: list[str | None] = []
    for comes, address in events:
        if comes:
            room = most is None or len(there) < most
            near = address is None or each is None or there.count(address) < each
            assert (room and near) is places.may_serve(address)
            assert (room or answers) is places.may_accept()
            if room and near:
                places.take(address)
                there.append(address)
        elif address in there:
            places.give_back(address)
            there.remove(address)
        assert len(there) == places.served


def test_answers_have_a_limit_of_their_own() -> None:
    """Who fetches no answer must not take all sockets there are."""
    places = Places(1, None, answers=True)
    places.take(None)
    for _ in range(MOST_ANSWERS):
        assert places.may_accept()
        assert places.may_answer()
        places.answered += 1
    assert not places.may_accept()
    assert not places.may_answer()
    assert not Places(1, None).may_answer()
