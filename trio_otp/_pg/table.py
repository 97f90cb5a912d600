"""The members of the groups of one scope, each as often as it has joined. Pure: no Trio.

Members are any objects that hash by identity. Joining and leaving is O(1) for each membership.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._registry.table import strict_key

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


class _Group:
    """One group: what it is called, and how often each member has joined, the first first."""

    __slots__ = ("counts", "name")

    def __init__(self, name: object) -> None:
        self.name = name
        self.counts: dict[Any, int] = {}


class Memberships:
    """Who is in which group how often; groups without a member do not exist."""

    __slots__ = ("_groups", "_of")

    def __init__(self) -> None:
        self._groups: dict[Hashable, _Group] = {}
        self._of: dict[Any, dict[Hashable, None]] = {}  # {member: its groups}

    def join(self, member: object, name: object) -> None:
        """Add one membership."""
        strict = strict_key(name)
        group = self._groups.get(strict)
        if group is None:
            group = self._groups[strict] = _Group(name)
        group.counts[member] = group.counts.get(member, 0) + 1
        self._of.setdefault(member, {})[strict] = None

    def leave(self, member: object, name: object) -> bool:
        """Take one membership away; False if there is none."""
        strict = strict_key(name)
        group = self._groups.get(strict)
        if group is None or member not in group.counts:
            return False
        group.counts[member] -= 1
        if group.counts[member] == 0:
            self._forget(member, strict, group)
        return True

    def drop(self, member: object) -> list[Any]:
        """Take all memberships of a member away; list their groups, each as often as it was in."""
        left: list[Any] = []
        for strict in list(self._of.get(member, ())):
            group = self._groups[strict]
            left += [group.name] * group.counts[member]
            self._forget(member, strict, group)
        return left

    def members(self, name: object) -> list[Any]:
        """List the members of a group, each as often as it has joined."""
        group = self._groups.get(strict_key(name))
        if group is None:
            return []
        return [member for member, count in group.counts.items() for _ in range(count)]

    def groups(self) -> list[Any]:
        """List the groups, the oldest first."""
        return [group.name for group in self._groups.values()]

    def __contains__(self, member: object) -> bool:
        return member in self._of

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._of))

    def __len__(self) -> int:
        return len(self._of)

    def _forget(self, member: object, strict: Hashable, group: _Group) -> None:
        del group.counts[member]
        if not group.counts:
            del self._groups[strict]
        del self._of[member][strict]
        if not self._of[member]:
            del self._of[member]
