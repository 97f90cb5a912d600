"""Typed calls to one handler: what `GenEvent.at` gives."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard

from .checkpoints import checkpointed
from .client_methods import CallMethod, DeferredMethod
from .copies import Handle
from .event_commands import CallHandler, send_command
from .names import check_reference

if TYPE_CHECKING:
    from .event_handler import GenEvent
    from .names import Ref


class HandlerClient(Handle):
    """It has the `on_call` methods of a handler's class and nothing else."""

    __slots__ = ("_class", "_key", "ref")

    def __init__(self, handler_class: type[GenEvent], ref: Ref, id: Any) -> None:
        check_reference(ref)
        self._class = handler_class
        self._key = handler_class if id is None else (handler_class, id)
        self.ref = ref

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._class, name, None)
        if _is_call(method):
            return partial(self._send, method)
        known = [key for key in dir(self._class) if _is_call(getattr(self._class, key))]
        has = ", ".join(known) or "no on_call methods"
        raise AttributeError(f"a client of {self._class.__name__} has no {name!r}; it has {has}")

    def __reduce_ex__(self, _: object) -> Any:
        id = self._key[1] if isinstance(self._key, tuple) else None
        return HandlerClient, (self._class, self.ref, id)  # as good elsewhere as its reference is

    def __repr__(self) -> str:
        return f"<client of {self._class.__name__} in {self.ref!r}>"

    @checkpointed
    async def _send(self, method: CallMethod[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        method.check(None, *args, **kwargs)
        command = CallHandler(self._key, method.message(method, args, kwargs))
        return await send_command(self.ref, command, method.timeout)


def _is_call(method: object) -> TypeGuard[CallMethod[..., Any]]:
    """Tell a method of `on_call`; handlers answer at once, so there is no deferred one."""
    return isinstance(method, CallMethod) and not isinstance(method, DeferredMethod)
