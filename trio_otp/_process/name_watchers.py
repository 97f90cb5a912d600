"""Who is told when a name is given or freed: by the places that give and free names.

These are `take_name`, `unregister` and the tables of a `Registry`. A death is not told here: who
follows a process hears of its end from the process. What a module of a user gives a name in is
not known, so watchers of such a name are notified whenever the init of any process is over.

What is told looks again. It is called in the task that gives the name, so it must not raise.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from trio.lowlevel import enable_ki_protection

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .runtime import Runtime

STARTED: Final = object()  # in the place of a name: whenever an init is over


def key_of(key: object) -> Hashable:
    """Return what stands in the table for a key of a registry."""
    alone = getattr(type(key), "_without_value", None)  # of a key that brings a value
    return "via", key if alone is None else alone(key)


@enable_ki_protection
def add_watcher(runtime: Runtime, name: Hashable, look: Callable[[], object]) -> None:
    """Call a function when a name is given or freed.

    Args:
        runtime: the tables of the run.
        name: an atom, what `key_of` gives, or STARTED.
        look: what is told.
    """
    runtime.name_watchers.setdefault(name, {})[look] = None


@enable_ki_protection
def remove_watcher(runtime: Runtime, name: Hashable, look: Callable[[], object]) -> None:
    """Stop calling it."""
    watchers = runtime.name_watchers[name]
    del watchers[look]
    if not watchers:
        del runtime.name_watchers[name]


@enable_ki_protection
def tell_name(runtime: Runtime, name: Any) -> None:
    """Notify the watchers of an atom."""
    for look in list(runtime.name_watchers.get(name, ())):
        look()


@enable_ki_protection
def tell_key(runtime: Runtime, key: object) -> None:
    """Notify the watchers of a key, of any registry."""
    with suppress(TypeError):  # a key of a user's module that is not hashable: nobody watches it
        tell_name(runtime, key_of(key))


@enable_ki_protection
def tell_started(runtime: Runtime) -> None:
    """Notify the watchers of names that a module of a user gives."""
    tell_name(runtime, STARTED)
