"""Carry out what the core of a pool decides: lend workers, wake waiting clients, record deaths.

All of it happens at once, in the task that causes it: a client that checks a worker out or gives it
back, a worker that dies, a timer. Only what takes time, such as a start, is left to the process of
the pool. So clients wait for nothing but a worker, and no message can be late:

* A waiting client is woken with its worker in hand. A cancellation that comes after that ends the
  block, which gives the worker back.
* A worker that is dying when its client runs is replaced by another; the client keeps its turn.
* When the pool begins to stop, all waiting clients get `ServerExited`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled, enable_ki_protection

from .._exits.call_errors import ServerExited
from .._exits.reasons import is_quiet
from .._process.mailbox import SystemMessage
from .._process.timers import Timer
from .._supervisor.jitter import random
from .._util.bounded import bounded
from .._util.copies import create
from .._util.unset import UNSET
from .checkout_request import CheckoutQueue, CheckoutRequest
from .idle import is_idle
from .lease import Lease
from .pool_core import End, Lend, PoolCore, Start, State, Watch
from .pool_errors import CheckoutTimeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .._process.process import Process
    from .._start.start import Start as ChildStart
    from .pool_core import Action
    from .pool_spec import PoolSpec


class Work(SystemMessage):
    """The message to the process of a pool that `Lending.work` is not empty."""

    __slots__ = ()


class Lending(CheckoutQueue):
    """The workers of one pool, the leases of those that are lent, and the clients that wait."""

    __slots__ = (
        "_process",
        "_timer",
        "behaviour",
        "busy_timeout",
        "checkouts",
        "closed",
        "core",
        "last_failure",
        "leases",
        "starts",
        "timeouts",
        "work",
        "workers",
    )

    def __init__(self, process: Process, spec: PoolSpec) -> None:
        self._process = process  # of the pool
        self.behaviour = spec.child.runs.behaviour  # of the workers; None for plain processes
        self._timer: Timer | None = None
        self.core = PoolCore(spec.limits, random)
        self.busy_timeout = spec.busy_timeout
        self.workers: dict[int, Process] = {}
        self.starts: dict[int, ChildStart] = {}  # of those whose init is not over
        self.leases: dict[int, Lease] = {}
        self.work: list[Start | Watch | End] = []  # for the process of the pool
        self.last_failure: Exception | None = None  # of a start, until one succeeds
        self.closed: object = UNSET  # the reason, once the pool has begun to stop
        self.checkouts = 0
        self.timeouts = 0

    @property
    def process(self) -> Process:
        """The process of the pool."""
        return self._process

    # -- what clients do ---------------------------------------------------------------------------

    @enable_ki_protection
    async def check_out(self, ref: object, timeout: float | None) -> Lease:
        """Lend a worker to the running task, which waits for its turn.

        Raises:
            CheckoutTimeout, DeadlockError, ServerExited: as `CheckoutRequest.wait`.
        """
        await checkpoint_if_cancelled()
        request = CheckoutRequest(self, ref, timeout)
        try:
            lease = await self._turn(request)
            while not lease.process.alive:  # it has died since
                self.take_back(lease)
                lease = await self._turn(request, first=True)
        except BaseException:
            request.holder.release()
            raise
        self.checkouts += 1
        return lease

    async def _turn(self, request: CheckoutRequest, *, first: bool = False) -> Lease:
        if self.closed is not UNSET:
            await cancel_shielded_checkpoint()
            raise self._ended(request.ref)
        request.lease = None
        self.carry_out(self.core.ask(request, trio.current_time(), first=first))
        if request.lease is None:
            await request.wait()
        else:
            await cancel_shielded_checkpoint()
        assert request.lease is not None
        return request.lease

    def leave(self, request: CheckoutRequest) -> None:
        """Remove a request whose client no longer waits."""
        self.core.leave(request)

    def timeout_error(self, request: CheckoutRequest) -> Exception:
        """Return the error for a request that has timed out."""
        self.timeouts += 1
        elapsed = trio.current_time() - request.since
        error = CheckoutTimeout(request.ref, elapsed, timeout=request.timeout, doing=self._doing())
        error.__cause__ = self.last_failure
        return error

    @enable_ki_protection
    def give_back(self, lease: Lease) -> None:
        """Take a worker back from its holder, for good."""
        lease.holder.release()
        self.take_back(lease)

    def take_back(self, lease: Lease) -> None:
        """Take a worker back, if it is not dead."""
        if self.leases.get(lease.number) is not lease:
            return
        del self.leases[lease.number]
        number, now = lease.number, trio.current_time()
        if lease.process.alive:
            busy = not is_idle(lease.process)
            self.carry_out(self.core.give_back(number, now, busy=busy))
        else:
            self.carry_out(self.core.leaving(number, now))

    # -- what workers do ---------------------------------------------------------------------------

    @enable_ki_protection
    def started(self, number: int, worker: Process) -> None:
        """Add a worker whose init is over; it may be dead already."""
        self.last_failure = None
        self.workers[number] = worker
        worker.own_extras().put_off = {}
        del self.starts[number]

        def died(_: Process) -> None:
            self._died(number, worker)

        self.carry_out(self.core.started(number, trio.current_time()))
        if worker.dead:
            died(worker)
        else:
            worker.add_watcher(died)

    @enable_ki_protection
    def not_started(self, number: int, why: Exception) -> None:
        """Record that a worker did not start, and why."""
        self.last_failure = why
        del self.starts[number]
        self.carry_out(self.core.not_started(number, trio.current_time()))

    @enable_ki_protection
    def finished(self, number: int) -> None:
        """Record that a worker has finished what its last client asked for."""
        self.carry_out(self.core.finished(number, trio.current_time()))

    @enable_ki_protection
    def overdue(self, number: int) -> None:
        """Record that a worker has not finished that within `busy_timeout`."""
        self.carry_out(self.core.overdue(number))

    def _died(self, number: int, worker: Process) -> None:
        del self.workers[number]
        lease = self.leases.pop(number, None)
        if lease is not None:
            lease.worker_died()
        quiet = is_quiet(worker.exit_reason)
        self.carry_out(self.core.died(number, trio.current_time(), quiet=quiet))

    def change(self, spec: PoolSpec) -> None:
        """Take other limits: waiting clients may be served now, idle workers be too many."""
        self.busy_timeout = spec.busy_timeout
        self.carry_out(self.core.change(spec.limits, trio.current_time()))

    # -- carrying out ------------------------------------------------------------------------------

    @enable_ki_protection
    def carry_out(self, actions: list[Action]) -> None:
        """Do what the core has decided; leave what takes time to the process of the pool."""
        for action in actions:
            if isinstance(action, Lend):
                self._lend(action.worker, action.waiter)
            elif self.closed is UNSET:
                self.work.append(action)
                if len(self.work) == 1:
                    self._process.mailbox.put(Work())
        self._set_timer()

    def _lend(self, number: int, request: CheckoutRequest) -> None:
        lease = self.leases[number] = Lease(number, self.workers[number], request.holder)
        request.take(lease)

    def _set_timer(self) -> None:
        """Set the timer that asks the core again when its next action is due."""
        due = self.core.next_time() if self.closed is UNSET else math.inf
        timer, timers = self._timer, self._process.runtime.timers
        if timer is not None and timer.live:
            if timer.deadline <= due < math.inf:
                return  # it asks the core, and is set again then
            timers.cancel(timer)
        if due < math.inf:
            self._timer = create(Timer, due, self._tick)
            timers.add(self._timer)

    def _tick(self, _: Timer) -> None:
        self.carry_out(self.core.tick(trio.current_time()))

    @enable_ki_protection
    def close(self, reason: object) -> None:
        """Fail all waiting clients with the end of the pool; nothing is lent from here on."""
        if self.closed is not UNSET:
            return
        self.closed = reason
        self._set_timer()
        while self.core.waiting:
            request: Any = self.core.waiting.popitem(last=False)[0]
            request.fail(self._ended(request.ref))

    def _ended(self, ref: object) -> ServerExited:
        return ServerExited(ref, self.closed)

    # -- wait-for edges ----------------------------------------------------------------------------

    def givers(self) -> Sequence[Any]:
        """Return those who can give a worker back or become one; none if one comes by itself.

        So does a busy one that is stopped after a while.
        """
        core = self.core
        if core.may_start_later() or (core.counts[State.BUSY] and self.busy_timeout < math.inf):
            return ()
        found: dict[Any, None] = {}
        for number, state in core.workers.items():
            giver = self._giver(number, state)
            if giver is None or giver.is_interrupted:
                return ()
            found[giver] = None
        return list(found)

    def _giver(self, number: int, state: State) -> Any:
        if state is State.LENT:
            return self.leases[number].holder.node
        if state is State.STARTING:
            return getattr(self.starts.get(number), "process", None)
        return self.workers[number]

    def restart_in(self) -> float | None:
        """Return the seconds by which the start of a missing worker is delayed, if it is."""
        return self.core.restart_in(trio.current_time())

    def _doing(self) -> str:
        """Describe what the waiting clients wait for, for the text of a time-out."""
        counts, lent = self.core.counts, self.leases.values()
        numbers = {
            "lent": counts[State.LENT],
            "starting": counts[State.STARTING],
            "finishing": counts[State.BUSY],
            "waiting": len(self.core.waiting),
        }
        parts = [f"{number} {what}" for what, number in numbers.items() if number]
        if lent:
            longest = min(lent, key=lambda lease: lease.since)
            seconds = trio.current_time() - longest.since
            parts.append(f"{bounded(longest.holder.shown)} has had one for {seconds:.3g} s")
        return f"; {', '.join(parts)}" if parts else ""
