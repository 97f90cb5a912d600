"""Read the configuration again when SIGHUP asks for it; a mistake in it changes nothing.

Follows: what daemons do at SIGHUP, and `Type=notify-reload` of systemd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from .._application.changes import reload
from .._application.controller import controller
from .._application.errors import ConfigChangeError
from .._exits.errors import SpecError
from .logs import log

if TYPE_CHECKING:
    from .systemd import Notifier


class Reloads:
    """Reloads the configuration on request, one at a time; requests during one cause one more."""

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._asked = trio.Event()

    def ask(self) -> None:
        """Ask for a reload."""
        self._asked.set()

    async def run(self) -> None:
        """Carry out the reloads asked for, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked = trio.Event()
            self._notifier.reloading()
            await _reload()
            self._notifier.ready()


async def _reload() -> None:
    """Put the file in force and log the result."""
    try:
        changed = await reload(controller(), None)
    except SpecError as exc:
        log.error("SIGHUP: the configuration stays as it was: %s", exc)
    except ConfigChangeError:
        log.exception("SIGHUP: the new configuration is in force, but not everybody took it")
    except Exception:
        log.exception("SIGHUP: the configuration could not be read again")
    else:
        what = f"changed for {', '.join(changed)}" if changed else "as it was"
        log.info("SIGHUP: read the configuration again: %s", what)
