"""The messages of the protocol are those that page and commands are written for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from observer_messages import FILE, messages

from trio_otp.observer.session.protocol import ARGUMENTS, BadLine, parse

KEPT = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]


def differences(kept: Any, said: Any, path: str = "") -> list[str]:
    """Say where two messages have other fields or other types; null stands for anything."""
    if kept is None or said is None:
        return []
    if isinstance(kept, dict) and isinstance(said, dict):
        if path.endswith((".rows", ".gone", ".statuses")):  # by pid, or by what there is
            pairs = [(k, s) for k in list(kept.values())[:1] for s in said.values()]
            return [each for k, s in pairs for each in differences(k, s, f"{path}.*")]
        other = [f"{path}.{key}" for key in kept.keys() ^ said.keys()]
        for key in kept.keys() & said.keys():
            other += differences(kept[key], said[key], f"{path}.{key}")
        return other
    if isinstance(kept, list) and isinstance(said, list):
        return [d for k in kept[:1] for s in said for d in differences(k, s, f"{path}[]")]
    one, other_one = kind(kept), kind(said)
    return [] if one == other_one else [f"{path}: {one}, {other_one}"]


def kind(value: Any) -> str:
    return "number" if type(value) in (int, float) else type(value).__name__


async def test_what_is_said_has_the_form_of_what_is_kept() -> None:
    """A field that comes or goes is a change of the protocol: the file is written anew for it."""
    said = await messages()
    assert len(KEPT) == len(said)
    for kept, now in zip(KEPT, said, strict=True):
        assert kept["question"] == now["question"]
        assert [] == differences(kept["message"], now["message"])


def test_there_is_a_message_of_each_kind() -> None:
    """But of those that need a shell, and of the end of a subscription, which has none."""
    asked = {each["question"]["ask"] for each in KEPT if each["question"]}
    assert {"eval", "replace_state", "stop"} == ARGUMENTS.keys() - asked


@pytest.mark.parametrize("each", [each["question"] for each in KEPT if each["question"]], ids=str)
def test_each_question_can_be_read(each: dict[str, Any]) -> None:
    request = parse(json.dumps(each))
    assert each["id"] == request.id
    assert each["ask"] == request.ask


def test_differences_are_seen() -> None:
    """Of fields, of types, at any depth."""
    assert [".b"] == differences({"a": 1}, {"a": 2.0, "b": 1})
    assert [".a[].b: number, str"] == differences({"a": [{"b": 1}]}, {"a": [{"b": 2}, {"b": "2"}]})
    assert [] == differences({"rows": {"1": {"pid": 1}}}, {"rows": {"2": {"pid": 2}}})


@pytest.mark.parametrize("ask", [None, 1, ["rows"], "", "row", "__class__"])
def test_a_question_that_there_is_not_is_answered_by_its_number(ask: Any) -> None:
    """With what may be asked."""
    with pytest.raises(BadLine, match=r"expected .*rows, .*tree") as caught:
        parse(json.dumps({"id": "mine", "ask": ask}))
    assert "mine" == caught.value.request_id
