"""Typed methods over a GenServer: a decorated method is a message, sent from anywhere.

>>> import trio, trio_otp as otp
>>> class Cache(otp.GenServer):
...     def __init__(self) -> None:
...         self.data: dict[str, bytes] = {}
...     @otp.on_call
...     async def get(self, key: str) -> bytes | None:
...         return self.data.get(key)
...     @otp.on_cast
...     async def put(self, key: str, value: bytes) -> None:
...         self.data[key] = value
>>> async def main():
...     async with otp.open_supervisor([otp.child(Cache).having(name="cache")]):
...         cache = Cache.at("cache")
...         cache.put("k", b"v")
...         print(await cache.get("k"), await Cache.get("cache", "missing"))
>>> trio.run(main)
b'v' None

A decorated name always means *send a message*: on a client, on the class, and on `self`, where a
call is refused with `CallingSelf` and a cast comes back as a later message. Logic that is shared
lives in undecorated methods. Dispatch is by name on the instance, so overrides work.

Follows: the "client API" functions of an Elixir GenServer module.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from types import CoroutineType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Concatenate,
    Final,
    Generic,
    ParamSpec,
    TypeAlias,
    TypeVar,
    overload,
)

import outcome

from .bounded import bounded
from .exits import NotAProcess, WrongServer
from .names import find, need
from .process import Pid
from .request import From, check_timeout
from .runtime import own_process, runtime
from .server_loop import Cast, Handled, NoReply, Reply, Stop
from .signature import argument_checker

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .names import Ref
    from .process import Process

P = ParamSpec("P")
R = TypeVar("R")
F = TypeVar("F", bound="Callable[..., Any]")
DEFAULT_TIMEOUT: Final = 5.0  # seconds, as of otp.call
_ANSWERS: Final[Any] = (Reply, Stop, NoReply)
if TYPE_CHECKING:
    _Sync: TypeAlias = Callable[Concatenate[Any, P], R]
    _Async: TypeAlias = Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]


class Message(Handled):
    """A call or cast of a decorated method, on its way."""

    __slots__ = ("args", "kwargs", "method")

    def __init__(self, method: _Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.method = method
        self.args = args
        self.kwargs = kwargs

    def __repr__(self) -> str:
        shown = [bounded(value) for value in self.args]
        shown += [f"{name}={bounded(value)}" for name, value in self.kwargs.items()]
        return f"{self.method.name}({', '.join(shown)})"

    def handle_call(self, server: Any, from_: From[Any]) -> Any:
        """Run the method and make its value the reply."""
        return self.method.answer(server, from_, self)

    def handle_cast(self, server: Any) -> Any:
        """Run the method."""
        return self.method.function_of(server)(server, *self.args, **self.kwargs)


class _Method:
    """What a decorated name is: the function, and how to send it as a message."""

    otp_mark: ClassVar[str] = "gen_server"  # the behaviour it is for

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(
                f"fn={bounded(function)}: accepted is a method; options come by name, as in "
                "@otp.on_call(timeout=10)"
            )
        self.function = function
        self.name = getattr(function, "__name__", type(function).__name__)
        self.owner: type[Any] = object
        self.check = argument_checker(function)
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.owner = owner
        self.name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.owner.__name__}.{self.name}>"

    def bind(self, ref: Ref) -> Callable[..., Any]:
        """Give the method with the server filled in."""
        return partial(self, ref)

    def __call__(self, ref: Ref, /, *args: Any, **kwargs: Any) -> Any:
        """Send the message."""
        raise NotImplementedError

    def explained(
        self, error: TypeError, ref: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> TypeError:
        """Say what is wrong with the arguments: perhaps the reference was left out."""
        with suppress(Exception):
            if find(ref) is not None:
                return error
        try:
            self.check(None, ref, *args, **kwargs)
        except TypeError:
            return error
        shown = [bounded(value, 60) for value in (ref, *args)]
        shown += [f"{name}={bounded(value, 60)}" for name, value in kwargs.items()]
        line = f"{self.owner.__name__}.{self.name}(ref, {', '.join(shown)})"
        return TypeError(f"{error}; the server comes first: write {line}")

    def function_of(self, server: Any) -> Callable[..., Any]:
        """Find the function by name on the class of the server, so that overrides work."""
        found: Callable[..., Any] = getattr(server.__class__, self.name)
        return found.function if isinstance(found, _Method) else found

    def check_server(self, ref: Ref, process: Process) -> None:
        """Refuse, in the caller, a server that does not have the method."""
        actual = process.behaviour
        if actual is None or not issubclass(actual, self.owner):
            name = "plain process" if actual is None else actual.__name__
            error = WrongServer(f"{self.owner.__name__}.{self.name}", ref, name)
            if getattr(self.owner, "is_handler", False):
                line = f"{self.owner.__name__}.at({bounded(ref)}).{self.name}(...)"
                error.add_note(f"A handler is asked through its client: {line}")
            raise error

    def answer(self, server: Any, from_: From[Any], message: Message) -> Any:
        """Run the function for a call; a cast method has no answer."""
        raise WrongServer(self.name, server, f"server that takes {self.name} as a cast")


class CallMethod(_Method, Generic[P, R]):
    """A method that `on_call` made a call."""

    def __init__(
        self,
        function: Callable[..., Any],
        timeout: float | None,
        raises: tuple[type[Exception], ...],
    ) -> None:
        super().__init__(function)
        check_timeout("timeout", timeout)
        self.timeout = timeout
        self.raises = raises

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> CallMethod[P, R]: ...
    @overload
    def __get__(
        self, instance: object, owner: type[Any]
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else self.bind(_own_pid(instance))

    async def __call__(self, ref: Ref, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Send the call and wait for the answer; raises as `otp.call`, and `WrongServer`."""
        try:
            self.check(None, *args, **kwargs)
        except TypeError as exc:
            raise self.explained(exc, ref, args, kwargs) from None
        message = Message(self, args, kwargs)
        process = need(ref, message)
        self.check_server(ref, process)
        answer: R = await From(process, ref, message, self.timeout).wait()
        return answer

    async def answer(self, server: Any, from_: From[Any], message: Message) -> Any:
        """Run the function and make its value a reply; errors of `raises` go to the caller."""
        try:
            value = self.function_of(server)(server, *message.args, **message.kwargs)
            if value.__class__ is CoroutineType:
                value = await value
        except self.raises as exc:
            return Reply(outcome.Error(exc))
        return value if isinstance(value, _ANSWERS) else Reply(value)


class DeferredMethod(CallMethod[P, R]):
    """A method that `on_call_deferred` made a call that is answered later."""

    def __init__(self, function: Callable[..., Any], timeout: float | None) -> None:
        super().__init__(function, timeout, ())

    def __set_name__(self, owner: type[Any], name: str) -> None:
        super().__set_name__(owner, name)
        full = self.check

        def check(server: Any, *args: Any, **kwargs: Any) -> None:
            full(server, None, *args, **kwargs)

        self.check = check

    async def answer(self, server: Any, from_: From[Any], message: Message) -> Any:
        """Run the function; whoever has `from_` answers."""
        value = self.function_of(server)(server, from_, *message.args, **message.kwargs)
        if value.__class__ is CoroutineType:
            value = await value
        done = value is None or value.__class__ in (bool, Pid)  # of reply, of reply_from_task
        return NoReply() if done else value


class CastMethod(_Method, Generic[P]):
    """A method that `on_cast` made a cast."""

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> CastMethod[P]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> Callable[P, None]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else self.bind(_own_pid(instance))

    def __call__(self, ref: Ref, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send the cast; it never blocks. Raises `WrongServer`, and TypeError as a call does."""
        try:
            self.check(None, *args, **kwargs)
        except TypeError as exc:
            raise self.explained(exc, ref, args, kwargs) from None
        message = Message(self, args, kwargs)
        process = find(ref)
        if process is None:
            runtime().drop(ref, message, "cast to a dead server")
            return
        self.check_server(ref, process)
        process.mailbox.put(Cast(message))


class _InfoMethod:
    """Enters a function into its class's table of info handlers, and then gives way to it."""

    otp_mark: ClassVar[str] = "gen_server"  # the behaviour it is for

    def __init__(self, function: Callable[..., Any], types: tuple[type[Any], ...]) -> None:
        self.function = function
        self.types = types

    def __set_name__(self, owner: type[Any], name: str) -> None:
        if not hasattr(owner, "info_methods"):
            return  # the class refuses it
        owner.info_methods = {**owner.info_methods, **dict.fromkeys(self.types, name)}
        setattr(owner, name, self.function)


def _own_pid(instance: object) -> Pid[Any]:
    process = own_process()
    if process is None or process.behaviour is not type(instance):
        name = type(instance).__name__
        raise NotAProcess(f"a {name} object is the inside of a server; write {name}.at(ref)")
    return process.pid


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
    *, timeout: float | None = DEFAULT_TIMEOUT, raises: tuple[type[Exception], ...] = ()
) -> _OnCall: ...
def on_call(
    fn: Any = None,
    /,
    *,
    timeout: float | None = DEFAULT_TIMEOUT,
    raises: tuple[type[Exception], ...] = (),
) -> Any:
    """Make a method of a GenServer a call.

    The method returns the answer itself, or `Reply(value, ...)`, or `Stop(reason, reply=)`.

    Args:
        fn: the method, `def` or `async def`.
        timeout: seconds the client waits; None leaves the limit to its cancel scope.
        raises: exceptions that go to the caller; any other one crashes the server.

    Raises:
        TypeError: in the caller, for arguments the method does not take.
        WrongServer: in the caller, if the server is not of the class.

    Follows: `GenServer.call/3` inside a client function.
    """
    decorate = _OnCall(timeout, raises)
    return decorate if fn is None else decorate(fn)


class _OnCall:
    """What `on_call(...)` with options returns."""

    def __init__(self, timeout: float | None, raises: tuple[type[Exception], ...]) -> None:
        self.timeout = timeout
        self.raises = raises

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
        method: CallMethod[..., Any] = CallMethod(fn, self.timeout, self.raises)
        return method


@overload
def on_call_deferred(
    fn: Callable[Concatenate[Any, From[R], P], object], /
) -> DeferredMethod[P, R]: ...
@overload
def on_call_deferred(*, timeout: float | None = DEFAULT_TIMEOUT) -> _OnCallDeferred: ...
def on_call_deferred(fn: Any = None, /, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """Make a method of a GenServer a call that is answered later, by `otp.reply(from_, ...)`.

    Args:
        fn: the method, `def` or `async def`; its first argument after self is the `From`.
        timeout: seconds the client waits; None leaves the limit to its cancel scope.

    Raises:
        TypeError, WrongServer: in the caller, as `on_call`.

    Follows: `{:noreply, state}` of `handle_call/3`.
    """
    decorate = _OnCallDeferred(timeout)
    return decorate if fn is None else decorate(fn)


class _OnCallDeferred:
    """What `on_call_deferred(...)` with options returns."""

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout

    def __call__(
        self, fn: Callable[Concatenate[Any, From[R], P], object], /
    ) -> DeferredMethod[P, R]:
        return DeferredMethod(fn, self.timeout)


def on_cast(fn: Callable[Concatenate[Any, P], object], /) -> CastMethod[P]:
    """Make a method of a GenServer a cast: a message that is not answered.

    Args:
        fn: the method, `def` or `async def`; it returns None, `NoReply(...)` or `Stop(reason)`.

    Raises:
        TypeError, WrongServer: in the caller, as `on_call`.

    Follows: `GenServer.cast/2` inside a client function.
    """
    return CastMethod(fn)


def on_info(*types: type[Any]) -> Callable[[F], F]:
    """Let a method of a GenServer handle plain messages of some types.

    A class that overrides `handle_info` handles all of them there.

    Args:
        *types: the types, as `otp.Down`; of several that fit the nearest base counts.

    Raises:
        TypeError: what is given is no class.

    Follows: clauses of `handle_info/2`.
    """
    if not types or not all(isinstance(kind, type) for kind in types):
        raise TypeError(f"on_info{types!r}: accepted are classes; write @on_info(otp.Down)")

    def decorate(fn: F) -> F:
        marked: Any = _InfoMethod(fn, types)
        return marked  # type: ignore[no-any-return]

    return decorate
