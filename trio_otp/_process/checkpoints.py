"""Every await is a checkpoint, also one that raises.

Who tries again in a loop, because a server is being restarted, must not stop the whole run: an
error lets other tasks have their turn, and in a cancelled scope `Cancelled` comes before it. The
public async functions get that from `checkpointed`; those where a frame more would be felt say it
themselves, by `refusal`. The blocks get it from `Block`.

Follows: Trio's documentation, "Checkpoints".
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from trio.lowlevel import (
    cancel_shielded_checkpoint,
    checkpoint,
    checkpoint_if_cancelled,
    enable_ki_protection,
)

from .runtime import need_task

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

F = TypeVar("F", bound="Callable[..., Coroutine[Any, Any, Any]]")


def checkpointed(function: F) -> F:
    """Make an async function a checkpoint also when it raises.

    In a cancelled scope it does nothing but raise `Cancelled`. An error that it has met costs a
    turn of the scheduler more and is never lost to a cancellation that comes meanwhile.

    Ctrl-C is held off all the while, so the function needs no `enable_ki_protection` of its own.
    """

    @wraps(function)
    @enable_ki_protection
    async def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        need_task()
        await checkpoint_if_cancelled()
        try:
            return await function(*args, **kwargs)
        except Exception:
            await cancel_shielded_checkpoint()
            raise

    wrapped: Any = call
    typed: F = wrapped
    return typed


async def refusal() -> None:
    """Make the checkpoint of an error that an async function raises before it has done anything.

    Raises:
        NotInRun: no Trio task runs this; that is then what is wrong.
    """
    need_task()
    await checkpoint()
