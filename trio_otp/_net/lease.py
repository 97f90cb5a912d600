"""A worker checked out by one client, from the moment it is lent until it is given back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import NoProcess, ServerExited
from .._gen_server.client import Client
from .._process.status import told_reason
from .._util.unset import UNSET

if TYPE_CHECKING:
    from .._process.process import Process
    from .holders import Holder


class Lease:
    """A worker that is lent; its death cancels the block of its holder."""

    __slots__ = ("holder", "number", "process", "reason", "scope", "since")

    def __init__(self, number: int, process: Process, holder: Holder) -> None:
        self.number = number
        self.process = process
        self.holder = holder
        self.since = trio.current_time()
        self.scope = trio.CancelScope()  # of the block
        self.reason: object = UNSET  # of the end of the worker, if that came first

    def worker_died(self) -> None:
        """Cancel the block of the holder, as its worker is dead."""
        self.reason = self.process.exit_reason
        self.scope.cancel(reason=f"{self.process.pid!r}, checked out of a pool, has ended")

    def check_worker(self) -> None:
        """Record the end of a worker that is exiting: it counts as dead, as it does everywhere."""
        if self.process.is_exiting:
            self.reason = self.process.pending_exit

    def is_from_worker(self, error: BaseException) -> bool:
        """Check whether an error is that of a call that this worker's death has ended."""
        return isinstance(error, ServerExited) and error.server is self.process.pid

    def failure(self) -> ServerExited | None:
        """Return the error of a block whose worker has died; None if it has not."""
        if self.reason is UNSET:
            return None
        pid = self.process.pid
        return ServerExited(pid, self.reason, why=told_reason(pid, self.reason))


class LentClient(Client):
    """The typed client of a worker; it is valid until the block of the checkout is left."""

    __slots__ = ()
    _class: Any  # None once it is given back

    def __getattr__(self, name: str) -> Any:
        if self._class is None:
            raise _over(self.ref)
        return super().__getattr__(name)

    @enable_ki_protection
    def end(self) -> None:
        """Refuse every use from now on: the worker may belong to another client."""
        self.__dict__.clear()
        object.__setattr__(self, "_class", None)

    def __repr__(self) -> str:
        return (
            f"<client of {self.ref!r}, given back>" if self._class is None else super().__repr__()
        )

    def __reduce_ex__(self, protocol: object) -> Any:
        if self._class is None:
            raise _over(self.ref)
        return super().__reduce_ex__(protocol)


def _over(worker: object) -> NoProcess:
    text = f"{worker!r} was given back: the block of the checkout has been left"
    return NoProcess(worker, text=text)
