"""Change the settings of a program while it runs, and tell the applications whose changed.

Follows: Erlang's `application_controller`, which calls `config_change/3` after an upgrade.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .._exits.bare import unwrap
from .._exits.errors import SpecError
from .._util.bounded import Printable
from .._util.user_code import call_back
from .config import check_again, read_config
from .errors import ConfigChangeError
from .graph import all_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .base import Application
    from .config import Config, Tables
    from .controller import Controller


@dataclass(frozen=True, slots=True, repr=False)
class Change(Printable):
    """What is different about the settings of an application; arguments of `config_change`."""

    changed: dict[str, Any]
    new: dict[str, Any]
    removed: tuple[str, ...]

    @property
    def arguments(self) -> tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]:
        """What `config_change` is called with."""
        return self.changed, self.new, self.removed

    def __bool__(self) -> bool:
        return bool(self.changed or self.new or self.removed)


def change_of(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change:
    """Compare the settings of an application with those it had before.

    >>> change_of({"port": 80, "debug": True}, {"port": 8080, "limit": 5})
    Change(changed={'port': 8080}, new={'limit': 5}, removed=('debug',))
    """
    return Change(
        {k: v for k, v in after.items() if k in before and not _same(v, before[k])},
        {k: v for k, v in after.items() if k not in before},
        tuple(k for k in before if k not in after),
    )


def _same(one: object, other: object) -> bool:
    """Compare two settings; True and 1 are different, and so is what cannot be compared."""
    try:
        return one is other or (type(one) is type(other) and bool(one == other))
    except Exception:
        return False


async def configure(owner: Controller, application: type[Application], config: Config) -> None:
    """Take the configuration that a program is opened with."""
    known = {**owner.classes, **all_of(application)}
    await apply(owner, read_config(config, known))
    owner.config = config


async def reload(owner: Controller, config: Config | None) -> list[str]:
    """Take a configuration in place of the one before; give the applications that were told."""
    source = owner.config if config is None else config
    if source is None:
        accepted = "the path of a TOML file or a dict, since the program was opened without one"
        raise SpecError(f"config=None: expected {accepted}")
    if isinstance(source, str | os.PathLike):
        check_again(Path(source))
    tables = read_config(source, owner.classes)
    told = await apply(owner, {name: tables.get(name, {}) for name in owner.classes})
    owner.config = source
    return told


async def apply(owner: Controller, tables: Tables) -> list[str]:
    """Put tables in force and call `config_change` of the running applications they change.

    Raises:
        ConfigChangeError: a callback raised; the others were called and the settings are in force.
    """
    told: list[str] = []
    errors: dict[str, Exception] = {}
    before = {name: dict(owner.environment(name)) for name in tables}
    for name, table in tables.items():
        owner.environment(name).configure(table)
    for application in list(_running(owner)):
        name = application.name
        change = change_of(before.get(name, {}), owner.environment(name))
        if name in before and change:
            told.append(name)
            try:
                await call_back(application.config_change, *change.arguments)
            except Exception as exc:
                errors[name] = cast("Exception", unwrap(exc))  # of one it is one
    if errors:
        raise ConfigChangeError(errors)
    return told


def _running(owner: Controller) -> Iterator[Application]:
    """Return running applications in start order, each before those it includes."""
    for master in owner.masters.values():
        if master.running:
            yield master.application
            yield from master.application._included.values()
