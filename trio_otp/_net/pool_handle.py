"""The handle of a pool: check a worker out, read the state of the pool.

`otp.pool(name, Class)` returns one, also at module level; it looks the pool up at every use.
See `otp.Pool` for an example and for when to use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, final, overload

from trio.lowlevel import enable_ki_protection

from .._exits.bare import is_cancellation, raise_bare, raise_beside
from .._exits.call_errors import NoProcess
from .._exits.errors import WrongServer
from .._exits.nurseries import WholeScope
from .._gen_server.client import OWN
from .._gen_server.server import GenServer
from .._process.block import block
from .._process.names import check_class, check_reference, need_living
from .._process.request import DEFAULT_TIMEOUT
from .._util.bounded import Printable, bounded
from .._util.checks import check_timeout
from .._util.copies import NoConstructor, create
from .._util.public import public
from .lease import LentClient
from .pool import Pool
from .pool_status import PoolStatus, status_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from .._process.names import Ref
    from .._process.pid import Pid
    from .lending import Lending

W = TypeVar("W")
S = TypeVar("S", bound=GenServer)


@overload
def pool(ref: Ref, worker: type[S]) -> PoolHandle[S]: ...
@overload
def pool(ref: Ref) -> PoolHandle[Pid]: ...
@public
def pool(ref: Ref, worker: type[Any] | None = None) -> PoolHandle[Any]:
    """Return the handle of a pool; it need not run yet.

    Args:
        ref: its name, or any other reference to its process.
        worker: the class of its workers, of which a checkout returns a typed client. Leave it out
            for workers that are not GenServers; a checkout then returns the pid.

    Raises:
        TypeError: `ref` is not a reference, or `worker` is not a GenServer class.
    """
    check_reference(ref)
    if worker is not None and not (isinstance(worker, type) and issubclass(worker, GenServer)):
        raise TypeError(f"worker={bounded(worker)}: expected a GenServer class, or nothing")
    kind: type[PoolHandle[Any]] = PoolHandle
    return create(kind, ref, worker)


@final
@public
@dataclass(frozen=True, slots=True, repr=False)
class PoolHandle(NoConstructor, Printable, Generic[W]):
    """A pool, looked up by its name at every use."""

    _origin: ClassVar[str] = "otp.pool(ref, Class) returns one"

    name: Ref
    worker: type[Any] | None

    def __reduce__(self) -> Any:
        return pool, (self.name, self.worker)

    @block("async with DB.checkout() as conn: ...")
    @enable_ki_protection
    async def checkout(self, *, timeout: float | None = DEFAULT_TIMEOUT) -> AsyncGenerator[W]:
        """Check a worker out for the length of a block; clients are served in order of arrival.

        The worker is given back however the block is left.

        Args:
            timeout: seconds to wait for a worker; None leaves the limit to the cancel scope around
                the block. With 0 it succeeds only if a worker is free now.

        Returns:
            A typed client of the worker, or its pid, for this block alone.

        Raises:
            CheckoutTimeout: no worker was free in time. If the last start of a worker failed, its
                error is the cause.
            ServerExited: the worker died, and the block was cancelled. If the body raises an error
                of its own meanwhile, that leaves, with this as its context. Or the pool ended while
                this task waited.
            DeadlockError: all workers are held by tasks that wait, directly or through others, for
                this one.
            NoProcess: the pool does not run.
            WrongServer: the reference is not to a pool, or its workers are of another class.
            ValueError: `timeout` is not a number of seconds >= 0.

        >>> import trio, trio_otp as otp
        >>> db = otp.child(otp.Pool, otp.child(otp.Agent, lambda: 5), size=1).having(name="db")
        >>> DB = otp.pool("db", otp.Agent)
        >>> async def main():
        ...     async with otp.open_supervisor([db]), DB.checkout() as agent:
        ...         try:
        ...             async with DB.checkout(timeout=0):
        ...                 print("never")
        ...         except otp.CheckoutTimeout as exc:
        ...             print(str(exc).partition(",")[0])
        >>> trio.run(main)
        no worker of 'db' was free within 0 s; 1 lent

        Follows: `NimblePool.checkout!/4`, `poolboy:transaction/3`.
        """
        check_timeout("timeout", timeout)
        lending = self._lending("checkout")
        self._check_worker(lending)
        lease = await lending.check_out(self.name, timeout)
        pid = lease.process.pid
        lent: Any = pid if self.worker is None else LentClient(self.worker, pid, OWN)
        try:
            with WholeScope(lease.scope):
                try:
                    yield lent
                finally:
                    lease.check_worker()
                    if self.worker is not None:
                        lent.end()
        except BaseException as exc:  # noqa: ASYNC103 - one of the two raises it
            lending.give_back(lease)
            if is_cancellation(exc) or lease.is_from_worker(exc):
                raise
            failure = lease.failure()
            if failure is None:
                raise
            raise_beside(exc, failure)
        lending.give_back(lease)
        failure = lease.failure()
        try:
            if failure is not None:
                raise_bare(failure)  # it is not the cancellation that is its cause
        finally:
            del failure  # else the frame and the traceback keep each other alive

    def status(self) -> PoolStatus:
        """Return how many workers there are, what they do, and how many clients wait.

        Raises:
            NoProcess: the pool does not run.
            WrongServer: the reference is not to a pool.
        """
        return status_of(self._lending("status"))

    def _lending(self, what: str) -> Lending:
        process = need_living(self.name, what)
        check_class(self.name, process, Pool, what)
        lending: Lending | None = getattr(process.instance, "_lending", None)
        if lending is None:  # it is about to start
            raise NoProcess(self.name)
        return lending

    def _check_worker(self, lending: Lending) -> None:
        wanted, actual = self.worker, lending.behaviour
        if wanted is not None and not (actual is not None and issubclass(actual, wanted)):
            name = "plain processes" if actual is None else actual.__name__
            raise WrongServer(f"a {wanted.__name__} of a pool", self.name, f"pool of {name}")
