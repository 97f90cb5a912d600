"""Code of the user, called from code that Ctrl-C may not break into.

What the library does to a process, a nursery or a request is protected from Ctrl-C, and so is what
it calls. A callback in an endless loop has to be broken by it, so each is called by one of these.

The callbacks of messages are the exception: a server's loop, which calls them, is itself
unprotected, which saves each message a frame. See `_gen_server/loop`.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from trio.lowlevel import disable_ki_protection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

P = ParamSpec("P")
T = TypeVar("T")


@disable_ki_protection
def interruptible(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function of the user."""
    return function(*args, **kwargs)


@disable_ki_protection
def matches(match: Any, value: Any) -> bool:
    """Check whether a function of the user wants a value."""
    wanted: bool = match(value)
    return wanted


@disable_ki_protection
async def wait_for(running: Awaitable[T]) -> T:
    """Await what an async function of the user has given."""
    return await running


async def call_back(callback: Callable[P, Any], /, *args: P.args, **kwargs: P.kwargs) -> Any:
    """Call a callback of the user, which is a `def` or an `async def`, and give its result."""
    result = interruptible(callback, *args, **kwargs)
    if result.__class__ is not CoroutineType:
        return result
    try:
        return await wait_for(result)
    finally:
        result.close()  # if Ctrl-C came before it began; else it has ended
