"""What `GenServer.at` gives: the decorated methods of a class, sent to one server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from .._process.names import check_reference
from .._util.checks import check_timeout, did_you_mean
from .._util.copies import Handle
from .._util.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.names import Ref


OWN: Final[Any] = UNSET  # as a time-out: that of each method
_keep: Final = object.__setattr__  # what a client has of its own


class Client(Handle):
    """What `GenServer.at` gives. It has the decorated methods of the class and nothing else."""

    __slots__ = ("__dict__", "_class", "_timeout", "ref")
    _class: type[Any]
    _timeout: object
    ref: Ref

    def __init__(self, server_class: type[Any], ref: Ref, timeout: object) -> None:
        check_reference(ref)
        if timeout is not OWN:
            check_timeout("timeout", timeout)
        _keep(self, "_class", server_class)
        _keep(self, "_timeout", timeout)  # of each call, in the place of that of the method
        _keep(self, "ref", ref)

    def __getattr__(self, name: str) -> Any:
        method: Any = getattr(self._class, name, None)
        if is_sent(method):
            bound = self.__dict__[name] = method.bind(self.ref, timeout=self._timeout)
            return bound
        raise no_method(self._class, name, is_sent)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse what would look like a change of the server's state; a test may replace a method.

        Raises:
            AttributeError: it is not the name of a method that the client sends.
        """
        if not is_sent(getattr(self._class, name, None)):
            raise AttributeError(
                f"a client of {self._class.__name__} takes no {name!r}: it sends messages, and the "
                "state is the server's; change it in a method with @otp.on_call or @otp.on_cast"
            )
        super().__setattr__(name, value)

    def __reduce_ex__(self, _: object) -> Any:
        # It is as good elsewhere as its reference is.
        return partial(self._class.at, timeout=self._timeout), (self.ref,)

    def __repr__(self) -> str:
        return f"<client of {self._class.__name__} at {self.ref!r}{shown_limit(self._timeout)}>"


def shown_limit(timeout: object) -> str:
    """Return what the repr of a client tells of its time-out."""
    return "" if timeout is OWN else f" timeout={timeout!r}"


def no_method(cls: type[Any], name: str, sends: Callable[[Any], bool]) -> AttributeError:
    """Return an error for a method that a client does not have, naming those it has.

    Args:
        cls: the class of the server or handler.
        name: what was asked for.
        sends: tells a method that the client sends.
    """
    from .._behaviour.published import is_published  # noqa: PLC0415  (only this error needs it)

    member = getattr(cls, name, None)
    known = [key for key in dir(cls) if sends(getattr(cls, key, None))]
    has = f"it has {', '.join(known) or 'no decorated methods'}"
    if name in getattr(cls, "info_methods", {}).values():
        has = "it handles plain messages; write otp.send(ref, message)"
    elif is_published(member):
        has = f"to follow it write otp.watch(ref, {cls.__name__}.{name})"
    elif callable(member) and not hasattr(object, name) and not hasattr(member, "otp_mark"):
        has = f"{cls.__name__}.{name} is a method without @otp.on_call or @otp.on_cast; {has}"
    text = f"a client of {cls.__name__} has no {name!r}; {has}{did_you_mean(name, known)}"
    return AttributeError(text)


def is_sent(method: object) -> bool:
    """Check whether it is a decorated method, which can be bound to a server and then sent.

    To ask with a protocol would take longer than to call the method.
    """
    return hasattr(method, "otp_mark") and hasattr(method, "bind")
