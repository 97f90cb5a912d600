"""What stands in the kit's place for hypothesis where that is not installed: errors that say so.

Only `schedules` and `ServerMachine` need it. Their names are there without it, so that everything
can be imported, and a use says what to install.
"""

from __future__ import annotations

from typing import Any


def needs_hypothesis(what: str) -> ModuleNotFoundError:
    """Make the error for something of the kit that needs hypothesis."""
    text = f"{what} needs hypothesis, which is not installed; write: pip install hypothesis"
    return ModuleNotFoundError(text, name="hypothesis")


class ServerMachine:
    """What `ServerMachine` is without hypothesis: no class to derive from."""

    def __new__(cls, *_: Any, **__: Any) -> ServerMachine:
        """Raise ModuleNotFoundError."""
        raise needs_hypothesis("trio_otp.testing.ServerMachine")

    def __init_subclass__(cls, **_: Any) -> None:
        """Raise ModuleNotFoundError."""
        raise needs_hypothesis("trio_otp.testing.ServerMachine")
