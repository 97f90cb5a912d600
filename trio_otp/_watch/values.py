"""The observable values of trio-util, typed, and safe for the server that assigns them.

This is the one module that imports trio-util, which has no types and is imported at first use.

The conditions of those who wait run inside of the assignment, in the task of the server. There a
condition that raises must hurt nobody else: it counts as met, and the task that waits for it gets
its error. Values that cannot be compared, as arrays, count as different. What trio-util itself
hangs on a value, `compose_values` and `open_transform`, has no task of its own that could be told;
an error of it goes to the function `failed`.

An `eventual_values` that is left half-way leaves no generator behind, which Trio would warn of.

Follows: trio-util 0.8, `AsyncValue` and `AsyncBool`. Its own setter would let what a condition
raises, or the comparison of two arrays, out into the server, and leave others asleep.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from inspect import iscoroutine
from operator import ne
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import trio
from trio.lowlevel import checkpoint, enable_ki_protection

from .._exits.errors import NotAProcess
from .._exits.reasons import ProcessExit
from .._process.runtime import own_process
from .._util.bounded import label_of
from .._util.copies import Handle
from .._util.public import public
from .._util.unset import UNSET
from .._util.user_code import interruptible

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import TypeAlias

T = TypeVar("T")
U = TypeVar("U")
Failed: TypeAlias = "Callable[[BaseException], None]"

if TYPE_CHECKING:  # the types of what is inherited, which trio-util does not have

    class AsyncValue(Generic[T]):
        """That of trio-util."""

        _value: Any
        _level_results: dict[Any, Any]
        _edge_results: dict[Any, Any]
        _transforms: dict[Any, Any]

        def __init__(self, value: T) -> None: ...
        async def wait_value(self, value_or_predicate: Any, *, held_for: float = 0.0) -> T: ...
        async def wait_transition(self, value_or_predicate: Any = None) -> tuple[T, T]: ...
        def open_transform(
            self, function: Callable[[T], U]
        ) -> AbstractContextManager[AsyncValue[U]]:
            """Return a block that gives an `AsyncValue` of what a function makes of the value."""
            ...

    class AsyncBool(AsyncValue[bool]):
        """That of trio-util."""
else:
    from trio_util import AsyncBool, AsyncValue


class _Condition:
    """What a task waits for; its error is kept for that task."""

    __slots__ = ("_wanted", "_watched", "error")

    def __init__(self, watched: WatchedValue[Any], wanted: Any) -> None:
        self._watched = watched
        self._wanted: Callable[..., object] = wanted if callable(wanted) else _Equals(wanted)
        self.error: BaseException | None = None

    def __call__(self, *values: Any) -> bool:
        try:
            self._watched._check_open()
            met = interruptible(self._wanted, *values)
            return bool(met if isinstance(met, bool) else _need_answer(self._wanted, met))
        except BaseException as exc:  # noqa: ASYNC103 - `check` raises it, in the task that waits
            self.error = exc
            return True  # noqa: ASYNC104 - as above

    def is_over(self, value: Any) -> bool:
        """Check whether it is not met any more, or has raised."""
        return not self(value) or self.error is not None

    def check(self) -> None:
        """Raise what it has raised; an exit is that of the process that waits, if it is one."""
        error, self.error = self.error, None
        try:
            if isinstance(error, ProcessExit) and own_process() is None:
                raise NotAProcess(
                    "otp.exit was called in a condition that plain Trio code waits for: "
                    "expected a function that returns True or False"
                )
            if error is not None:
                raise error
        finally:
            del error  # else the frame and the traceback keep each other alive


def _need_answer(condition: object, met: object) -> object:
    """Return what a condition has returned; refuse an async one, which would always be met."""
    if iscoroutine(met):
        met.close()
        text = f"{label_of(condition)} is async: expected a plain function of the value"
        raise TypeError(f"{text}, which is called inside of the assignment")
    return met


class _Equals:
    """The condition that a plain value stands for."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __call__(self, new: object, *_: object) -> object:
        return new == self._value


def _always(*_: object) -> bool:
    return True


@public
class WatchedValue(Handle, AsyncValue[T]):
    """A `trio_util.AsyncValue` that a server assigns, and others read and wait for."""

    _value: Any

    def __init__(self, value: Any, failed: Failed) -> None:
        super().__init__(value)
        self._failed = failed
        self._is_open: bool = True  # until the block of the watch has been left

    @property
    def value(self) -> T:
        """The value; it is read-only here."""
        value: T = self._value
        return value

    @enable_ki_protection
    async def wait_value(
        self, value_or_predicate: T | Callable[[T], object], *, held_for: float = 0.0
    ) -> T:
        """Wait until the value meets a condition.

        Args:
            value_or_predicate: a function of the value, or a value to be equal to. It is asked at
                once, and inside of each assignment; what it raises is raised here.
            held_for: seconds for which it must be met without a break.

        Returns:
            The value that met it; there may be another one by now.

        Raises:
            trio.ClosedResourceError: the block of the watch has been left.

        Follows: `trio_util.AsyncValue.wait_value`.
        """
        condition = _Condition(self, value_or_predicate)
        while True:
            value: T = await super().wait_value(condition)
            condition.check()
            if held_for <= 0 or await self._is_held(condition, held_for):
                return value

    async def _is_held(self, condition: _Condition, seconds: float) -> bool:
        """Wait until a condition has been met for so long, or is not; raise what it raises."""
        with trio.move_on_after(seconds):
            await super().wait_value(condition.is_over)
            condition.check()
            return False
        return True

    def eventual_values(
        self, value_or_predicate: T | Callable[[T], object] = _always, held_for: float = 0.0
    ) -> AsyncIterator[T]:
        """Return an iterator over the value now and each later one; a slow reader misses some.

        The newest value always comes in the end.

        Args:
            value_or_predicate: which values are wanted, as of `wait_value`.
            held_for: seconds for which a value must be one of these.

        Follows: `trio_util.AsyncValue.eventual_values`.
        """
        return _EventualValues(self, value_or_predicate, held_for)

    @enable_ki_protection
    async def wait_transition(
        self, value_or_predicate: T | Callable[[T, T], object] = _always
    ) -> tuple[T, T]:
        """Wait until the value changes.

        Args:
            value_or_predicate: a function of the new and the old value, or a new value to be
                equal to. It is asked inside of each assignment; what it raises is raised here.

        Returns:
            The new and the old value.

        Raises:
            trio.ClosedResourceError: the block of the watch has been left.

        Follows: `trio_util.AsyncValue.wait_transition`.
        """
        condition = _Condition(self, value_or_predicate)
        if not self._is_open:
            await checkpoint()
            self._check_open()
        both: tuple[T, T] = await super().wait_transition(condition)
        condition.check()
        return both

    def transitions(
        self, value_or_predicate: T | Callable[[T, T], object] = _always
    ) -> AsyncIterator[tuple[T, T]]:
        """Return an iterator over new and old value; what happens meanwhile is missed.

        Args:
            value_or_predicate: as of `wait_transition`.

        Follows: `trio_util.AsyncValue.transitions`.
        """
        return _Transitions(self, value_or_predicate)

    def _check_open(self) -> None:
        if not self._is_open:
            raise trio.ClosedResourceError("the block of the watch has been left")

    # -- for what assigns it -----------------------------------------------------------------

    @enable_ki_protection
    def _close_value(self) -> None:
        """Wake who waits, as there will be no other value: they get `ClosedResourceError`."""
        self._is_open = False
        self._wake(self._level_results, (self._value,), self._value)
        self._wake(self._edge_results, (self._value, self._value), (self._value, self._value))

    @enable_ki_protection
    def _take(self, new: T) -> None:
        """Take another value, and wake who waits for it. It never raises."""
        old: T = self._value
        if not self._differ(old, new):
            return
        self._value = new
        self._wake(self._level_results, (new,), new)
        self._wake(self._edge_results, (new, old), (new, old))
        for transform, output in list(self._transforms.items()):
            try:
                output.value = transform(new)
            except BaseException as exc:  # noqa: ASYNC103 - its block raises it
                self._failed(exc)

    def _wake(self, results: dict[Any, Any], values: tuple[T, ...], told: object) -> None:
        for condition, result in list(results.items()):
            try:
                is_met = condition(*values)
            except BaseException as exc:  # noqa: ASYNC103 - its block raises it
                self._failed(exc)
                continue  # noqa: ASYNC104 - as above
            if is_met:
                result.value = told
                result.event.unpark_all()

    def _differ(self, old: T, new: T) -> bool:
        """Check whether a value is another one; one that cannot be compared is."""
        if old is new or old is UNSET:
            return old is not new
        try:
            return bool(interruptible(ne, old, new))
        except Exception:
            return True
        except BaseException as exc:  # noqa: ASYNC103 - its block raises it: Ctrl-C, for example
            self._failed(exc)
            return True  # noqa: ASYNC104 - as above


class WatchedBool(WatchedValue[bool], AsyncBool):
    """The same for a `trio_util.AsyncBool`."""


class _Iterator(AsyncIterator[T]):
    """An iterator that waits anew for each value, so there is nothing to be closed."""

    async def aclose(self) -> None:
        """Do nothing, for `contextlib.aclosing`."""
        await checkpoint()


class _EventualValues(_Iterator[T], Generic[T]):
    def __init__(self, watched: WatchedValue[T], wanted: Any, held_for: float) -> None:
        self._watched = watched
        self._wanted = wanted
        self._held_for = held_for
        self._last: Any = UNSET

    async def __anext__(self) -> T:
        if self._last is not UNSET:
            await self._watched.wait_value(self._is_new)
        self._last = await self._watched.wait_value(self._wanted, held_for=self._held_for)
        value: T = self._last
        return value

    def _is_new(self, value: T) -> bool:
        return self._watched._differ(self._last, value)


class _Transitions(_Iterator[tuple[T, T]], Generic[T]):
    def __init__(self, watched: WatchedValue[T], wanted: Any) -> None:
        self._watched = watched
        self._wanted = wanted

    async def __anext__(self) -> tuple[T, T]:
        return await self._watched.wait_transition(self._wanted)
