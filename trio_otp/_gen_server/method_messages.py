"""What decorated methods send: a message knows its method, and runs it in the server.

A crash of a method shows in its traceback one frame of these between the loop and the method.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Protocol

import outcome

from .._behaviour.messages import Handled
from .._behaviour.results import NoReply, Reply
from .._exits.bare import publish, unwrap
from .._process.pid import Pid
from .._util.private import private_names, shown_arguments
from .._util.sent import Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import MappingProxyType

    from .._process.request import From
    from .method_signature import Outside

_NONE: Final[dict[str, Any]] = {}


class Method(Protocol):
    """What a message has to know of its method."""

    name: str
    function: Callable[..., Any]
    owner: type[Any]
    members: MappingProxyType[str, Any]  # of the owner
    outside: Outside  # how clients call it
    raises: tuple[type[Exception], ...]
    skip_abandoned: bool  # whether a call is left unhandled once its caller has given up

    def function_of(self, server: object) -> Callable[..., Any]:
        """Find the function by name on the class of the server, so that overrides work."""
        ...


class Message(Handled):
    """A call or cast of a decorated method, on its way."""

    __slots__ = ("args", "kwargs", "method")
    shows_arguments = True

    def __init__(self, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.method: Method = method
        self.args: tuple[Any, ...] = args
        self.kwargs: dict[str, Any] = kwargs or _NONE  # so that those who wait hold no empty ones

    def __repr__(self) -> str:
        private = private_names(self.method.owner)
        signature = self.method.outside.__signature__ if private else None
        return f"{self.method.name}({shown_arguments(private, signature, self.args, self.kwargs)})"

    def called(self) -> str:
        """Return the name of the method, and whether there are arguments."""
        return f"{self.method.name}({'...' if self.args or self.kwargs else ''})"

    def skips_abandoned(self) -> bool:
        """Check whether it is left unhandled once its caller has given up."""
        return self.method.skip_abandoned

    def run(self, server: Any, from_: From[Any] | None = None) -> Any:
        """Run the method: the function of that name on the class of the server."""
        method, kwargs = self.method, self.kwargs
        if server.__class__ is method.owner and method.members.get(method.name) is method:
            function = method.function  # as for most: neither inherited, overridden nor replaced
        else:
            function = method.function_of(server)
        if kwargs:
            return function(server, *self.args, **kwargs)
        return function(server, *self.args)


class CallMessage(Message):
    """A call of a method whose value is the reply."""

    __slots__ = ()
    gives_value = True


class RaisingMessage(CallMessage):
    """A call of a method that raises some errors in its caller."""

    __slots__ = ()

    def run(self, server: Any, from_: From[Any] | None = None) -> Any:
        """Run the method; an error of its `raises` is the answer."""
        try:
            value = super().run(server)
        except Exception as exc:
            if not self._is_answer(exc):
                raise
            return self._as_answer(exc)
        return self._caught(value) if value.__class__ is CoroutineType else value

    async def _caught(self, running: Coroutine[Any, Any, Any]) -> Any:
        try:
            return await running
        except Exception as exc:
            if not self._is_answer(exc):
                raise
            return self._as_answer(exc)  # not a name more: this frame is in its traceback

    def _is_answer(self, exc: Exception) -> bool:
        """Check whether an exception is an answer, and not a crash."""
        raises = self.method.raises
        return isinstance(exc, raises) or isinstance(unwrap(exc), raises)

    def _as_answer(self, exc: Exception) -> Reply[Any]:
        """Return the answer that an exception is."""
        bare = unwrap(exc)  # a nursery in the function must not turn an answer into a crash
        error = bare if isinstance(bare, self.method.raises) else exc
        return Reply(outcome.Error(publish(error)))


class DeferredMessage(Message):
    """A call of a method that is answered later, by the holder of its `From`."""

    __slots__ = ()

    def run(self, server: Any, from_: From[Any] | None = None) -> Any:
        """Run the method, which gets the `From`."""
        value = self.method.function_of(server)(server, from_, *self.args, **self.kwargs)
        return _awaited(value) if value.__class__ is CoroutineType else _deferred(value)


async def _awaited(running: Coroutine[Any, Any, Any]) -> Any:
    return _deferred(await running)


def _deferred(value: Any) -> Any:
    done = value is None or value.__class__ in (bool, Pid, Sent)  # of reply, reply_from_task
    return NoReply() if done else value
