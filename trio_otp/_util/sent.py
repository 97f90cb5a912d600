"""What `cast` and `send` give: nothing, which says so if somebody awaits it.

In Trio what talks to others is awaited as a rule, so people write `await counter.add(3)` of a cast.
With None, Python would say `object NoneType can't be used in 'await' expression`. It puts the name
of the class there; so that name is the explanation. Having `__await__` would be worse: code that
awaits what a callback returned, if it can be awaited, would fail for a callback that casts.

As a result of a callback, and as an answer, it stands for None.
"""

from __future__ import annotations

from typing import Final, cast


class Sent:
    """Stands for None; the only one is `SENT`."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<sent>"

    def __reduce__(self) -> str:
        return "SENT"  # a name of this module: it is its own copy

    def _ipython_display_(self) -> None:
        """Show nothing in a notebook, as None."""


# For checkers it is the None that it stands for.
SENT: Final = cast("None", Sent())
Sent.__qualname__ = "Sent"
Sent.__name__ = "of a cast or send, which has no answer (drop the await),"
