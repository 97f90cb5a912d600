"""The handle of a registry: what a program does with names.

`otp.registry(name)` makes one, at module level if you like; it finds the registry at every use.
See `trio_otp.registry` for an example and for when to use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, final

from trio.lowlevel import enable_ki_protection

from .._process.block import block
from .._process.names import check_reference
from .._process.runtime import need_process
from .._util.bounded import bounded
from .._util.copies import NoConstructor, create
from .._util.public import public
from .lock import release
from .registry import KeyNotRegistered, _Valued
from .subscription import subscription
from .table import strict_key
from .view import RegistryView, check_plain, matcher

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from .._process.names import Ref, Via
    from .._process.pid import Pid
    from .subscription import Subscription
    from .view import Entries

T = TypeVar("T")


@public
def registry(ref: Ref) -> RegistryHandle:
    """Return the handle of a registry; it need not run yet.

    Args:
        ref: its name, or any other reference to its process.

    Raises:
        TypeError: `ref` is not a reference.
    """
    check_reference(ref)
    return create(RegistryHandle, ref)


@final
@public
@dataclass(frozen=True, slots=True, repr=False)
class RegistryHandle(NoConstructor, RegistryView):
    """A registry, looked up by its name at every use.

    Every function raises `NoProcess` if the registry does not run. Reading leaves out processes
    that are dead or about to be. Keys are hashable values; 1, 1.0 and True are three keys.
    """

    _origin: ClassVar[str] = "otp.registry(ref) returns one"

    frees_names: ClassVar[bool] = True
    _tells_names: ClassVar[bool] = True

    def __reduce__(self) -> Any:
        return registry, (self.name,)

    def via(self, key: Any, value: Any = None) -> Via:
        """Return the reference to the holder of a key, to be used as a name or to reach a process.

        Args:
            key: the key, of a registry with unique keys.
            value: what is registered beside the key by a process that takes the name.

        Follows: `{:via, Registry, {name, key, value}}`.
        """
        return ("via", self.name, key if value is None else _Valued(key, value))

    def register(self, key: Any, value: Any = None) -> None:
        """Register the running process under a key, and link it to the registry.

        Args:
            key: any hashable value.
            value: what `lookup` and `dispatch` give beside the pid.

        Raises:
            AlreadyRegistered: keys are unique and a living process has it, perhaps this one.
            NotAProcess: in plain Trio code.

        Follows: `Registry.register/3`.
        """
        process = need_process(f"otp.registry({self.name!r}).register")
        self._server().add(process, key, value)

    def unregister(self, key: Any) -> None:
        """Unregister a key of the running process, with all its entries; unknown keys are ignored.

        Args:
            key: a key this process has.

        Raises:
            NotAProcess: in plain Trio code.

        Follows: `Registry.unregister/2`.
        """
        process = need_process(f"otp.registry({self.name!r}).unregister")
        self._server().remove(process, key)

    def unregister_match(self, key: Any, pattern: Any) -> None:
        """Unregister those entries of the running process under a key whose value matches.

        Args:
            key: the key.
            pattern: as in `match`.

        Raises:
            NotAProcess: in plain Trio code.

        Follows: `Registry.unregister_match/3`.
        """
        process = need_process(f"otp.registry({self.name!r}).unregister_match")
        self._server().remove(process, key, matcher(pattern))

    def update_value(self, key: Any, change: Callable[[Any], Any]) -> tuple[Any, Any]:
        """Change the value beside a key of the running process.

        Args:
            key: a key this process has.
            change: gets the value and gives the new one.

        Returns:
            The new value and the old one.

        Raises:
            KeyNotRegistered: the key is not this process's own.
            TypeError: `change` is no plain function.
            ValueError: the registry has duplicate keys.
            NotAProcess: in plain Trio code.

        Follows: `Registry.update_value/3`.
        """
        process = need_process(f"otp.registry({self.name!r}).update_value")
        server = self._server()
        server.need_unique("update_value")
        check_plain("change", change, "a function of the value")
        for entry in server.table.held(process, key):
            old, entry.value = entry.value, change(entry.value)
            return entry.value, old
        raise KeyNotRegistered(key, process.pid)

    # -- messages ------------------------------------------------------------------------------

    def send(self, key: Any, message: Any) -> int:
        """Send a plain message to everybody who has a key.

        Args:
            key: the key.
            message: what they get by `receive` or in `handle_info`; one that is registered twice
                gets it twice.

        Returns:
            How many have taken the message; 0 if nobody has the key. One whose mailbox has a bound
            and is full takes it only if an older one gives way; else it is dropped, and counted.
        """
        return self._server().send(key, message)

    def dispatch(self, key: Any, function: Callable[[Entries], T]) -> T | None:
        """Call a function with everybody who has a key; not at all if there is nobody.

        Args:
            key: the key.
            function: gets `(pid, value)` pairs; it runs here, and what it raises is raised here. If
                mailboxes have bounds, `otp.send` raises `MailboxFull`, so it says how many took
                what it sent.

        Returns:
            What the function returned; None if nobody has the key.

        Raises:
            TypeError: it is not a function, or an `async def`; for that write
                `for pid, value in registry.lookup(key): ...`.

        Follows: `Registry.dispatch/3`.
        """
        if not callable(function):
            raise TypeError(f"function={bounded(function)}: expected a function of the pairs")
        entries = self.lookup(key)
        if not entries:
            return None
        result = function(entries)
        if isinstance(result, CoroutineType):
            result.close()
            raise TypeError(
                f"function={bounded(function)}: expected a plain function; in async code write "
                "for pid, value in registry.lookup(key): ..."
            )
        return result

    @block("async with REG.subscribe(key) as channel: ...")
    @enable_ki_protection
    async def subscribe(
        self, key: Any, value: Any = None, *, max_buffer: float = 100
    ) -> AsyncGenerator[Subscription]:
        """Collect what is sent under a key while a block runs; for plain Trio code.

        `async with REG.subscribe("news") as channel: async for message in channel: ...`

        A publisher never waits: a message that finds the buffer full is dropped, and counted in
        `channel.dropped`. The key is free again when the block is left, and what was not read is
        dropped.

        Args:
            key: any hashable value; in a registry with unique keys nobody may have it.
            value: what `lookup` and `dispatch` give beside the pid of the subscription.
            max_buffer: how many messages may wait to be read; a whole number, or `math.inf`.

        Returns:
            A Trio channel to read from. Reading raises `ServerExited` once the registry has ended.

        Raises:
            AlreadyRegistered: keys are unique and a living process has it.
            NoProcess: the registry does not run.
            ValueError: `max_buffer` is not accepted.

        Follows: `Registry.register/3` by a process that receives.
        """
        async with subscription(self._server(), self.name, key, value, max_buffer) as channel:
            yield channel

    # -- locks ---------------------------------------------------------------------------------

    @block("async with REG.lock(key): ...")
    @enable_ki_protection
    async def lock(self, key: Any) -> AsyncGenerator[None]:
        """Hold a lock while a block runs; others that want it wait in the order they came.

        The block runs in the caller, a process or plain Trio code. The lock is given up however
        the block is left. Locks are none of the keys of entries. When the registry ends, a block
        that has begun runs on and keeps the lock: one that comes after the restart waits for it.

        Args:
            key: any hashable value.

        Raises:
            RuntimeError: this task holds the lock already.
            NoProcess: the registry does not run.
            ServerExited: it ended while this task waited.

        Follows: `Registry.lock/3`.
        """
        server = self._server()
        line = await server.locks.acquire(key, (self.name, server.process.name))
        try:
            yield
        finally:
            release(line)

    # -- metadata ------------------------------------------------------------------------------

    def put_meta(self, key: Any, value: Any) -> None:
        """Keep a value with the registry itself, until it ends.

        Args:
            key: any hashable value; keys of entries are others.
            value: what `meta` gives.

        Follows: `Registry.put_meta/3`.
        """
        self._server().metadata[strict_key(key)] = value

    def delete_meta(self, key: Any) -> None:
        """Forget a value of `put_meta`, if there is one.

        Args:
            key: as of `put_meta`.

        Follows: `Registry.delete_meta/2`.
        """
        self._server().metadata.pop(strict_key(key), None)

    # -- the via protocol, so that ("via", handle, key) is a reference as well -----------------

    def register_name(self, key: Any, pid: Pid) -> bool:
        """Take a key for a process; False if a living one has it."""
        return self._server().register_name(key, pid)

    def unregister_name(self, key: Any) -> None:
        """Unregister a key of the running process."""
        self._server().unregister_name(key)

    def whereis_name(self, key: Any) -> Pid | None:
        """Return the holder of a key, also if it is about to die."""
        server = self._find()
        return None if server is None else server.whereis_name(key)
