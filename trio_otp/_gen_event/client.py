"""Typed calls to one handler: what `GenEvent.at` gives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from .._gen_server.client import OWN, no_method, shown_limit
from .._gen_server.methods import CallMethod, DeferredMethod
from .._process.checkpoints import checkpointed
from .._process.names import check_reference
from .._util.checks import check_timeout
from .._util.copies import Handle
from .commands import CallHandler, send_command

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._process.names import Ref


class HandlerClient(Handle):
    """It has the `on_call` methods of a handler's class and nothing else."""

    __slots__ = ("_class", "_key", "_timeout", "ref")

    def __init__(self, handler_class: type[Any], ref: Ref, id: Any, timeout: Any) -> None:
        check_reference(ref)
        if timeout is not OWN:
            check_timeout("timeout", timeout)
        self._timeout = timeout  # of each call, in the place of that of the method
        self._class = handler_class
        self._key = handler_class if id is None else (handler_class, id)
        self.ref = ref

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._class, name, None)
        if _is_call(method):
            return method.dressed(self._sender(method))
        raise no_method(self._class, name, _is_call)

    def __reduce_ex__(self, _: object) -> Any:
        id = self._key[1] if isinstance(self._key, tuple) else None
        # It is as good elsewhere as its reference is.
        return partial(self._class.at, id=id, timeout=self._timeout), (self.ref,)

    def __repr__(self) -> str:
        return f"<client of {self._class.__name__} in {self.ref!r}{shown_limit(self._timeout)}>"

    def _sender(self, method: CallMethod[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
        timeout = method.timeout if self._timeout is OWN else self._timeout

        @checkpointed
        async def send(*args: Any, **kwargs: Any) -> Any:
            method.check(args, kwargs)
            command = CallHandler(self._key, method.message(method, args, kwargs))
            return await send_command(self.ref, command, timeout)

        return send


def _is_call(method: object) -> TypeGuard[CallMethod[..., Any]]:
    """Check whether it is a method of `on_call`; handlers answer at once, none is deferred."""
    return isinstance(method, CallMethod) and not isinstance(method, DeferredMethod)
