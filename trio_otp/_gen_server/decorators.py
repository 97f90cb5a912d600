"""Typed methods over a GenServer: a decorated method is a message, sent from anywhere.

**Why.** `otp.call(ref, ("get", key))` is a string to mistype and an answer without a type.
Decorated methods give each message a name, checked arguments, a typed answer and a place for its
docstring.

**Client side** a decorated name always means *send a message*: on a client, on the class, and on
`self`, where a call is refused with `CallingSelf` and a cast comes back as a later message.

**Server side** dispatch is by name on the instance, so overrides work. Logic that is shared lives
in undecorated methods.

**Supervise** the server as any other.

**When not to use it.** If the messages are data that comes from elsewhere, or their kinds are not
known beforehand, write `handle_call` and `handle_cast` of the GenServer.

Follows: the "client API" functions of an Elixir GenServer module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar, cast, overload

from .._behaviour.info_methods import InfoMethod
from .._process.request import DEFAULT_TIMEOUT, From
from .._util.bounded import bounded
from .._util.public import public
from .methods import CallMethod, CastMethod, DeferredMethod

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._behaviour.results import Reply, Stop


P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[..., Any]")
if TYPE_CHECKING:
    _Sync: TypeAlias = Callable[Concatenate[Any, P], R]
    _Async: TypeAlias = Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]


# The first two of each would do, if a checker could tell `Reply[R]` alone from an R of its own.
@overload
def on_call(fn: _Async[P, Stop] | _Sync[P, Stop], /) -> CallMethod[P, Any]: ...
@overload
def on_call(fn: _Async[P, Reply[R] | Stop], /) -> CallMethod[P, R]: ...
@overload
def on_call(fn: _Async[P, R | Reply[R] | Stop], /) -> CallMethod[P, R]: ...
@overload
def on_call(fn: _Sync[P, Reply[R] | Stop], /) -> CallMethod[P, R]: ...
@overload
def on_call(fn: _Sync[P, R | Reply[R] | Stop], /) -> CallMethod[P, R]: ...
@overload
def on_call(
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    raises: tuple[type[Exception], ...] = (),
    skip_abandoned: bool = False,
) -> _OnCall: ...
@public
def on_call(
    fn: Any = None,
    /,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    raises: tuple[type[Exception], ...] = (),
    skip_abandoned: bool = False,
) -> Any:
    """Make a method of a GenServer a call.

    The method returns the answer itself, or `Reply(value, ...)`, or `Stop(reason, reply=)`.

    Args:
        fn: the method, `def` or `async def`.
        timeout: seconds the client waits, unless it has a limit of its own by `at(ref, timeout=)`;
            None leaves the limit to its cancel scope.
        raises: exceptions that go to the caller; any other one crashes the server. One error of a
            nursery in the method counts as if it had been raised without the nursery.
        skip_abandoned: whether a call that waits in the mailbox is left unhandled once its caller
            has given up: a server that cannot keep up then does no work that nobody waits for. In a
            mailbox with a bound all calls are.

    Raises:
        TypeError: in the caller, for arguments the method does not take; here, for `raises` that
            are no subclasses of Exception, or StopIteration and StopAsyncIteration, which cannot be
            raised where somebody awaits.
        WrongServer: in the caller, if the server is not of the class.

    >>> import trio, trio_otp as otp
    >>> class Cache(otp.GenServer):
    ...     def __init__(self) -> None:
    ...         self.data: dict[str, bytes] = {}
    ...     @otp.on_call
    ...     async def get(self, key: str) -> bytes | None:
    ...         return self.data.get(key)
    ...     @otp.on_cast
    ...     def put(self, key: str, value: bytes) -> None:
    ...         self.data[key] = value
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Cache).having(name="cache")]):
    ...         cache = Cache.at("cache")
    ...         cache.put("k", b"v")
    ...         print(await cache.get("k"), await Cache.get("cache", "missing"))
    >>> trio.run(main)
    b'v' None

    Follows: `GenServer.call/3` inside a client function.
    """
    decorate = _OnCall(timeout, raises, skip_abandoned=skip_abandoned)
    return decorate if fn is None else decorate(fn)


class _OnCall:
    """What `on_call(...)` with options returns."""

    def __init__(
        self,
        timeout: float | None,
        raises: tuple[type[Exception], ...],
        *,
        skip_abandoned: bool,
    ) -> None:
        self.timeout = timeout
        self.raises = raises
        self.skip_abandoned = skip_abandoned

    @overload
    def __call__(self, fn: _Async[P, Stop] | _Sync[P, Stop], /) -> CallMethod[P, Any]: ...
    @overload
    def __call__(self, fn: _Async[P, Reply[R] | Stop], /) -> CallMethod[P, R]: ...
    @overload
    def __call__(self, fn: _Async[P, R | Reply[R] | Stop], /) -> CallMethod[P, R]: ...
    @overload
    def __call__(self, fn: _Sync[P, Reply[R] | Stop], /) -> CallMethod[P, R]: ...
    @overload
    def __call__(self, fn: _Sync[P, R | Reply[R] | Stop], /) -> CallMethod[P, R]: ...
    def __call__(self, fn: Any, /) -> Any:
        method: CallMethod[..., Any] = CallMethod(
            fn, self.timeout, self.raises, skip_abandoned=self.skip_abandoned
        )
        return method


@overload
def on_call_deferred(
    fn: Callable[Concatenate[Any, From[R], P], object], /
) -> DeferredMethod[P, R]: ...
@overload
def on_call_deferred(
    *, timeout: float | None = DEFAULT_TIMEOUT, skip_abandoned: bool = False
) -> _OnCallDeferred: ...
@public
def on_call_deferred(
    fn: Any = None,
    /,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    skip_abandoned: bool = False,
) -> Any:
    """Make a method of a GenServer a call that is answered later, by `otp.reply(from_, ...)`.

    Args:
        fn: the method, `def` or `async def`; its first argument after self is the `From`.
        timeout: seconds the client waits; None leaves the limit to its cancel scope.
        skip_abandoned: as of `on_call`.

    Raises:
        TypeError, WrongServer: in the caller, as `on_call`.

    Follows: `{:noreply, state}` of `handle_call/3`.
    """
    decorate = _OnCallDeferred(timeout, skip_abandoned=skip_abandoned)
    return decorate if fn is None else decorate(fn)


class _OnCallDeferred:
    """What `on_call_deferred(...)` with options returns."""

    def __init__(self, timeout: float | None, *, skip_abandoned: bool) -> None:
        self.timeout = timeout
        self.skip_abandoned = skip_abandoned

    def __call__(
        self, fn: Callable[Concatenate[Any, From[R], P], object], /
    ) -> DeferredMethod[P, R]:
        return DeferredMethod(fn, self.timeout, skip_abandoned=self.skip_abandoned)


@public
def on_cast(fn: Callable[Concatenate[Any, P], object], /) -> CastMethod[P]:
    """Make a method of a GenServer a cast: a message that is not answered, nor awaited.

    Args:
        fn: the method, `def` or `async def`; it returns None, `NoReply(...)` or `Stop(reason)`.

    Raises:
        TypeError, WrongServer: in the caller, as `on_call`.

    Follows: `GenServer.cast/2` inside a client function.
    """
    return CastMethod(fn)


@public
def on_info(*types: type[Any]) -> Callable[[F], F]:
    """Make a method of a GenServer handle plain messages of some types.

    A class that overrides `handle_info` handles all of them there.

    Args:
        *types: the types, as `otp.Down`; of several that fit the nearest base counts.

    Raises:
        TypeError: what is given is not a class.

    Follows: clauses of `handle_info/2`.
    """
    if not types or not all(isinstance(kind, type) for kind in types):
        raise TypeError(
            f"on_info{bounded(types)}: expected message classes; write @on_info(otp.Down)"
        )

    def decorate(fn: F) -> F:
        return cast("F", InfoMethod(fn, types))  # for checkers it is the method still

    return decorate
