"""Whether the service is ready: put together from what its parts publish.

Nobody asks the parts, and none of them knows of this one: it watches them, over their restarts.
Its start is over when the service is ready for the first time. What happens later is logged: that
is what an operator looks at after an alarm.
"""

# trio-util has no types:
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio
from trio_util import compose_values

import trio_otp as otp

from .repo import Repo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .repo import Subject

READINESS: Final = "Readiness"
READY: Final = "ready"
RESTARTING: Final = "the store is being restarted"
_log = logging.getLogger("examples.cache_service")


class Parts(Protocol):
    """What the parts publish, at one moment."""

    alive: bool  # the Repo
    is_open: bool
    faults: Mapping[Subject, str]


async def watch_readiness(  # noqa: ASYNC114  (a child is started by what otp.child makes of it)
    *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Say whether the service is ready, now and whenever that changes.

    A disk that is full at the start does not keep the service from starting: it is told here, and
    clients are told of it too.

    Args:
        task_status: told when no part is being started.
    """
    async with otp.watch(Repo, Repo.is_open) as is_open, otp.watch(Repo, Repo.faults) as faults:
        parts: Any = {"alive": is_open.alive, "is_open": is_open, "faults": faults}
        with compose_values(_transform_=state_of, **parts) as state:
            await state.wait_value(is_up)
            task_status.started()
            async for now in state.eventual_values():
                _log.info("%s", now if now == READY else f"not ready: {now}")


def is_up(state: str) -> bool:
    """Check whether no part is being started.

    Args:
        state: what `state_of` has returned.
    """
    return state != RESTARTING


def state_of(parts: Parts) -> str:
    """Return a word or two on what keeps the service from being ready.

    Args:
        parts: what they publish.
    """
    if not parts.alive:
        return RESTARTING
    if not parts.is_open:
        return "the store cannot be opened"
    if not parts.faults:
        return READY
    spaces = {f"{deed} keyspace {keyspace}" for deed, keyspace in parts.faults}
    return f"errors {', '.join(sorted(spaces))}"
