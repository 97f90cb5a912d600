"""What a program says when it could not start or had to end: the innermost reason first."""

from __future__ import annotations

from typing import Any

import pytest
from inside import NURSERY_TEXT, explain

import trio_otp as otp


def failed(child_id: str, reason: object) -> otp.Shutdown:
    return otp.Shutdown(otp.FailedToStartChild(child_id, reason))


def noted(error: Exception) -> Exception:
    error.add_note("sent by customer 12")
    return error


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("no_config", "'no_config'"),
        (otp.KILLED, "KILLED"),
        (OSError("busy"), "OSError: busy"),
        (failed("web", OSError("busy")), "child 'web': OSError: busy"),
        (failed("top", failed("web", 5)), "child 'top': child 'web': 5"),
        (failed("web", otp.StartError(ValueError("x"))), "child 'web': ValueError: x"),
        (ExceptionGroup("all", [OSError("a"), KeyError("b")]), "all: OSError: a; KeyError: 'b'"),
        (noted(ExceptionGroup("one", [OSError("a")])), "one: OSError: a\nsent by customer 12"),
        (ExceptionGroup(NURSERY_TEXT, [OSError("a"), KeyError("b")]), "OSError: a; KeyError: 'b'"),
        (RuntimeError("x" * 5000), f"RuntimeError: {'x' * 986}..."),
    ],
)
def test_why_it_did_not_start(reason: Any, said: str) -> None:
    """The way to the innermost reason is one line, and nothing is too long."""
    error = otp.ApplicationStartError("shop", reason)
    assert f"application 'shop' did not start: {said}" == explain(error)


def test_where_it_was_raised() -> None:
    """The line of the user's code that raised is shown, not those of the library."""

    def broken() -> None:
        raise OSError("busy")

    with pytest.raises(OSError, match="busy") as caught:
        broken()
    lines = explain(otp.ApplicationStartError("shop", failed("web", caught.value))).splitlines()
    assert "application 'shop' did not start: child 'web': OSError: busy" == lines[0]
    assert f"  raised in broken, {__file__}:" in lines[1]
    assert lines[1].endswith('raise OSError("busy")')


def test_why_it_ended() -> None:
    """The last ends of children say why a supervisor gave up."""
    history = [(float(i), f"worker{i}", RuntimeError(f"boom {i}")) for i in range(7)]
    lines = explain(otp.ApplicationExited("shop", otp.SHUTDOWN, history)).splitlines()
    assert "application 'shop' exited: SHUTDOWN" == lines[0]
    assert "  child 'worker2': RuntimeError: boom 2" == lines[1]
    assert "  child 'worker6': RuntimeError: boom 6" == lines[-1]
    killed = otp.ApplicationExited("shop", otp.KILLED)
    assert "application 'shop' exited: KILLED" == explain(killed)
