"""Blocks that `async with` opens; one used without those words tells the line to write.

Entering one that is refused is a checkpoint, as every await is.

Entering and leaving are protected from Ctrl-C, as the code of `contextlib` in between is not: an
interrupt there would leave a block half open.
"""

from __future__ import annotations

import inspect
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

from trio.lowlevel import checkpoint, enable_ki_protection

from .._util.checks import did_you_mean
from .._util.copies import Handle
from .runtime import need_task

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType

P = ParamSpec("P")
T = TypeVar("T")


class AsyncBlock(Handle, AbstractAsyncContextManager[T]):
    """What a function made by `block` gives."""

    __slots__ = ("_line", "_manager")

    def __init__(self, manager: AbstractAsyncContextManager[T], line: str) -> None:
        self._manager = manager
        self._line = line

    @enable_ki_protection
    async def __aenter__(self) -> T:
        need_task()
        try:
            return await self._manager.__aenter__()
        except Exception:
            await checkpoint()
            raise

    @enable_ki_protection
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._manager.__aexit__(kind, error, traceback)

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(f"this opens a block; write {self._line}")

    def __getattr__(self, name: str) -> NoReturn:
        line = "" if name.startswith("_") else f": this opens a block; write {self._line}"
        raise AttributeError(f"there is no {name} yet{line}", name=name, obj=self)

    __await__ = __aiter__ = __enter__ = __exit__ = _refuse


def block(
    line: str,
) -> Callable[[Callable[P, AsyncGenerator[T]]], Callable[P, AbstractAsyncContextManager[T]]]:
    """Make a function that opens a block, as `contextlib.asynccontextmanager` does.

    Args:
        line: how it is used, for the error of one who uses it otherwise.
    """

    def decorate(
        function: Callable[P, AsyncGenerator[T]],
    ) -> Callable[P, AbstractAsyncContextManager[T]]:
        make = asynccontextmanager(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> AbstractAsyncContextManager[T]:
            try:
                made = make(*args, **kwargs)
            except TypeError:
                _refuse_unknown(function, kwargs)
                raise
            return AsyncBlock(made, line)

        return call

    return decorate


def _refuse_unknown(function: Callable[..., object], given: dict[str, object]) -> None:
    """Refuse an option that there is not, and name the one that is most like it."""
    known = list(inspect.signature(function).parameters)
    for name in given:
        if name not in known:
            near = did_you_mean(name, known)
            text = f"{function.__name__}() got an unexpected keyword argument {name!r}{near}"
            raise TypeError(text) from None
