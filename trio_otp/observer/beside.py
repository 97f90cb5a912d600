"""The observer beside the applications of `otp.run`, as `trio-otp run --observe` has it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .._exits.errors import OtpError
from .._program.logs import log
from .._program.program import beside
from . import serve
from .server import need_extra

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import trio


def observing(*, actions: bool) -> AbstractContextManager[None]:
    """Have the runs of `otp.run` in a block observed.

    Args:
        actions: whether clients may also act.

    Raises:
        ModuleNotFoundError: the extra is not installed; nothing is run then.
    """
    need_extra()
    return beside(partial(_start, actions))


async def _start(actions: bool, nursery: trio.Nursery) -> None:
    try:
        await serve(nursery=nursery, actions=actions)
    except OtpError as exc:
        log.error("%s", exc)  # the applications do not need it
