"""What a handle of a registry can read: who has which keys, with which values.

Part of `otp.RegistryHandle`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from .._exits.call_errors import NoProcess
from .._process.names import find_living, known_names, registry_text
from .._util.bounded import Printable, bounded
from .registry import Registry
from .table import RegistryEntry, strict_key

if TYPE_CHECKING:
    from .._process.names import Ref
    from .._process.pid import Pid

Entries: TypeAlias = "list[tuple[Pid, Any]]"
Where: TypeAlias = Callable[[Any, "Pid", Any], bool]


@dataclass(frozen=True, slots=True, repr=False)
class RegistryView(Printable):
    """The reading half of `RegistryHandle`."""

    name: Ref

    def lookup(self, key: object) -> Entries:
        """List who has a key: `(pid, value)`, in a unique registry one pair or none.

        Args:
            key: the key.

        Follows: `Registry.lookup/2`.
        """
        return _pairs(self._living(key))

    def match(self, key: object, pattern: object) -> Entries:
        """List who has a key with a value that matches: `(pid, value)`.

        Args:
            key: the key.
            pattern: a function that tells whether a value is wanted, or a value to be equal to.

        Follows: `Registry.match/3`.
        """
        matches = matcher(pattern)
        return _pairs([entry for entry in self._living(key) if matches(entry.value)])

    def count_match(self, key: object, pattern: object) -> int:
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
        process, server = find_living(ref), self._server()
        return [] if process is None else [entry.key for entry in server.table.of(process)]

    def values(self, key: object, ref: Ref) -> list[Any]:
        """List the values a process has beside a key.

        Args:
            key: the key.
            ref: the process.

        Follows: `Registry.values/3`.
        """
        process, server = find_living(ref), self._server()
        if process is None:
            return []
        return [entry.value for entry in server.table.held(process, key)]

    def select(self, where: Where | None = None) -> list[tuple[Any, Pid, Any]]:
        """List all entries as `(key, pid, value)`.

        Args:
            where: a function of key, pid and value that tells whether an entry is wanted.

        Follows: `Registry.select/2`.
        """
        if where is not None:
            check_plain("where", where, "a function of key, pid and value")
        server = self._server()
        found = [(e.key, e.owner.pid, e.value) for e in server.living(server.table)]
        return found if where is None else [entry for entry in found if where(*entry)]

    def count_select(self, where: Where | None = None) -> int:
        """Count what `select` lists.

        Args:
            where: as in `select`.

        Follows: `Registry.count_select/2`.
        """
        return len(self.select(where))

    def count(self) -> int:
        """Count all entries. Follows: `Registry.count/1`."""
        server = self._server()
        return sum(1 for entry in server.table if entry.owner.alive)

    def meta(self, key: object) -> Any:
        """Return a value of `put_meta`.

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

    # -- inside --------------------------------------------------------------------------------

    def _find(self) -> Registry | None:
        process = find_living(self.name)
        if process is None or (process.instance is None and process.starting is not None):
            return None
        if not isinstance(process.instance, Registry):
            raise TypeError(f"name={bounded(self.name)}: expected the name of a registry")
        return process.instance

    def _server(self) -> Registry:
        server = self._find()
        if server is None:
            error = NoProcess(self.name, text=registry_text(self.name), known=known_names())
            error.add_note("Start it with otp.child(otp.Registry, keys=...).having(name=...).")
            raise error
        return server

    def _living(self, key: object) -> list[RegistryEntry]:
        server = self._server()
        return server.living(server.table.under(key))


def _pairs(entries: list[RegistryEntry]) -> Entries:
    return [(entry.owner.pid, entry.value) for entry in entries]


def check_plain(name: str, function: object, accepted: str) -> None:
    """Refuse what is not a function, and an `async def`, whose result would be taken for an answer.

    Args:
        name: the argument.
        function: what was given for it.
        accepted: what it may be.

    Raises:
        TypeError: it is something else.
    """
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise TypeError(f"{name}={bounded(function)}: expected {accepted}, not an async def")


def matcher(pattern: Any) -> Callable[[Any], bool]:
    """Turn a pattern into a test of values: a function tells, another value has to be equal."""
    if callable(pattern):
        check_plain("pattern", pattern, "a value, or a function of one")
        return cast("Callable[[Any], bool]", pattern)
    return lambda value: bool(value == pattern)
