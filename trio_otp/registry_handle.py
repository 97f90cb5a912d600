"""The handle of a registry: what a program does with names.

`otp.registry(name)` makes one, at module level if you like; it finds the registry at every use.
See `trio_otp.registry` for an example and for when to use it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from .exits import NoProcess
from .names import check_reference, find
from .registry import NotRegistered, Registry, Valued
from .registry_table import Entry, strict_key
from .runtime import need_process

if TYPE_CHECKING:
    from .names import Ref, Via
    from .process import Pid

Entries: TypeAlias = "list[tuple[Pid[Any], Any]]"
Where: TypeAlias = Callable[[Any, "Pid[Any]", Any], bool]


def registry(name: Ref) -> RegistryHandle:
    """Give the handle of a registry; it need not run yet.

    Args:
        name: its name, or any other reference to its process.

    Raises:
        TypeError: `name` is no reference.
    """
    check_reference(name)
    return RegistryHandle(name)


@dataclass(frozen=True, slots=True)
class RegistryHandle:
    """A registry, looked up by its name at every use.

    Every function raises `NoProcess` if the registry does not run. Reading leaves out processes
    that are dead or about to be. Keys are hashable values; 1, 1.0 and True are three keys.
    """

    name: Ref
    frees_names: ClassVar[bool] = True

    def via(self, key: Any, value: Any = None) -> Via:
        """Give the reference to whoever has a key, to be used as a name or to reach a process.

        Args:
            key: the key, of a registry with unique keys.
            value: what is registered beside the key by a process that takes the name.

        Follows: `{:via, Registry, {name, key, value}}`.
        """
        return ("via", self.name, key if value is None else Valued(key, value))

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
        """Give up a key of the running process, with all its entries; unknown keys are ignored.

        Args:
            key: a key this process has.

        Raises:
            NotAProcess: in plain Trio code.

        Follows: `Registry.unregister/2`.
        """
        process = need_process(f"otp.registry({self.name!r}).unregister")
        self._server().remove(process, key)

    def unregister_match(self, key: Any, pattern: Any) -> None:
        """Give up those entries of the running process under a key whose value matches.

        Args:
            key: the key.
            pattern: as in `match`.

        Raises:
            NotAProcess: in plain Trio code.

        Follows: `Registry.unregister_match/3`.
        """
        process = need_process(f"otp.registry({self.name!r}).unregister_match")
        self._server().remove(process, key, _matcher(pattern))

    def update_value(self, key: Any, change: Callable[[Any], Any]) -> tuple[Any, Any]:
        """Change the value beside a key of the running process.

        Args:
            key: a key this process has.
            change: gets the value and gives the new one.

        Returns:
            The new value and the old one.

        Raises:
            NotRegistered: the key is not this process's own.
            ValueError: the registry has duplicate keys.
            NotAProcess: in plain Trio code.

        Follows: `Registry.update_value/3`.
        """
        process = need_process(f"otp.registry({self.name!r}).update_value")
        server = self._server()
        server.need_unique("update_value")
        for entry in server.table.held(process, key):
            old, entry.value = entry.value, change(entry.value)
            return entry.value, old
        raise NotRegistered(key, process.pid)

    # -- reading -------------------------------------------------------------------------------

    def lookup(self, key: Any) -> Entries:
        """List who has a key: `(pid, value)`, in a unique registry one pair or none.

        Args:
            key: the key.

        Follows: `Registry.lookup/2`.
        """
        return _pairs(self._living(key))

    def match(self, key: Any, pattern: Any) -> Entries:
        """List who has a key with a value that matches: `(pid, value)`.

        Args:
            key: the key.
            pattern: a function that tells whether a value is wanted, or a value to be equal to.

        Follows: `Registry.match/3`.
        """
        matches = _matcher(pattern)
        return _pairs([entry for entry in self._living(key) if matches(entry.value)])

    def count_match(self, key: Any, pattern: Any) -> int:
        """Count what `match` lists.

        Args:
            key: the key.
            pattern: as in `match`.

        Follows: `Registry.count_match/3`.
        """
        return len(self.match(key, pattern))

    def keys(self, ref: Ref) -> list[Any]:
        """List the keys of a process; one that it has registered twice comes twice.

        Args:
            ref: the process.

        Follows: `Registry.keys/2`.
        """
        process, server = find(ref), self._server()
        return [] if process is None else [entry.key for entry in server.table.of(process)]

    def values(self, key: Any, ref: Ref) -> list[Any]:
        """List the values a process has beside a key.

        Args:
            key: the key.
            ref: the process.

        Follows: `Registry.values/3`.
        """
        process, server = find(ref), self._server()
        if process is None:
            return []
        return [entry.value for entry in server.table.held(process, key)]

    def select(self, where: Where | None = None) -> list[tuple[Any, Pid[Any], Any]]:
        """List all entries as `(key, pid, value)`.

        Args:
            where: a function of key, pid and value that tells whether an entry is wanted.

        Follows: `Registry.select/2`.
        """
        server = self._server()
        found = [(e.key, e.owner.pid, e.value) for e in server.living(server.table)]
        return found if where is None else [entry for entry in found if where(*entry)]

    def count(self) -> int:
        """Count all entries. Follows: `Registry.count/1`."""
        server = self._server()
        return sum(1 for entry in server.table if entry.owner.alive)

    # -- messages ------------------------------------------------------------------------------

    def send(self, key: Any, message: Any) -> int:
        """Send a plain message to everybody who has a key.

        Args:
            key: the key.
            message: what they get by `receive` or in `handle_info`; one that is registered twice
                gets it twice.

        Returns:
            How many messages were sent; 0 if nobody has the key.
        """
        return self._server().send(key, message)

    def dispatch(self, key: Any, function: Callable[[Entries], object]) -> None:
        """Call a function with everybody who has a key; not at all if there is nobody.

        Args:
            key: the key.
            function: gets `(pid, value)` pairs; it runs here, and what it raises is raised here.

        Raises:
            TypeError: it is an `async def`; write `for pid, value in registry.lookup(key): ...`.

        Follows: `Registry.dispatch/3`.
        """
        entries = self.lookup(key)
        if not entries:
            return
        result = function(entries)
        if isinstance(result, CoroutineType):
            result.close()
            raise TypeError(
                f"function={function!r}: accepted is a plain function; in async code write "
                "for pid, value in registry.lookup(key): ..."
            )

    # -- metadata ------------------------------------------------------------------------------

    def put_meta(self, key: Any, value: Any) -> None:
        """Keep a value with the registry itself, until it ends.

        Args:
            key: any hashable value; keys of entries are others.
            value: what `meta` gives.

        Follows: `Registry.put_meta/3`.
        """
        self._server().metadata[strict_key(key)] = value

    def meta(self, key: Any) -> Any:
        """Give a value of `put_meta`.

        Args:
            key: as of `put_meta`.

        Raises:
            KeyError: there is none.

        Follows: `Registry.meta/2`.
        """
        metadata, strict = self._server().metadata, strict_key(key)
        if strict not in metadata:
            raise KeyError(key)
        return metadata[strict]

    def delete_meta(self, key: Any) -> None:
        """Forget a value of `put_meta`, if there is one.

        Args:
            key: as of `put_meta`.

        Follows: `Registry.delete_meta/2`.
        """
        self._server().metadata.pop(strict_key(key), None)

    # -- the via protocol, so that ("via", handle, key) is a reference as well -----------------

    def register_name(self, key: Any, pid: Pid[Any]) -> bool:
        """Take a key for a process; False if a living one has it."""
        return self._server().register_name(key, pid)

    def unregister_name(self, key: Any) -> None:
        """Give up a key of the running process."""
        self._server().unregister_name(key)

    def whereis_name(self, key: Any) -> Pid[Any] | None:
        """Tell who has a key, also if it is about to die."""
        server = self._find()
        return None if server is None else server.whereis_name(key)

    # -- inside --------------------------------------------------------------------------------

    def _find(self) -> Registry | None:
        process = find(self.name)
        if process is None or (process.instance is None and process.starting is not None):
            return None
        if not isinstance(process.instance, Registry):
            raise TypeError(f"name={self.name!r}: accepted is the name of a registry")
        return process.instance

    def _server(self) -> Registry:
        server = self._find()
        if server is None:
            error = NoProcess(self.name)
            error.add_note("Start it with otp.child(otp.Registry, keys=...).having(name=...).")
            raise error
        return server

    def _living(self, key: Any) -> list[Entry]:
        server = self._server()
        return server.living(server.table.under(key))


def _pairs(entries: list[Entry]) -> Entries:
    return [(entry.owner.pid, entry.value) for entry in entries]


def _matcher(pattern: Any) -> Callable[[Any], bool]:
    if callable(pattern):
        return pattern  # type: ignore[no-any-return]
    return lambda value: bool(value == pattern)
