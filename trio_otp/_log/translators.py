"""Functions of the user that turn a report into text before it is logged, or keep it out.

Follows: Elixir's `Logger.add_translator/1`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from .._process.runtime import runtime
from .._util.bounded import bounded
from .._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.runtime import Runtime
    from ..events.data import Report

    Translator: TypeAlias = "Callable[[Report], str | tuple[str, Mapping[str, Any]] | Skip | None]"


@public_in("reports")
class Skip(enum.Enum):
    """What a translator gives for a report that is not to be logged; use the constant `SKIP`."""

    SKIP = "skip"

    def __repr__(self) -> str:
        """Return the name of the constant."""
        return self.name

    def __reduce_ex__(self, _: object) -> Any:
        return self.name  # a pickle names the constant


SKIP: Final = Skip.SKIP
_NONE: Final[Mapping[str, Any]] = {}


class Translators:
    """Those of one run, the newest first."""

    def __init__(self) -> None:
        self.functions: tuple[Translator, ...] = ()

    def translate(
        self, report: Report, complain: Callable[[str, Exception], object]
    ) -> tuple[str, Mapping[str, Any]] | Skip | None:
        """Return what the first translator says that knows the report; None if none does.

        One that raises or gives something else is removed, and the report is lost by none of that.
        """
        for function in self.functions:
            try:
                result = _checked(function(report))
            except Exception as exc:
                self.functions = tuple(f for f in self.functions if f is not function)
                complain(f"translator {bounded(function)} raised and is removed", exc)
                continue
            if result is not None:
                return result
        return None


def _checked(result: Any) -> tuple[str, Mapping[str, Any]] | Skip | None:
    if result is None or result is SKIP:
        return result
    two = result.__class__ is tuple and len(result) == 2
    text: Any = result[0] if two else result
    metadata: Any = result[1] if two else _NONE
    if isinstance(text, str) and isinstance(metadata, Mapping):
        return text, cast("Mapping[str, Any]", metadata)
    accepted = "a str, (str, dict), SKIP or None"
    raise TypeError(f"a translator returned {bounded(result)}; expected {accepted}")


def translators(tables: Runtime | None = None) -> Translators:
    """Return those of the run, or of the one with these tables."""
    here = runtime() if tables is None else tables
    found: Translators = here.extras.setdefault(Translators, Translators())
    return found


@public_in("reports")
def add_translator(function: Translator) -> None:
    """Add a function that says how a report is logged in this run; the last one is asked first.

    Args:
        function: called with a report, one of the dataclasses of `otp.events`. It returns the
            text of the record, or that with a dict of further attributes of the record;
            `otp.reports.SKIP` to keep the report out of the log; None to leave it to others.

    Raises:
        TypeError: it cannot be called.
        NotInRun: no Trio run is going on.

    Follows: `Logger.add_translator/1`.
    """
    if not callable(function):
        raise TypeError(f"function={bounded(function)}: expected a function")
    remove_translator(function)
    known = translators()
    known.functions = (function, *known.functions)


@public_in("reports")
def remove_translator(function: Translator) -> None:
    """Ask a function no more; one that was not added is ignored.

    Args:
        function: what was added.

    Raises:
        NotInRun: no Trio run is going on.

    Follows: `Logger.remove_translator/1`.
    """
    known = translators()
    known.functions = tuple(each for each in known.functions if each != function)
