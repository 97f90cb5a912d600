"""Pool: workers that are lent, each to one client at a time.

**Why.** A connection to a database serves one client at a time, and their number is limited. A
pool starts them when they are needed, lends them in order of arrival, and gets each back however
the client ends.

**Client side** `otp.pool(name, Connection)` is a handle that can be made before anything runs. Its
block yields a typed client, in processes and in plain Trio code, and what it raises is bare:
`CheckoutTimeout` if no worker was free in time, `ServerExited` if the worker dies while the block
runs, which is cancelled. The client is valid until the block is left. One block inside another is
fine as long as another client can give a worker back; where none can, it is a `DeadlockError`.

**Server side** there is nothing to write: a worker is any child, such as a GenServer that opens its
connection in `init`. One that ends quietly is not restarted, whatever its `restart` says; one that
crashes is replaced, after a delay that grows with the failures in a row. Until then clients wait,
and a `CheckoutTimeout` has the failure as its cause. So a database that is away for a minute ends
nothing. If its client was cancelled in the middle of a call, a worker is not lent before that call
is over; if that takes longer than `busy_timeout`, it is stopped.

**Supervise** it as any other child, before the children that use it. It is a supervisor of its
workers, so `otp.which_children` and `otp.tree` show them.

**When not to use it.** For work that needs no resource of its own, `otp.TaskSupervisor` limits how
much runs at a time. A limit alone is a `trio.CapacityLimiter`. If equal keys have to reach the same
worker, use an `otp.PartitionSupervisor`.

Follows: Erlang's `poolboy`; Elixir's `NimblePool` and `DBConnection`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from .._behaviour.backoff import Backoff
from .._exits.errors import SpecError
from .._start.child import as_child
from .._supervisor.loop import SupervisorBehaviour
from .._util.bounded import bounded
from .._util.checks import check_timeout, check_whole
from .._util.public import public
from .pool_core import Limits
from .pool_loop import PoolLoop
from .pool_spec import PoolSpec
from .pool_status import status_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._behaviour.behaviour import Behaviour
    from .._process.process import Process
    from .._start.child import Child
    from .lending import Lending

DEFAULT_BACKOFF: Final = Backoff()


@public
class Pool(SupervisorBehaviour):
    """A pool of workers, which `otp.pool(name, Class)` lends.

    Args:
        child: what each worker runs: `otp.child(...)` without a name, or a behaviour class.
        size: how many workers there may be; once started they stay.
        max_overflow: how many more there may be while all are in use.
        idle_timeout: seconds after which an idle worker beyond `size` ends; None for never.
        busy_timeout: seconds that a worker gets to finish what its last client left it with,
            before it is stopped; None for no limit.
        backoff: how long no worker is started after a crash or a failed start: longer each time,
            until a worker has served a client, or has run for `reset_after` seconds.

    Raises:
        SpecError: an argument is invalid; the text says what was expected.

    >>> import trio, trio_otp as otp
    >>> class Connection(otp.GenServer):
    ...     def __init__(self, dsn: str) -> None:
    ...         self.dsn = dsn
    ...     @otp.on_call
    ...     def query(self, sql: str) -> str:
    ...         return f"{sql} at {self.dsn}"
    >>> DB = otp.pool("db", Connection)
    >>> async def main():
    ...     db = otp.child(otp.Pool, otp.child(Connection, "home"), size=8, max_overflow=4)
    ...     async with otp.open_supervisor([db.having(name="db")]):
    ...         async with DB.checkout(timeout=1.0) as conn:
    ...             print(await conn.query("select 1"))
    ...         print(DB.status().idle)
    >>> trio.run(main)
    select 1 at home
    1

    Follows: `poolboy:child_spec/3`, `NimblePool.start_link/1`.
    """

    def __init__(
        self,
        child: Child[Any] | type[Behaviour],
        *,
        size: int,
        max_overflow: int = 0,
        idle_timeout: float | None = 60.0,
        busy_timeout: float | None = 5.0,
        backoff: Backoff = DEFAULT_BACKOFF,
    ) -> None:
        check_whole("size", size, 1, error=SpecError)
        check_whole("max_overflow", max_overflow, 0, error=SpecError)
        worker = _worker(child)
        idle = _seconds("idle_timeout", idle_timeout)
        self._given = PoolSpec(
            max_children=size + max_overflow,
            max_restarts=0,
            max_seconds=1,
            extra_arguments=(),
            child=worker,
            limits=Limits(size, max_overflow, idle, _backoff(worker, backoff)),
            busy_timeout=_seconds("busy_timeout", busy_timeout),
        )

    def init(self) -> PoolSpec:
        """Return its settings."""
        return self._given

    @property
    def _lending(self) -> Lending | None:
        """Its workers and clients; None before it has begun."""
        return self.loop.lending if isinstance(self.loop, PoolLoop) else None

    def _status(self) -> Any:
        """Return what `otp.sys.get_status` shows: the numbers and the workers."""
        lending = self._lending
        numbers = None if lending is None else status_of(lending)
        return {"pool": numbers, "children": self.children_info()}

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return PoolLoop(process).run(make)


def _worker(what: object) -> Child[Any]:
    child = as_child(what)
    if child.spec.name is not None:
        raise SpecError(f"{child!r}: a worker has no name of its own; write .having(name=None)")
    if child.spec.significant:
        raise SpecError(f"{child!r}: a Pool has no significant children")
    return child


def _seconds(name: str, value: float | None) -> float:
    check_timeout(name, value, error=SpecError)
    if value is None:
        return math.inf
    return value


def _backoff(child: Child[Any], own: object) -> Backoff:
    """Return the back-off of a worker, else that of the pool; there has to be one."""
    wanted = own if child.spec.backoff == "supervisor" else child.spec.backoff
    if not isinstance(wanted, Backoff):
        text = "expected otp.Backoff(...): a worker that fails is tried again, for ever"
        raise SpecError(f"backoff={bounded(wanted)}: {text}")
    return wanted
