"""Schedules of faults: what goes wrong, when and where, as plain data.

A schedule is a list of `Fault`. It can be written by hand, made from a seed, or drawn and made
smaller by hypothesis; its repr is code that makes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from .._process.names import check_reference
from .._timers.send_after import check_delay
from .._util.bounded import bounded
from .._util.checks import check_choice, check_whole, is_number, is_whole
from .._util.public import public_in
from .without_hypothesis import needs_hypothesis

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from hypothesis.strategies import SearchStrategy

    from .._process.names import Ref

Action: TypeAlias = Literal["kill", "crash", "delay", "hang", "drop_reply"]
ACTIONS: Final[tuple[Action, ...]] = get_args(Action)
DELAYS: Final = (0.01, 0.1, 1.0, 10.0)  # seconds; the last one is longer than a call waits
# Seconds, of a fault that does not say; nobody is left waiting longer than that.
DEFAULTS: Final[dict[Action, float]] = {"delay": 1.0, "hang": 60.0, "drop_reply": 60.0}
MANY: Final = 100  # numbers of targets that a seed chooses from


@public_in("testing")
@dataclass(frozen=True, slots=True, repr=False)
class Fault:
    """Something that goes wrong.

    * `kill`: a process is killed.
    * `crash`: a server raises `ChaosCrash` in place of handling its next message; a plain process
      ends with that reason.
    * `delay`: a server handles its next message later.
    * `hang`: a server gets stuck with its next message, until it is killed.
    * `drop_reply`: a server handles its next call, but the answer is lost.

    Args:
        at: seconds after the beginning.
        action: one of these words.
        target: the process; or a number, which chooses among the children beneath the tree that
            the fault can hit, in the order of `otp.tree()`, and begins anew when they are used up.
        seconds: how long a delay lasts; after how long a server that hangs is killed; after how
            long a caller without a time-out of its own gets `CallTimeout` for a lost reply. By
            default 1 for a delay and 60 for the others.

    Raises:
        ValueError: a number or a word is not accepted.
        TypeError: the target is not a reference.

    >>> from trio_otp.testing import Fault
    >>> Fault(0.5, "kill"), Fault(2.0, "delay", "cache", seconds=0.25)
    (Fault(0.5, 'kill'), Fault(2.0, 'delay', 'cache', seconds=0.25))
    """

    at: float
    action: Action
    target: int | Ref = 0
    seconds: float | None = None

    def __post_init__(self) -> None:
        check_delay(self.at, "at")
        check_choice("action", self.action, ACTIONS)
        if self.seconds is not None:
            check_delay(self.seconds, "seconds")
        if is_whole(self.target):
            check_whole("target", self.target, 0, " or a reference to a process")
        else:
            check_reference(self.target)

    @property
    def lasts(self) -> float:
        """Return how long it lasts, in seconds."""
        return DEFAULTS.get(self.action, 0.0) if self.seconds is None else self.seconds

    def __repr__(self) -> str:
        parts = [repr(self.at), repr(self.action)]
        if self.target != 0:
            parts.append(bounded(self.target))
        if self.seconds is not None:
            parts.append(f"seconds={self.seconds!r}")
        return f"Fault({', '.join(parts)})"


Schedule: TypeAlias = "Iterable[Fault]"


def check_actions(actions: Any) -> tuple[Action, ...]:
    """Refuse what is not a list of actions; give them as a tuple."""
    if isinstance(actions, str):
        raise TypeError(
            f"actions={bounded(actions)}: expected a list; write actions=[{bounded(actions)}]"
        )
    chosen: tuple[Any, ...] = tuple(actions)
    for action in chosen:
        check_choice("actions", action, ACTIONS)
    if not chosen:
        raise ValueError(f"actions=[]: expected one or more of {', '.join(ACTIONS)}")
    return chosen


def schedule_of(seed: int, rate: float, seconds: float, actions: Iterable[Action]) -> list[Fault]:
    """Make the schedule of a seed: the same one in every run.

    Args:
        seed: a whole number.
        rate: faults a second, on average.
        seconds: how long it lasts.
        actions: what can happen; one that is listed twice happens twice as often.
    """
    if not is_whole(seed):
        raise TypeError(f"seed={bounded(seed)}: expected a whole number")
    if not is_number(rate) or not 0 < rate < math.inf:
        raise ValueError(f"rate={bounded(rate)}: expected a finite number of faults > 0")
    check_delay(seconds, "seconds")
    chosen, random = check_actions(actions), Random(seed)  # noqa: S311 - the same each time
    faults: list[Fault] = []
    at = random.expovariate(rate)
    while at < seconds:
        faults.append(_fault(random, round(at, 3), random.choice(chosen)))
        at += random.expovariate(rate)
    return faults


def _fault(random: Random, at: float, action: Action) -> Fault:
    lasts = random.choice(DELAYS)  # drawn for each, so that another action changes nothing else
    target = random.randrange(MANY)
    return Fault(at, action, target, lasts if action == "delay" else None)


@public_in("testing")
def schedules(
    *,
    actions: Collection[Action] = ACTIONS,
    max_faults: int = 10,
    seconds: float = 10.0,
) -> SearchStrategy[list[Fault]]:
    """Return a strategy of schedules for `replay`; hypothesis finds the smallest that fails a test.

    Smaller are fewer faults, earlier ones, and actions and targets that come first.

    Args:
        actions: what can happen, the simplest first.
        max_faults: how many faults there are at most.
        seconds: the latest fault comes then.

    Returns:
        A strategy for `hypothesis.given`.

    Raises:
        ModuleNotFoundError: hypothesis is not installed.
        ValueError: a number or a word is not accepted.
    """
    try:
        from hypothesis import strategies as st  # noqa: PLC0415 - only this needs it
    except ModuleNotFoundError as exc:
        raise needs_hypothesis("trio_otp.testing.schedules") from exc

    check_whole("max_faults", max_faults, 0)
    check_delay(seconds, "seconds")
    chosen = check_actions(actions)
    steps = st.integers(0, int(seconds * 8)).map(lambda step: step / 8)

    def fault(action: Action) -> SearchStrategy[Fault]:
        lasts = st.sampled_from(DELAYS) if action == "delay" else st.none()
        return st.builds(Fault, steps, st.just(action), st.integers(0, 20), lasts)

    faults = st.sampled_from(chosen).flatmap(fault)
    return st.lists(faults, max_size=max_faults).map(_in_order)


def _in_order(faults: list[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: fault.at)
