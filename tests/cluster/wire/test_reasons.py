"""Exit reasons and exceptions between nodes: one to one, and of a crash the class and the text."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from wire_kit import CODEC, OTHER, PID, there_and_back

import trio_otp as otp
from trio_otp.cluster import Atom, RemoteError
from trio_otp.cluster.wire.control import Exit
from trio_otp.cluster.wire.reasons import (
    error_in,
    error_reply,
    exception_term,
    reason_of,
    reason_term,
)

A = Atom
BOOM = {A("__struct__"): A("Elixir.RuntimeError"), A("__exception__"): True, A("message"): b"boom"}
FRAME = (A("Elixir.Shop"), A("sell"), 2, [(A("line"), 7)])


def arrives(reason: object) -> Any:
    """Return a reason as the links of a process on another node hear of it."""
    message: Any = CODEC.decode(CODEC.encode(Exit(PID, OTHER, reason))[4:])
    return message.reason


@pytest.mark.parametrize("reason", list(type(otp.NORMAL)))
def test_reasons_with_a_name_are_themselves(reason: Any) -> None:
    """The same object, so they can be matched as ever; atoms in between."""
    assert arrives(reason) is reason
    assert A(reason.value) == there_and_back(reason_term(reason))


@pytest.mark.parametrize(
    "reason",
    [
        otp.Shutdown(("deploy", 5)),
        otp.Shutdown(),
        A("why"),
        "text",
        b"bytes",
        None,
        (A("shutdown"),),
        ("shutdown", 1),
        ("badarg", []),
        (A("badarg"), [1]),
        (A("badarg"), [FRAME, ()]),
        (A("badarg"), [(A("m"), "f", 1, [])]),
        (A("badarg"), [(A("m"), A("f"), 1, 1)]),
        {"a": 1},
        RemoteError(BOOM, []),
        RemoteError(BOOM, [FRAME]),
        RemoteError(A("badarith"), [FRAME, (A("fun"), [1], [])]),
    ],
)
def test_a_reason_comes_back_as_it_was(reason: object) -> None:
    """Also that of a crash that came from another node: it goes on unchanged."""
    arrived = arrives(reason)

    assert type(reason) is type(arrived)
    if isinstance(reason, RemoteError):
        assert (reason.error, reason.stack, str(reason)) == (
            arrived.error, arrived.stack, str(arrived),
        )  # fmt: skip
    else:
        assert reason == arrived


def test_an_exception_is_a_runtime_error_of_elixir() -> None:
    """With class and text; its own class does not travel."""
    sent = ValueError("boom")
    term, stack = there_and_back(reason_term(sent))
    arrived = arrives(sent)

    assert (term, stack) == ({**BOOM, A("message"): "ValueError: boom"}, [])
    assert "ValueError: boom" == str(arrived)
    assert isinstance(arrived, RemoteError)
    assert isinstance(arrived, otp.OtpError)
    assert [] == arrived.stack


def test_an_error_of_this_library_is_told_once() -> None:
    """As everywhere, what it tells of is not said twice."""
    error = otp.ServerExited("shop", ValueError("boom"))

    assert str(arrives(error)).endswith("ValueError: boom")
    assert 1 == str(arrives(error)).count("boom")


def struct(name: str, **fields: object) -> dict[Atom, object]:
    told = {A(key): value for key, value in fields.items()}
    return {A("__struct__"): A(name), A("__exception__"): True, **told}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (BOOM, "boom"),
        (struct("Elixir.RuntimeError", message="boom"), "boom"),
        (struct("Elixir.ArgumentError", message=b"bad"), "ArgumentError: bad"),
        (struct("Elixir.Shop.Closed"), "Shop.Closed"),
        (
            struct("Elixir.KeyError", key=A("a"), message=None),
            "KeyError: {'key': 'a', 'message': None}",
        ),
        (struct("Elixir.RuntimeError", message=b"\xff"), "\\xff"),
        (struct("Elixir.RuntimeError", message=b"x" * 5000), "x" * 1000),
        (A("badarith"), "badarith"),
        ((A("badmatch"), 5), "('badmatch', 5)"),
        ({A("__exception__"): True}, "{'__exception__': True}"),
    ],
)
def test_the_text_of_a_remote_error(error: object, text: str) -> None:
    """What has been raised there, as one would read it there."""
    assert text == str(RemoteError(error))


def test_a_remote_error_can_be_pickled() -> None:
    """As every error of this library."""
    error = pickle.loads(pickle.dumps(RemoteError(BOOM, [FRAME])))

    assert ("boom", BOOM, [FRAME]) == (str(error), error.error, error.stack)


def test_replies_that_are_errors() -> None:
    """`{:error, exception}` raises in a Python caller; any other `{:error, x}` is the tuple."""
    reply = there_and_back(error_reply(ValueError("k")))
    error = error_in(reply)

    assert error is not None
    assert "ValueError: k" == str(error)
    assert "ValueError: k" == str(error_in(there_and_back(error_reply(error))))
    for other in [
        (A("error"), A("enoent")),
        (A("ok"), BOOM),
        (A("error"), BOOM, 1),
        [A("error"), BOOM],
        BOOM,
        None,
    ]:
        assert error_in(other) is None


def test_exceptions_anywhere_in_a_term() -> None:
    """They go out as structs, as they do in Elixir, and are data here."""
    arrived = there_and_back([1, {"why": ValueError("boom")}])

    assert [1, {"why": exception_term(ValueError("boom"))}] == arrived
    assert reason_of((arrived[1]["why"], 5)) == (arrived[1]["why"], 5)
