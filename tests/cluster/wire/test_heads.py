"""Frames that are made from their heads are those that the same control messages make."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_kit import ATOMS, CODEC, OTHER, PID, REF, TERMS

from trio_otp.cluster import Atom, ImproperList
from trio_otp.cluster.wire import control as c
from trio_otp.cluster.wire.encode import DEPTH

NAMES = st.one_of(st.just(OTHER), ATOMS.filter(bool))


def message_to(to: Any, term: object) -> Any:
    return c.RegSend(PID, to, term) if isinstance(to, Atom) else c.Send(to, term)


@given(NAMES, TERMS)
def test_messages_and_casts(to: Any, term: object) -> None:
    heads = CODEC.heads(PID, to)

    assert heads.send(term) == CODEC.encode(message_to(to, term))
    assert heads.cast(term) == CODEC.encode(message_to(to, (Atom("$gen_cast"), term)))


@given(NAMES, TERMS)
def test_a_call_is_behind_its_monitor(to: Any, term: object) -> None:
    heads = CODEC.heads(PID, to)
    call = message_to(to, (Atom("$gen_call"), (PID, REF), term))

    assert heads.call(REF.data, term) == CODEC.encode(c.Monitor(PID, to, REF)) + CODEC.encode(call)
    assert heads.demonitor(REF.data) == CODEC.encode(c.Demonitor(PID, to, REF))


@pytest.mark.parametrize("items", [[Atom("alias")], ["alias"], [Atom("other")], [b"alias", 1]])
@given(term=TERMS)
def test_an_answer_goes_to_the_alias_in_the_tag_or_to_the_caller(
    items: list[object], term: object
) -> None:
    alias = ImproperList(items, REF)

    to_pid, to_alias = c.Send(OTHER, (REF, term)), c.AliasSend(PID, REF, (alias, term))
    assert CODEC.answer(PID, OTHER, REF, term) == CODEC.encode(to_pid)
    assert CODEC.answer(PID, OTHER, alias, term) == CODEC.encode(to_alias)


@pytest.mark.parametrize(("make", "around"), [("send", 0), ("cast", 1)])
def test_no_message_is_nested_deeper_than_the_other_side_takes(make: str, around: int) -> None:
    heads, term = CODEC.heads(PID, OTHER), ()
    for _ in range(DEPTH - around - 1):
        term = (term,)  # type: ignore[assignment]  # a tuple of another length

    assert CODEC.decode(getattr(heads, make)(term)[4:])
    with pytest.raises(TypeError, match="nested"):
        getattr(heads, make)((term,))
    with pytest.raises(TypeError, match="nested"):
        heads.call(REF.data, (term,) if around else ((term,),))


def test_no_answer_is_nested_deeper_than_the_other_side_takes() -> None:
    term: object = ()
    for _ in range(DEPTH - 2):
        term = (term,)

    assert CODEC.decode(CODEC.answer(PID, OTHER, REF, term)[4:])
    with pytest.raises(TypeError, match="nested"):
        CODEC.answer(PID, OTHER, REF, (term,))
