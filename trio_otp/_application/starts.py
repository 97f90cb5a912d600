"""Start several applications with what they need; undo that if one of them fails.

One after another, or each as soon as what it needs has started. Follows: Erlang's
`application:ensure_all_started/3`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.errors import SpecError
from .._exits.nurseries import OwnNursery
from .._util.checks import check_choice
from .graph import in_order, needs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .base import Application
    from .block import ApplicationBlock
    from .controller import Controller
    from .master import Master, StartType

StartMode: TypeAlias = Literal["serial", "concurrent"]
START_MODES: tuple[str, ...] = get_args(StartMode)


def check_mode(mode: object) -> None:
    """Refuse a mode that there is not."""
    check_choice("mode", mode, START_MODES, error=SpecError)


async def start_all(
    owner: Controller,
    applications: Iterable[type[Application]],
    kind: StartType,
    block: ApplicationBlock | None = None,
    mode: StartMode = "serial",
) -> list[Master]:
    """Start applications with what they need, that first; undo that if one fails.

    Returns:
        Those that did not run before, in start order.

    Raises:
        SpecError: they need each other in a circle, or there is no such mode.
        ApplicationStartError: of the first that did not start.
    """
    check_mode(mode)
    order = in_order(applications)
    for application in order:
        owner.load(application)
    starts = _Starts(owner, kind, block)
    try:
        await (starts.one_by_one(order) if mode == "serial" else starts.at_once(order))
    except BaseException:
        with trio.CancelScope(shield=True):
            for master in reversed(starts.in_order()):
                await master.end()
        raise
    return starts.in_order()


class _Starts:
    """The starts of one call: what it has started, and what failed first."""

    def __init__(self, owner: Controller, kind: StartType, block: ApplicationBlock | None) -> None:
        self.owner = owner
        self.kind: StartType = kind
        self.block = block
        self.new: set[Master] = set()
        self.failure: Exception | None = None

    def in_order(self) -> list[Master]:
        """List what was started and is still there, in the order in which the starts began."""
        return [master for master in self.owner.masters.values() if master in self.new]

    async def one_by_one(self, order: list[type[Application]]) -> None:
        """Start one after another."""
        for application in order:
            await self._start(application)

    async def at_once(self, order: list[type[Application]]) -> None:
        """Start each when what it needs has started; the first failure cancels the others."""
        done = {application: trio.Event() for application in order}
        async with OwnNursery() as nursery:
            for application in order:
                start = partial(self._start_when_ready, application, done, nursery)
                nursery.start_soon(start, name=f"<start of {application.name}>")
        if self.failure is not None:
            raise self.failure

    @enable_ki_protection
    async def _start_when_ready(
        self,
        application: type[Application],
        done: Mapping[type[Application], trio.Event],
        nursery: trio.Nursery,
    ) -> None:
        for needed in needs(application):
            await done[needed].wait()
        try:
            await self._start(application)
        except Exception as exc:
            self.failure = self.failure or exc
            nursery.cancel_scope.cancel(reason=f"application {application.name!r} did not start")
        done[application].set()

    async def _start(self, application: type[Application]) -> None:
        if self.owner.is_running(application.name):
            return
        master = await self.owner.start_next(application, None, self.kind, self.block)
        if master is not None:
            self.new.add(master)
