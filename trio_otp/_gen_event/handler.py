"""What an event handler is: its base class, what its callbacks return, what others hear of it.

See `trio_otp.gen_event` for an example and for the functions that put handlers into a manager.
Follows: Erlang's `gen_event`, section "Callback Functions".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypeGuard, cast

from .._behaviour.class_checks import check_members, new_members, refuse_options
from .._behaviour.info_methods import enter_info_methods
from .._behaviour.messages import log_unexpected
from .._behaviour.shows_status import ShowsStatus
from .._exits.errors import NoCallback, SpecError
from .._exits.reasons import NORMAL
from .._gen_server.client import OWN
from .._process.mailbox import Notification
from .._process.runtime import need_process
from .._process.signals import Exit
from .._util.bounded import Printable, bounded
from .._util.private import enter_private
from .._util.public import public
from .._util.unset import UNSET
from .client import HandlerClient

if TYPE_CHECKING:
    from .._process.names import Ref
    from .._process.pid import Pid

HandlerKey: TypeAlias = "type[GenEvent] | tuple[type[GenEvent], Any]"


@public
class GenEvent(ShowsStatus):
    """The base class of event handlers; override the callbacks you need.

    The object is the state. Its constructor runs where you make it, every callback, `def` or
    `async def`, in the process of the event manager. A callback that raises, or returns what it
    may not, takes its own handler out of the manager; the others go on.
    """

    info_methods: ClassVar[dict[type[Any], str]] = {}  # {message type: method of `on_info`}
    is_handler: ClassVar[bool] = True
    _is_installed = False  # while a manager has it

    def __init_subclass__(cls, **options: Any) -> None:
        """Check the class and enter its methods of `on_info`.

        Raises:
            SpecError: the class has options, or a method that a handler cannot have.
        """
        super().__init_subclass__()
        enter_private(cls, SpecError)
        refuse_options(cls, options, "an event handler is not a child and takes no options")
        members = new_members(cls, GenEvent)
        check_members(cls, members, ("gen_server",))
        cls.info_methods = enter_info_methods(cls, members)

    @classmethod
    def at(cls, ref: Ref, *, id: Any = None, timeout: float | None = OWN) -> Self:
        """Return a typed client: the `on_call` methods of the class, sent to a handler.

        Args:
            ref: the event manager.
            id: the id of the handler, if it was added with one.
            timeout: seconds, as of `GenServer.at`.

        Raises:
            TypeError: `ref` is not a reference.
            ValueError: `timeout` is not a number of seconds >= 0.
        """
        return cast("Self", HandlerClient(cls, ref, id, timeout))

    def init(self) -> Any:
        """Prepare, in the manager, which does nothing else until it is over.

        Returns:
            None, or `Stop(reason)` to refuse: the process that adds it gets `StartError(reason)`.
        """

    def init_swapped(self, result: object) -> Any:
        """Prepare in place of another handler. If not overridden, this is `init`.

        Args:
            result: what `terminate` of the other handler returned; `HandlerCrashed` if it raised,
                `NoHandler` if there was none.

        Returns:
            As of `init`.
        """
        return self.init()

    def handle_event(self, event: Any) -> Any:
        """Take an event of `notify` or `sync_notify`.

        Args:
            event: what was notified; every handler gets this very object.

        Returns:
            None, `RemoveHandler()` or `SwapHandler(new)`.

        Raises:
            NoCallback: it is not overridden; the handler is removed.
        """
        raise NoCallback("handle_event", self, event)

    def handle_call(self, request: Any) -> Any:
        """Answer `gen_event.call`.

        Args:
            request: what the caller sent.

        Returns:
            `Reply(value)`, `RemoveHandler(reply=value)` or `SwapHandler(new, reply=value)`.

        Raises:
            NoCallback: it is not overridden; the handler is removed.
        """
        raise NoCallback("handle_call", self, request)

    def handle_info(self, message: Any) -> Any:
        """Take a plain message; each one goes to every handler.

        A handler that does not override it logs what it did not expect, and stays. The `Exit` of
        an owner of handlers it expects.

        Args:
            message: what arrived; a method of `on_info` gets it if its type fits.

        Returns:
            As of `handle_event`.
        """
        for kind in type(message).__mro__:
            if kind in self.info_methods:
                return getattr(self, self.info_methods[kind])(message)
        if not isinstance(message, Exit):
            log_unexpected(need_process("handle_info"), message)
        return None

    def terminate(self, reason: object) -> Any:
        """Clean up. Called once, whenever the handler leaves the manager, but for a kill of that.

        Args:
            reason: what `delete_handler` or a swap brought; NORMAL after `RemoveHandler()`,
                SHUTDOWN when the manager ends, `OwnerExited(reason)` when the owner has ended,
                the exception of a crash.

        Returns:
            Anything: `delete_handler` gives it, a swap hands it to `init_swapped` of the new one.
        """


@public
@dataclass(frozen=True, slots=True, repr=False)
class RemoveHandler(Printable):
    """A handler returns it to leave its manager; `terminate` gets NORMAL.

    Args:
        reply: the answer, if a call is in hand.
    """

    reply: Any = UNSET


@public
@dataclass(frozen=True, slots=True, repr=False)
class SwapHandler(Printable):
    """A handler returns it to give its place to another.

    Args:
        new: the other handler.
        reason: what the `terminate` of the old one gets.
        id: the id of the new one, if it is to have one.
        reply: the answer, if a call is in hand.
    """

    new: GenEvent
    reason: object = NORMAL
    id: Any = None
    reply: Any = UNSET


@public
@dataclass(frozen=True, slots=True, repr=False)
class HandlerExit(Notification):
    """The message to the owner of a supervised handler that has left its manager.

    Args:
        manager: the event manager.
        handler: the handler's class, or `(class, id)`.
        reason: NORMAL if it was deleted or removed itself, SHUTDOWN if the manager ends,
            `Swapped(handler, owner)`, or why it crashed.
    """

    manager: Pid
    handler: HandlerKey
    reason: object


@public
@dataclass(frozen=True, slots=True, repr=False)
class Swapped(Printable):
    """The reason of a `HandlerExit` after a swap: which handler came, and who owns that.

    Args:
        handler: the class of the new handler, or a tuple of class and id.
        owner: the process that owns the new handler; None if nobody does.
    """

    handler: HandlerKey
    owner: Pid | None


@public
@dataclass(frozen=True, slots=True, repr=False)
class OwnerExited(Printable):
    """What `terminate` of a supervised handler gets when its owner has ended, and why that did.

    Args:
        reason: the exit reason of the owner.
    """

    reason: object


def check_handler(handler: object, name: str = "handler") -> None:
    """Refuse what is no handler object, saying what is."""
    if isinstance(handler, GenEvent):
        return
    hint = f"; write {handler.__name__}()" if _is_handler_class(handler) else ""
    raise TypeError(f"{name}={bounded(handler)}: expected an instance of a GenEvent class{hint}")


def split_key(key: Any, name: str = "handler") -> tuple[type[GenEvent], Any]:
    """Return the class and the id of a handler; refuse what names none."""
    kind, id = key if key.__class__ is tuple and len(key) == 2 else (key, None)
    if _is_handler_class(kind):
        return kind, id
    hint = f"; write {type(kind).__name__}" if isinstance(kind, GenEvent) else ""
    accepted = "a GenEvent class or (class, id)"
    raise TypeError(f"{name}={bounded(key)}: expected {accepted}{hint}")


def _is_handler_class(value: object) -> TypeGuard[type[GenEvent]]:
    return isinstance(value, type) and issubclass(value, GenEvent)
