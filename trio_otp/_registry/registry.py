"""Registry: names of any kind for processes, one holder per key or many, with a value each.

**Why.** Plain names are few and fixed. Keys are any values, as `("room", 1)`, come and go with the
processes that have them, and with duplicate keys a topic has any number of subscribers.

**Client and server side.** `otp.registry(name)` is a handle that can be made before anything runs;
it finds the registry at every use. Most of its functions read and write the tables at once, without
a message. A process registers *itself*; its entries are gone before anybody hears of its death.
With `keys="duplicate"` many processes share a key: `ROOMS.send(topic, message)` is a local
publish-subscribe, and plain Trio code reads a topic in `async with ROOMS.subscribe(topic) as
channel`. `async with ROOMS.lock(key)` lets one task at a time into a block.

**Supervise** it as any other child, put before those who register. A process that has registered is
linked to the registry while it holds a key: it dies with the registry, unless it traps exits,
because a key that others rely on would be lost. `links=False` leaves the link away; then its
entries are lost in silence when the registry is restarted.

**When not to use it.** For one well-known process a plain name is enough. For sets of processes
that others put together, and follow, there is `otp.pg`.

The file is long by the docstrings of what is both the behaviour and its functions.

Follows: Elixir's `Registry`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import Behaviour
from .._behaviour.messages import log_unexpected
from .._behaviour.results import refuse_call
from .._exits.errors import AlreadyRegistered, OtpError
from .._exits.reasons import SHUTDOWN
from .._gen_server.server import GenServer
from .._process.mailbox import Notification
from .._process.name_watchers import tell_key
from .._process.names import Ref, check_reference, find_living, send_to_all
from .._process.runtime import need_process, runtime
from .._process.signals import Exit
from .._util.bounded import bounded
from .._util.checks import check_choice, check_flag
from .._util.public import public
from .._util.user_code import matches
from ..events import NoticeReport
from .lock import Locks
from .table import RegistryEntry, RegistryTable, strict_key

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.request import From

Keys: TypeAlias = (
    Literal["unique", "duplicate"] | tuple[Literal["duplicate"], Literal["key", "pid"]]
)
KEYS: Final[tuple[Any, ...]] = (
    "unique",
    "duplicate",
    ("duplicate", "key"),
    ("duplicate", "pid"),
)


@public
@dataclass(frozen=True, slots=True, repr=False)
class Registered(Notification):
    """What a listener of a registry gets when a process has registered a key.

    Args:
        registry: the name of the registry.
        key: the key.
        pid: the process.
        value: what it registered under the key.
    """

    registry: object
    key: Any
    pid: Pid
    value: Any


@public
@dataclass(frozen=True, slots=True, repr=False)
class Unregistered(Notification):
    """What a listener of a registry gets when a process has given a key up, other than by death.

    Args:
        registry: the name of the registry.
        key: the key.
        pid: the process.
    """

    registry: object
    key: Any
    pid: Pid


@public
class KeyNotRegistered(OtpError, LookupError):
    """The key does not belong to the process that wants to change it."""

    def __init__(self, key: object, pid: Pid) -> None:
        super().__init__(f"{bounded(key)} is not registered by {pid!r}")
        self.key = key
        self.pid = pid


@public  # for pickles, which find it under this name
@dataclass(frozen=True, slots=True)
class _Valued:
    """The key of a via tuple that brings a value; it is shown as the key alone."""

    key: Any
    value: Any = field(compare=False)  # the same reference, whatever its value

    def __repr__(self) -> str:
        return repr(self.key)

    def _without_value(self) -> Any:
        """Return the key under which watchers of the name are kept."""
        return self.key


@public
class Registry(GenServer):
    """The process behind a registry; use it through `otp.registry(name)`.

    Args:
        keys: `unique`, one holder per key, or `duplicate`, any number of them. OTP's
            `("duplicate", "key")` and `("duplicate", "pid")` are `duplicate`.
        listeners: references of processes that get `Registered` and `Unregistered` messages for
            every change but those by death.
        meta: what `RegistryHandle.meta` finds at first.
        links: whether holders are linked to the registry while they have a key.

    >>> import trio, trio_otp as otp
    >>> ROOMS = otp.registry("rooms")
    >>> class Room(otp.GenServer):
    ...     def __init__(self, topic: str) -> None:
    ...         self.topic = topic
    ...     @otp.on_call
    ...     def get_topic(self) -> str:
    ...         return self.topic
    >>> async def main():
    ...     registry = otp.child(otp.Registry, keys="unique").having(name="rooms")
    ...     kitchen = otp.child(Room, "soup").having(name=ROOMS.via(("room", 1)))
    ...     async with otp.open_supervisor([registry, kitchen]):
    ...         print(await Room.at(ROOMS.via(("room", 1))).get_topic(), ROOMS.count())
    >>> trio.run(main)
    soup 1
    """

    child_type: ClassVar[str] = "supervisor"  # as in OTP, so that it gets the time to end
    frees_names: ClassVar[bool] = True  # it notices the deaths of its holders itself
    _tells_names: ClassVar[bool] = True  # watchers are notified when a name is given or freed

    def __init__(
        self,
        keys: Keys = "unique",
        *,
        listeners: Iterable[Ref] = (),
        meta: Mapping[Any, Any] | None = None,
        links: bool = True,
    ) -> None:
        check_choice("keys", keys, KEYS)
        check_flag("links", links, error=ValueError)
        self.keys = "unique" if keys == "unique" else "duplicate"
        self.links = links
        if isinstance(listeners, str) or not isinstance(listeners, Iterable):
            raise TypeError(
                f"listeners={bounded(listeners)}: expected a list of references; "
                f"write [{bounded(listeners)}]"
            )
        self.listeners: tuple[Ref, ...] = tuple(listeners)
        for listener in self.listeners:
            check_reference(listener)
        self.table: RegistryTable = RegistryTable()
        self.metadata: dict[Hashable, Any] = {
            strict_key(key): value for key, value in (meta or {}).items()
        }
        self.locks: Locks = Locks()
        self._linked: dict[Process, bool] = {}  # {holder of a key: whether we made the link}
        self.process: Process

    def init(self) -> None:
        """Trap exits: the death of a holder is its holder's affair."""
        self.process = need_process("Registry")
        self.process.trap_exit = True
        self.process.add_cleanup(self._close)

    def handle_call(self, request: Any, from_: From[Any]) -> Any:
        """Refuse a call, as a supervisor does: it would end every holder of a key."""
        return refuse_call("Registry", request)

    def handle_cast(self, message: Any) -> Any:
        """Log a cast, as a supervisor does."""
        log_unexpected(self.process, message)

    def handle_info(self, message: Any) -> Any:
        """Pass over exit signals, as a supervisor does; log what is not expected."""
        return None if isinstance(message, Exit) else super().handle_info(message)

    @enable_ki_protection
    def terminate(self, reason: object) -> None:
        """End the holders with SHUTDOWN, however quiet the end of the registry is."""
        for process, linked in list(self._linked.items()):
            if linked:
                process.remove_link(self.process)
                process.signal(self.process.pid, SHUTDOWN, linked=True)

    def _status(self) -> Any:
        """Show the size, not the tables."""
        return {"keys": self.keys, "holders": len(self._linked)}

    def _sys_replace(self, state: object) -> Behaviour:
        return Behaviour._sys_replace(self, state)  # what holds its keys refers to this instance

    # -- the via protocol ----------------------------------------------------------------------

    def register_name(self, key: Any, pid: Pid) -> bool:
        """Take a key for a process; False if a living one has it."""
        process = pid._process
        if process is None:
            return False
        key, value = _split(self._named(key))
        try:
            self.add(process, key, value)
        except AlreadyRegistered:
            return False
        return True

    def unregister_name(self, key: Any) -> None:
        """Unregister a key of the running process."""
        self.remove(need_process("unregister_name"), _split(self._named(key))[0])

    def whereis_name(self, key: Any) -> Pid | None:
        """Return the holder of a key, also if it is about to die."""
        entries = self.table.under(_split(self._named(key))[0])
        pid: Pid | None = entries[0].owner.pid if entries else None
        return pid

    def _may_mean(self, key: object) -> tuple[Any, list[Any]]:
        """Return a key that nobody has, and what may be meant by it."""
        return key, self.table.some_keys()

    def send(self, key: Any, message: Any) -> int:
        """Send a plain message to the holders of a key; return how many have taken it."""
        return send_to_all((entry.owner for entry in self.table.under(_split(key)[0])), message)

    def _named(self, key: object) -> Any:
        self.need_unique("a via name")
        return key

    # -- entries -------------------------------------------------------------------------------

    def need_unique(self, what: str) -> None:
        """Refuse what only a unique registry can do."""
        if self.keys != "unique":
            raise ValueError(f"{what} needs a registry with keys='unique', not {self.keys!r}")

    def living(self, entries: Iterable[RegistryEntry]) -> list[RegistryEntry]:
        """Leave out the entries of those who are about to die."""
        return [entry for entry in entries if entry.owner.alive]

    @enable_ki_protection
    def add(self, process: Process, key: Any, value: Any) -> None:
        """Add an entry.

        Raises:
            AlreadyRegistered: the registry is unique and a living process has the key.
        """
        if self.keys == "unique":
            self._make_room(key)
        self.table.add(process, key, value)
        self._hold(process)
        self._tell_name("name_taken", process, key)
        self._tell(Registered(self.process.name, key, process.pid, value))

    @enable_ki_protection
    def remove(
        self, process: Process, key: Any, match: Callable[[Any], bool] | None = None
    ) -> None:
        """Remove entries of a process, and the link if those were its last."""
        if match is not None:
            match = partial(matches, match)
        was_held = bool(self.table.held(process, key))
        if self.table.take(process, key, match):
            self._release(process)
            if was_held:
                self._tell_name("name_freed", process, key)
            self._tell(Unregistered(self.process.name, key, process.pid))

    def _make_room(self, key: object) -> None:
        for entry in self.table.under(key):
            if entry.owner.alive:
                raise AlreadyRegistered(key, entry.owner.pid)
            self.table.take(entry.owner, key)
            self._release(entry.owner)
            self._tell_name("name_freed", entry.owner, key)

    def _hold(self, process: Process) -> None:
        """Watch and link a holder, once."""
        if process in self._linked:
            return
        known = process is self.process or process in (self.process.links or ())
        link = self.links and not known
        self._linked[process] = link
        if link:
            process.add_link(self.process)
        process.add_cleanup(self._holder_died)

    def _release(self, process: Process) -> None:
        """Release a holder that has no keys left."""
        if process in self.table or process not in self._linked:
            return
        process.remove_cleanup(self._holder_died)
        if self._linked.pop(process):
            process.remove_link(self.process)

    def _holder_died(self, process: Process) -> None:
        freed = self.table.of(process)
        self.table.drop(process)
        self._release(process)
        for entry in freed:
            self._tell_name("name_freed", process, entry.key)

    def _close(self, _: Process) -> None:
        """Release all holders at the end of the registry; those that trap exits live on."""
        for process in self._linked:
            process.remove_cleanup(self._holder_died)
        for entry in self.table:
            self._tell_name("name_freed", entry.owner, entry.key)
        self.locks.close(self.process.name or self.process.pid, self.process.exit_reason)

    def _tell_name(self, event: str, process: Process, key: object) -> None:
        """Tell listeners that a process has a key as a name from now on, or no more."""
        if self.keys == "unique":
            name = ("via", self.process.name or self.process.pid, key)
            process.runtime.events.emit(event, name, process.pid)
            if process.runtime.name_watchers:
                tell_key(process.runtime, key)

    def _tell(self, message: Registered | Unregistered) -> None:
        for listener in self.listeners:
            process = _find_listener(listener)
            if process is None:
                runtime().drop(listener, message, "listener of a registry is not there")
            else:
                process.mailbox.put(message)


def _find_listener(listener: Ref) -> Process | None:
    """Resolve a listener; the error of a foreign registry must not hurt the one that registers."""
    try:
        return find_living(listener)
    except Exception as exc:
        text = f"a registry could not resolve its listener {bounded(listener)}: {bounded(exc)}"
        runtime().events.emit("notice", NoticeReport(None, text))
        return None


def _split(key: object) -> tuple[Any, Any]:
    return (key.key, key.value) if isinstance(key, _Valued) else (key, None)
