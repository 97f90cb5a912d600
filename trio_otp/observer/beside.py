"""The observer beside the applications of `otp.run`, as `trio-otp run --observe` has it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from .._program.program import companion
from . import serve
from .server import need_extra

if TYPE_CHECKING:
    from collections.abc import Generator
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
    return _observing(actions)


@contextmanager
def _observing(actions: bool) -> Generator[None]:
    before = companion.set(partial(_start, actions))
    try:
        yield
    finally:
        companion.reset(before)


async def _start(actions: bool, nursery: trio.Nursery) -> None:
    await serve(nursery=nursery, actions=actions)
