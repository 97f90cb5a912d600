"""ConnectionSupervisor: a process for each connection, so that none can hurt another.

**Why.** With `trio.serve_tcp` all connections are tasks of one nursery: a client that resets its
connection drops all others. Here each has a process of its own. Its crash is one record in the log,
a client that disconnects is a line at the level DEBUG, and each connection may finish its work when
the service ends.

**Server side** is the handler, an async function of the stream. It returns when the connection is
over. `with otp.move_on_when_draining():` around the wait for the next request lets it return when
the service is to end.

**Client side** are the functions `connections` and `counts` below. The listeners are
`otp.process_info(ref).started`.

**Supervise** it as any other child, after the children that its handlers call. Inside, it is a
`rest_for_one` of two, as in Ranch: the supervisor of connections, then the acceptor. When it is
stopped it accepts no more, lets the connections drain for `drain_timeout`, and stops those that are
left. Its own `shutdown` has no limit, as that of all supervisors.

**When not to use it.** For a library that listens by itself, such as a web server: make its serving
function a child; it takes care of its own connections.

Follows: `ranch_listener_sup` of Ranch, `ThousandIsland`, `trio.serve_listeners`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from .._exits.errors import SpecError
from .._process.mailbox_data import check_bound
from .._process.names import check_class, find_even_exiting, no_process
from .._start.arguments import takes_task_status
from .._start.child import child
from .._supervisor.loop import SupervisorBehaviour
from .._supervisor.static_loop import StaticLoop, SupervisorSpec
from .._supervisor.supervisor import Supervisor
from .._util.async_functions import refuse_plain
from .._util.bounded import bounded, label_of
from .._util.checks import check_timeout, check_whole, is_seconds
from .._util.public import public
from .._util.signature import check_arguments
from .acceptor import acceptor
from .connection_limits import ConnectionLimits
from .connections import Connections
from .service import ConnectionCounts, Service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    import trio

    from .._behaviour.backoff import Backoff
    from .._behaviour.behaviour import Behaviour
    from .._process.bounded_mailbox import BoundedMailbox
    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process

LISTENERS: Final = "listeners, as partial(trio.open_tcp_listeners, 8080)"

StreamT = TypeVar("StreamT", bound="trio.abc.AsyncResource")


@public
class ConnectionSupervisor(SupervisorBehaviour):
    """A supervisor that accepts connections and runs each in a process of its own.

    An error of a handler is its crash, unless it only says that this connection is broken, and
    its socket is no longer connected: that counts as `disconnected`. When the system is out of
    sockets (EMFILE and the like), accepting is tried again until there are some; any other error
    of `accept` crashes the acceptor alone, which then listens on the addresses it had.

    Args:
        handler: an async function of the stream of a connection, run in a temporary process that
            is labelled with the address of the other side. The stream is closed after it. A TLS
            stream has completed its handshake.
        open_listeners: an async function without arguments that returns a list of listeners, such
            as `partial(trio.open_tcp_listeners, 8080)` or
            `partial(trio.open_ssl_over_tcp_listeners, 443, ssl_context)`.
        max_connections: how many are served at a time; None for any number. At the limit no more
            are accepted until one has ended.
        on_full: an async function of the stream. If it is given, connections beyond the limits are
            accepted, answered by it within `handshake_timeout`, and closed.
        max_per_address: how many of one address are served at a time; None for any number. More
            are closed, after `on_full` if there is one. Of IPv6 all addresses of a network, a /64,
            count as one, since each client has that many.
        mailbox: how many messages may wait in the mailbox of each connection, and what becomes of
            one too many; None for any number.
        handshake_timeout: seconds for the TLS handshake, and for an answer of `on_full`.
        drain_timeout: seconds for connections to end by themselves when the service ends; None
            for no limit. Connections that have not ended by then are cancelled.
        max_restarts: how often the acceptor or the supervisor of connections may be restarted
            within `max_seconds`; None never gives up, see `otp.Supervisor`.
        max_seconds: that window, a whole number.
        backoff: `otp.Backoff(...)` delays these restarts; until then new connections wait at the
            listeners, which stay open.

    Raises:
        SpecError: a limit, a time or a flag is invalid, or a back-off must exceed the intensity.
        TypeError: a function is not an async function of the arguments it gets.

    >>> import trio, trio_otp as otp
    >>> from functools import partial
    >>> async def shout(stream):
    ...     async for chunk in stream:
    ...         await stream.send_all(chunk.upper())
    >>> open_listeners = partial(trio.open_tcp_listeners, 0, host="127.0.0.1")
    >>> async def main():
    ...     web = otp.child(otp.ConnectionSupervisor, shout, open_listeners, max_connections=1000)
    ...     async with otp.open_supervisor([web.having(name="web")]):
    ...         [listener] = otp.process_info("web").started
    ...         async with await trio.testing.open_stream_to_socket_listener(listener) as client:
    ...             await client.send_all(b"hello")
    ...             print(await client.receive_some())
    ...             print(otp.ConnectionSupervisor.counts("web"))
    >>> trio.run(main)
    b'HELLO'
    ConnectionCounts(active=1, accepted=1, refused=0, disconnected=0, crashed=0)

    Follows: `ranch:start_listener/5` of Ranch, `trio.serve_tcp`.
    """

    def __init__(
        self,
        handler: Callable[[StreamT], Awaitable[object]],
        open_listeners: Callable[[], Awaitable[Sequence[trio.abc.Listener[StreamT]]]],
        *,
        max_connections: int | None = None,
        on_full: Callable[[StreamT], Awaitable[object]] | None = None,
        max_per_address: int | None = None,
        mailbox: BoundedMailbox | None = None,
        handshake_timeout: float = 5.0,
        drain_timeout: float | None = 5.0,
        max_restarts: int | None = 3,
        max_seconds: float = 5,
        backoff: Backoff | None = None,
    ) -> None:
        _check_function("handler", handler, None)
        _check_function("open_listeners", open_listeners)
        _refuse_serving(open_listeners)
        if on_full is not None:
            _check_function("on_full", on_full, None)
        _check_limit("max_connections", max_connections)
        _check_limit("max_per_address", max_per_address)
        check_bound(mailbox, error=SpecError)
        check_timeout("drain_timeout", drain_timeout, error=SpecError)
        if not is_seconds(handshake_timeout):
            shown = bounded(handshake_timeout)
            raise SpecError(f"handshake_timeout={shown}: expected a number of seconds >= 0")
        limits = ConnectionLimits(max_connections, max_per_address, answers=on_full is not None)
        self._service = Service(
            handler,
            open_listeners,
            limits,
            on_full=on_full,
            mailbox=mailbox,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        self._given = Supervisor.spec(
            [
                child(Connections, self._service).having(id="connections", shutdown=None),
                child(acceptor, self._service).having(id="acceptor"),
            ],
            strategy="rest_for_one",
            max_restarts=max_restarts,
            max_seconds=max_seconds,
            backoff=backoff,
        )

    async def init(self) -> SupervisorSpec:
        """Return the children to supervise, once the listeners are open."""
        if not self._service.listeners.now:
            await self._service.listeners.open()
        return self._given

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, None]:
        """Run the body of the process."""
        return ServiceLoop(process).run(make)

    @staticmethod
    def connections(ref: Ref) -> list[Pid]:
        """List the processes of the served connections, oldest first, without a message.

        Args:
            ref: the ConnectionSupervisor; it may be stopping.

        Raises:
            NoProcess: there is none.
            WrongServer: the reference is not to a ConnectionSupervisor.

        >>> import trio_otp as otp
        >>> def greet():  # what a timer or a handler may tell all connections
        ...     for pid in otp.ConnectionSupervisor.connections("web"):
        ...         otp.send(pid, "hello")

        Follows: `ThousandIsland.connection_pids/1`.
        """
        return list(_service_of(ref, "connections").served)

    @staticmethod
    def counts(ref: Ref) -> ConnectionCounts:
        """Return how many connections there are and were, without a message.

        Args:
            ref: the ConnectionSupervisor; it may be stopping.

        Raises:
            NoProcess: there is none.
            WrongServer: the reference is not to a ConnectionSupervisor.

        Follows: `ranch:info/1`.
        """
        return _service_of(ref, "counts").counts()


class ServiceLoop(StaticLoop):
    """The shell of a `ConnectionSupervisor`: it owns the listeners."""

    async def _run(self, make: Callable[[], Behaviour]) -> None:
        try:
            await super()._run(make)
        finally:
            await self._close()

    async def begin(self, spec: SupervisorSpec) -> None:
        """Start what serves the connections."""
        self.instance._service.process = self.process
        await super().begin(spec)

    async def stop_children(self, *, interrupt: bool) -> None:
        """Accept no more, then stop the acceptor and the connections."""
        await self._close()
        await super().stop_children(interrupt=interrupt)

    async def _close(self) -> None:
        if self.instance is not None:  # made
            self.instance._service.is_over = True
            await self.instance._service.listeners.close()


def _check_limit(name: str, value: object) -> None:
    if value is not None:
        check_whole(name, value, 1, ", or None", error=SpecError)


def _check_function(name: str, function: Any, *args: object) -> None:
    what = "of a stream, as async def serve(stream): ..." if args else f"that returns {LISTENERS}"
    expected = f"expected an async function {what}"
    if not callable(function):
        raise TypeError(f"{name}={bounded(function)}: {expected}")
    refuse_plain(function, name, expected)
    try:
        check_arguments(function, args)
    except TypeError as exc:
        raise TypeError(f"{name}={exc}; {expected}") from None


def _refuse_serving(function: Any) -> None:
    """Refuse what serves by itself, as `trio.serve_tcp`: it would never return its listeners."""
    if takes_task_status(function):
        what = f"open_listeners={label_of(function)} serves by itself"
        raise TypeError(f"{what}; expected an async function that returns {LISTENERS}")


def _service_of(ref: Ref, what: str) -> Service:
    process = find_even_exiting(ref)  # as it is while connections drain
    if process is None:
        raise no_process(ref)
    check_class(ref, process, ConnectionSupervisor, f"ConnectionSupervisor.{what}")
    if process.instance is None:  # its init has not begun
        raise no_process(ref)
    found: Service = process.instance._service
    return found
