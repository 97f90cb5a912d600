"""Follows a reference: to a process from the end of its init to its death, and to the next one.

It has no task. What may change where the reference leads calls `look`, which finds out: the place
that gives and frees names, the process when its init is over and when it dies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio.lowlevel import enable_ki_protection

from .._process.name_watchers import STARTED, add_watcher, key_of, remove_watcher
from .._process.names import check_name, find_living, is_atom, is_via, need_living, via_module
from .._process.runtime import runtime
from .._util.unset import UNSET

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from .._process.names import Ref
    from .._process.process import Process


class Follower:
    """Follows one reference, from `open` to `close`.

    Args:
        ref: a name, which leads to one process after another, or a pid, which does not.
        changed: called when `process` may be another, or have another instance.
        failed: gets what a module of a user raises when it is asked for a name.
    """

    __slots__ = ("_changed", "_failed", "_held", "_names", "_ref", "_runtime", "_target", "process")

    def __init__(
        self, ref: Ref, changed: Callable[[], object], failed: Callable[[BaseException], object]
    ) -> None:
        self.process: Process | None = None  # one whose init is over
        self._ref: Any = ref
        self._changed = changed
        self._failed = failed
        self._held: Process | None = None  # one that tells us of its end, in its init perhaps
        self._target: Process | None = None  # the only one, of a pid
        self._names: list[Hashable] = []
        self._runtime = runtime()

    @property
    def end(self) -> object:
        """The reason for which there will be no process any more; `UNSET` as long as there may."""
        return UNSET if self._target is None else self._target.exit_reason

    @property
    def starting(self) -> Process | None:
        """The process in its init, if one is."""
        return self._held if self.process is None else None

    @enable_ki_protection
    def open(self) -> None:
        """Begin.

        Raises:
            NoProcess: the pid is that of a dead process.
            TypeError: it is no reference.
            ValueError: it is a text that can be no name.
        """
        if is_atom(self._ref) or is_via(self._ref):
            check_name(self._ref)
            self._names = _places(self._ref)
        else:
            self._target = need_living(self._ref)
        self._hold(self._find())  # raises what a module of a user raises
        for name in self._names:
            add_watcher(self._runtime, name, self.look)
        self.look()

    @enable_ki_protection
    def close(self) -> None:
        """End it: nothing is told from here on."""
        names, self._names = self._names, []
        for name in names:
            remove_watcher(self._runtime, name, self.look)
        self._hold(None)

    @enable_ki_protection
    def look(self, _: object = None) -> None:
        """Find out where the reference leads now. It never raises."""
        try:
            found = self._find()
        except Exception as exc:
            self._failed(exc)
            return
        self._hold(found)
        self.process = found if found is not None and found.starting is None else None
        self._changed()

    def _find(self) -> Process | None:
        if self._target is not None:
            return None if self._target.dead else self._target
        return find_living(self._ref)

    def _hold(self, process: Process | None) -> None:
        """Listen for the end of another process, or of none."""
        held = self._held
        if process is held:
            return
        self._held = process
        if held is not None:
            held.remove_watcher(self.look)
            held.remove_follower(self.look)
        if process is not None:
            process.add_watcher(self.look)
            process.add_follower(self.look)


def _places(name: Any) -> list[Hashable]:
    """Return under what a name is watched."""
    if is_atom(name):
        return [name]
    places: list[Hashable] = []
    if not getattr(via_module(name[1]), "_tells_names", False):  # or its registry does not run yet
        places.append(STARTED)
    try:
        hash(key := key_of(name[2]))
    except TypeError:  # of a module of a user
        return places
    return [*places, key]
