"""The flags of supervisors, and their checks. Pure: no Trio."""

from __future__ import annotations

import math
from typing import Final, Literal, Protocol, TypeAlias, get_args

from .._exits.errors import SpecError
from .._util.bounded import bounded
from .._util.checks import check_choice, check_whole, is_number

Strategy: TypeAlias = Literal["one_for_one", "one_for_all", "rest_for_one"]
AutoShutdown: TypeAlias = Literal["never", "any_significant", "all_significant"]
STRATEGIES: Final[tuple[str, ...]] = get_args(Strategy)
AUTO_SHUTDOWNS: Final[tuple[str, ...]] = get_args(AutoShutdown)


class Entry(Protocol):
    """The options of a child that decide whether it can be significant."""

    @property
    def id(self) -> object: ...
    @property
    def restart(self) -> str: ...
    @property
    def significant(self) -> bool: ...


def check_entry(entry: Entry, auto_shutdown: str) -> None:
    """Refuse a significant child that could never be one."""
    if not entry.significant:
        return
    if auto_shutdown == "never":
        raise SpecError(
            f"child {bounded(entry.id)}: significant=True needs a supervisor with "
            "auto_shutdown='any_significant' or 'all_significant', not 'never'"
        )
    if entry.restart == "permanent":
        raise SpecError(
            f"child {bounded(entry.id)}: significant=True needs "
            "restart='transient' or 'temporary', not 'permanent'"
        )


def check_flags(
    strategy: object, max_restarts: object, max_seconds: object, auto_shutdown: object
) -> None:
    """Refuse invalid flags of a supervisor; the text says what was expected."""
    check_choice("strategy", strategy, STRATEGIES, error=SpecError)
    check_intensity(max_restarts, max_seconds)
    check_choice("auto_shutdown", auto_shutdown, AUTO_SHUTDOWNS, error=SpecError)


def check_intensity(max_restarts: object, max_seconds: object) -> None:
    """Refuse invalid limits; None is any number of restarts."""
    if max_restarts is not None:
        more = ", or None to never give up"
        check_whole("max_restarts", max_restarts, 0, more, error=SpecError)
    if not is_number(max_seconds) or not 0 < max_seconds < math.inf or max_seconds % 1:
        shown = bounded(max_seconds)
        raise SpecError(f"max_seconds={shown}: expected a whole number of seconds > 0")
