"""What decorated methods are: objects that check arguments and send themselves as messages.

It is long because a call, a cast and a deferred call share how they look to Python and to a caller.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from inspect import iscoroutinefunction
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, ParamSpec, Protocol, TypeVar, overload

from trio.lowlevel import checkpoint, enable_ki_protection

from .._behaviour.class_checks import check_method
from .._behaviour.messages import Cast
from .._exits.errors import NotAProcess, WrongServer
from .._process.checkpoints import checkpointed, refusal
from .._process.names import METHODS, class_name, find_living, need_living
from .._process.request import new_request
from .._process.room import put_when_room
from .._process.runtime import own_process, runtime
from .._util.bounded import bounded, label_of
from .._util.checks import check_flag, check_raises, check_timeout
from .._util.copies import Handle
from .._util.sent import SENT
from .._util.unset import UNSET
from .method_messages import CallMessage, DeferredMessage, Message, RaisingMessage
from .method_signature import OnClass, Outside

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import MappingProxyType

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process

P = ParamSpec("P")
R = TypeVar("R")
if TYPE_CHECKING:

    class BoundCast(Protocol[P]):
        """A cast with the server filled in, as a client has it."""

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
            """Send the cast; it never blocks."""

        async def wait(self, *args: P.args, **kwargs: P.kwargs) -> None:
            """Send the cast as soon as there is room for it; raises as `otp.cast_wait`."""


F = TypeVar("F", bound="Callable[..., Any]")


class _Method(Handle):
    """What a decorated name is: the function, and how to send it as a message."""

    otp_mark: ClassVar[str] = "gen_server"  # the behaviour it is for
    decorator: ClassVar[str] = "on_call"
    # names a client uses for itself
    reserved: ClassVar[tuple[str, ...]] = ("ref", "_class", "_timeout")
    raises: tuple[type[Exception], ...] = ()
    skip_abandoned: bool = False
    __signature__: OnClass = OnClass()

    def __init__(self, function: Callable[..., Any]) -> None:
        check_method(function, self.decorator)
        self.function = function
        self.name: str = label_of(function)
        self.owner: type[Any] = object
        self.members: MappingProxyType[str, Any] = vars(object)
        self.outside: Outside = Outside(function)
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__module__ = getattr(function, "__module__", type(self).__module__)
        self.__name__: str = self.name
        self.__qualname__ = getattr(function, "__qualname__", self.name)

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.owner = owner
        self.members = vars(owner)
        self.name = self.__name__ = name
        self.__qualname__ = f"{owner.__qualname__}.{name}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.owner.__name__}.{self.name}>"

    def __reduce_ex__(self, _: object) -> Any:
        return getattr, (self.owner, self.name)  # by name, as a function

    def bind(self, ref: Ref, *, timeout: object = UNSET) -> Callable[..., Any]:
        """Return the method with the server filled in, and a limit in the place of its own."""
        raise NotImplementedError  # a call waits for its answer, a cast does not

    def dressed(self, bound: F) -> F:
        """Set name, docstring and signature of what sends the method."""
        function: Any = bound
        function.__name__, function.__qualname__ = self.name, f"{self.owner.__name__}.{self.name}"
        function.__doc__, function.__module__ = self.__doc__, self.__module__
        function.__wrapped__ = self.outside
        function.otp_method = self
        return bound

    def without_server(self) -> TypeError:
        """Return an error that the reference was left out in a call on the class."""
        call = f"{self.owner.__name__}.{self.name}"
        lines = f"write {self.owner.__name__}.at(ref).{self.name}(...) or {call}(ref, ...)"
        return TypeError(f"{call}() is to be sent to a server; {lines}")

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError, in the caller, for arguments that the function does not take."""
        try:
            self.outside.check(f"{self.owner.__name__}.{self.name}", args, kwargs)
        except TypeError as exc:
            raise TypeError(f"{exc}{self._hint_for_limit(kwargs)}") from None

    def _hint_for_limit(self, kwargs: dict[str, Any]) -> str:
        """Tell where the time-out of a call is written, if it is among its arguments."""
        if "timeout" not in kwargs or "timeout" in self.outside.__signature__.parameters:
            return ""
        if not isinstance(self, CallMethod):
            return "; nobody waits for the answer of a cast, so it has no timeout"
        client = f"{self.owner.__name__}.at(ref, timeout={bounded(kwargs['timeout'], 60)})"
        return f"; for a time-out write {client}.{self.name}(...)"

    def check_sent(self, ref: Ref, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Check the arguments of one that is sent on the class; perhaps the server is left out."""
        try:
            self.check(args, kwargs)
        except TypeError as exc:
            raise self._explained(exc, ref, args, kwargs) from None

    def _explained(
        self, error: TypeError, ref: object, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> TypeError:
        with suppress(Exception):
            if find_living(ref) is not None:
                return error
        if not self.outside.parameters.fit((ref, *args), kwargs):
            return error
        shown = [bounded(value, 60) for value in (ref, *args)]
        shown += [f"{name}={bounded(value, 60)}" for name, value in kwargs.items()]
        line = f"{self.owner.__name__}.{self.name}(ref, {', '.join(shown)})"
        return TypeError(f"{error}; on the class the server comes first: write {line}")

    def function_of(self, server: object) -> Callable[..., Any]:
        """Find the function by name on the class of the server, so that overrides work."""
        found: Any = getattr(server.__class__, self.name)
        function: Callable[..., Any] = found.function if isinstance(found, _Method) else found
        return function

    def check_server(self, ref: Ref, process: Process) -> None:
        """Refuse, in the caller, a server that does not have the method."""
        actual = process.behaviour
        if process.is_remote:  # its node alone knows what it has
            return
        if actual is None or not issubclass(actual, self.owner):
            error = WrongServer(f"{self.owner.__name__}.{self.name}", ref, class_name(process))
            if getattr(self.owner, "is_handler", False):
                line = f"{self.owner.__name__}.at({bounded(ref)}).{self.name}(...)"
                error.add_note(f"A handler is asked through its client: {line}")
            raise error


def _renamed(function: Any, name: str) -> Any:
    """Return the same function by another name, also where Ctrl-C is concerned: the code is one."""
    renamed = FunctionType(function.__code__, function.__globals__, name, function.__defaults__)
    renamed.__qualname__ = name
    return renamed


class CallMethod(_Method, Generic[P, R]):
    """A method that `on_call` made a call."""

    def __init__(
        self,
        function: Callable[..., Any],
        timeout: float | None,
        raises: tuple[type[Exception], ...],
        *,
        skip_abandoned: bool,
    ) -> None:
        super().__init__(function)
        check_timeout("timeout", timeout)
        check_flag("skip_abandoned", skip_abandoned)
        self.timeout = timeout
        self.skip_abandoned: bool = skip_abandoned
        self.raises: tuple[type[Exception], ...] = check_raises(raises)
        self.message: type[Message] = RaisingMessage if raises else CallMessage
        self.at_once: bool = not iscoroutinefunction(function)  # it needs no task of its own

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> CallMethod[P, R]: ...
    @overload
    def __get__(
        self, instance: object, owner: type[Any]
    ) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else self.bind(_own_pid(instance))

    def __set_name__(self, owner: type[Any], name: str) -> None:
        super().__set_name__(owner, name)
        # A coroutine that nobody awaits is told by the name of its function: each has its own.
        own = _renamed(vars(CallMethod)["_send"], f"{owner.__name__}.{name}")
        vars(self)["_send"] = MethodType(own, self)

    if TYPE_CHECKING:

        def __call__(
            self, ref: Ref, /, *args: P.args, **kwargs: P.kwargs
        ) -> Coroutine[Any, Any, R]:
            """Send the call and wait for the answer; raises as `otp.call`, and `WrongServer`."""
            raise NotImplementedError  # for checkers alone

    else:

        def __call__(self, ref: object = UNSET, /, *args: object, **kwargs: object) -> Any:
            """Send the call and wait for the answer; raises as `otp.call`, and `WrongServer`."""
            if ref is UNSET:
                raise self.without_server()
            return self._send(ref, args, kwargs, self.timeout)

    def bind(self, ref: Ref, *, timeout: Any = UNSET) -> Callable[..., Any]:
        """Return the method with the server filled in, and a limit in the place of its own."""
        send, limit = self._send, self.timeout if timeout is UNSET else timeout

        def bound(*args: Any, **kwargs: Any) -> Any:
            return send(ref, args, kwargs, limit)

        return self.dressed(bound)

    @enable_ki_protection
    async def _send(
        self, ref: Ref, args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float | None
    ) -> Any:
        try:
            if ((len(args), *kwargs) if kwargs else len(args)) not in self.outside.shapes:
                self.check_sent(ref, args, kwargs)
            message = self.message(self, args, kwargs)
            process = need_living(ref, message)
            if process.behaviour is not self.owner:
                self.check_server(ref, process)
            waiting = new_request(process, ref, message, timeout)._wait(None, self.at_once)
        except Exception:
            await refusal()
            raise
        return await waiting


class DeferredMethod(CallMethod[P, R]):
    """A method that `on_call_deferred` made a call that is answered later."""

    decorator = "on_call_deferred"

    def __init__(
        self, function: Callable[..., Any], timeout: float | None, *, skip_abandoned: bool
    ) -> None:
        super().__init__(function, timeout, (), skip_abandoned=skip_abandoned)
        self.message: type[Message] = DeferredMessage
        self.outside: Outside = Outside(function, deferred=True)


class CastMethod(_Method, Generic[P]):
    """A method that `on_cast` made a cast."""

    decorator = "on_cast"

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> CastMethod[P]: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> BoundCast[P]: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Any:
        return self if instance is None else self.bind(_own_pid(instance))

    if TYPE_CHECKING:

        def __call__(self, ref: Ref, /, *args: P.args, **kwargs: P.kwargs) -> None:
            """Send the cast; raises as `otp.cast`, and `WrongServer`, and TypeError as a call."""

    else:

        def __call__(self, ref: object = UNSET, /, *args: object, **kwargs: object) -> Any:
            """Send the cast; it never blocks. Raises `WrongServer`, and TypeError as a call."""
            if ref is UNSET:
                raise self.without_server()
            return self._send(ref, args, kwargs)

    def bind(self, ref: Ref, *, timeout: object = UNSET) -> Callable[..., Any]:
        """Return the method with the server filled in; nobody waits, so there is no limit."""
        send = self._send

        def bound(*args: Any, **kwargs: Any) -> Any:
            return send(ref, args, kwargs)

        function: Any = bound
        function.wait = partial(self.wait, ref)
        return self.dressed(bound)

    async def wait(self, ref: Ref, /, *args: P.args, **kwargs: P.kwargs) -> None:
        """Send the cast as soon as there is room for it; raises as `otp.cast_wait`."""
        await self._send_when_room(ref, args, kwargs)

    @checkpointed
    async def _send_when_room(
        self, ref: Ref, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.check_sent(ref, args, kwargs)
        process = find_living(ref)
        if process is not None:
            self.check_server(ref, process)
        await cast_when_room(process, ref, Message(self, args, kwargs))

    @enable_ki_protection
    def _send(self, ref: Ref, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if ((len(args), *kwargs) if kwargs else len(args)) not in self.outside.shapes:
            self.check_sent(ref, args, kwargs)
        message = Message(self, args, kwargs)
        process = find_living(ref)
        if process is None:
            runtime().drop(ref, message, "cast to a dead server")
            return SENT
        if process.behaviour is not self.owner:
            self.check_server(ref, process)
        process.mailbox.offer(Cast(message))
        return SENT


async def cast_when_room(process: Process | None, ref: object, message: object) -> None:
    """Cast to a process as soon as its mailbox has room; to nobody the message is dropped."""
    if process is None:
        runtime().drop(ref, message, "cast to a dead server")
        await checkpoint()
    else:
        await put_when_room(process, ref, message, Cast(message))


METHODS.update([CallMethod, DeferredMethod, CastMethod])
METHODS.add(vars(CallMethod)["_send"].__code__)  # the same in each copy that has a name
METHODS.add(vars(CastMethod)["wait"].__code__)


def _own_pid(instance: object) -> Pid:
    process = own_process()
    if process is None or process.behaviour is not type(instance):
        name = type(instance).__name__
        raise NotAProcess(f"a {name} object is the inside of a server; write {name}.at(ref)")
    return process.pid
