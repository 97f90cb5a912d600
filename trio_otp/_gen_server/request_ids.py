"""Request ids: ask a server, do something else, and take the answer later; or ask many at once.

**Why.** `otp.call` waits for one answer. Who has several servers to ask, or something to do until
the answer is there, sends requests and keeps their ids.

**Client side.** An id is answered once: by the reply, or by an error if the server is not there or
ends. A request makes nobody wait for the server, so circles of requests are no `DeadlockError`; a
time-out ends them. `receive_response` gives the request up when its time is over or it is
cancelled; after `wait_response` one can wait again. An id that nobody keeps is given up too. What
has been given up is handled by the server all the same, and its answer dropped. Any task may take
the answer, also one of plain Trio code.

**Server side** it is a call like any other.

**When not to use it.** For one answer take `otp.call`; to wait for several in parallel, calls in a
nursery read as well. To tell something that needs no answer, cast.

Follows: Erlang's `gen_server:send_request/2`, `receive_response/2`, `wait_response/2`,
`check_response/2`, `reqids_new/0`.
"""

from __future__ import annotations

import itertools
import math
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final

import outcome
import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import CallTimeout
from .._process.checkpoints import checkpointed
from .._process.doing import doing_text
from .._process.names import find_living, no_process, refuse_method
from .._process.request import DEFAULT_TIMEOUT, From, new_request
from .._process.status import shown_request
from .._util.bounded import bounded
from .._util.checks import check_timeout
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._process.names import Ref

_places = itertools.count()


class Follower(Protocol):
    """A collection of requests, seen from a request that is in it."""

    def _changed(self, request_id: RequestId) -> None:
        """Take note of an answer, or of the end of a request."""


@final
@public
class RequestId(NoConstructor, Handle):
    """One request on its way; `send_request` makes it. Its answer can be taken once."""

    _origin: ClassVar[str] = "otp.send_request(ref, request) returns one"

    __slots__ = (
        "__weakref__",
        "_answer",
        "_bells",
        "_collections",
        "_from",
        "_is_over",
        "_place",
        "message",
        "ref",
    )

    def __init__(self, ref: Ref, message: object) -> None:
        self.ref: Ref = ref
        self.message: object = message
        self._from: From[Any] | None = None
        self._answer: outcome.Outcome[object] | None = None
        self._bells: dict[trio.Event, None] = {}  # of those who wait
        # Those it is in, which hear of what becomes of it; weak, else a collection that nobody
        # keeps would have to wait for the garbage collector to give its requests up.
        self._collections: tuple[weakref.ref[Follower], ...] = ()
        self._is_over = False
        self._place = 0  # among all answers, in the order they arrived

    def __repr__(self) -> str:
        state = "over" if self._is_over else "waiting" if self._answer is None else "answered"
        return f"<RequestId {bounded(self.message, 60)} to {bounded(self.ref, 60)}, {state}>"

    def __del__(self) -> None:
        from_: From[Any] | None = getattr(self, "_from", None)
        if from_ is not None:
            from_._abandon()

    @enable_ki_protection
    def _post(self, timeout: float | None = None) -> None:
        refuse_method(self.message, self.ref)
        process = find_living(self.ref)
        if process is None:
            self._arrived(outcome.Error(no_process(self.ref, self.message)))
            return
        self._from = new_request(process, self.ref, self.message, timeout)
        self._from._post(_delivery(weakref.ref(self)))

    def _arrived(self, answer: outcome.Outcome[object]) -> None:
        self._answer = answer
        self._from = None  # which knows the server, and with it all that has been of it
        self._place = next(_places)
        self._ring()

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()
        for collection in self._collections:
            if (found := collection()) is not None:
                found._changed(self)

    def _check(self) -> None:
        if self._is_over:
            raise ValueError(f"{self!r}: its answer has been taken, or it has been given up")

    def _take(self) -> outcome.Outcome[object] | None:
        """Return the answer, if it is there, and be over."""
        answer, self._answer = self._answer, None
        if answer is not None:
            self._is_over = True
            self._ring()  # another task may wait for what nobody gets any more
        return answer

    def _give_up(self, error: BaseException | None = None) -> None:
        self._is_over = True
        self._answer = None
        if self._from is not None:
            self._from._abandon(error)
        self._ring()  # another task may wait for what nobody gets any more


def _delivery(weak: weakref.ref[RequestId]) -> Callable[[outcome.Outcome[Any]], None]:
    """Return what takes an answer to its id, which the server does not keep alive."""

    def deliver(answer: outcome.Outcome[object]) -> None:
        request_id = weak()
        if request_id is not None:  # pragma: no branch - its end has given the request up
            request_id._arrived(answer)

    return deliver


@public
@enable_ki_protection
def send_request(ref: Ref, request: object) -> RequestId:
    """Send a call without waiting for its answer.

    Args:
        ref: the server; if nobody is behind it, that is the answer.
        request: what its `handle_call` gets.

    Returns:
        The id to take the answer with. Without an id nobody gets the answer. If the mailbox has a
        bound and no room, the answer is `MailboxFull`: no task waits for room.

    Raises:
        TypeError: `ref` is not a reference.

    Follows: `gen_server:send_request/2`.
    """
    request_id = create(RequestId, ref, request)
    request_id._post()
    return request_id


def send_awaited(ref: Ref, request: object) -> RequestId:
    """Do as `send_request` for a task that waits for the answer, and for room if need be."""
    request_id = create(RequestId, ref, request)
    request_id._post(math.inf)
    return request_id


@public
@enable_ki_protection
async def receive_response(
    request_id: RequestId, *, timeout: float | None = DEFAULT_TIMEOUT
) -> Any:
    """Wait for the answer to a request; if it takes too long, give the request up.

    Args:
        request_id: the request.
        timeout: seconds from now; None leaves the limit to the cancel scope around it.

    Returns:
        What the server replied.

    Raises:
        CallTimeout: there was no answer in time; one that comes later is dropped.
        NoProcess: there was nobody behind the reference.
        ServerExited: the server ended first.
        ValueError: the answer has been taken before, or the request given up.

    Follows: `gen_server:receive_response/2`.
    """
    try:
        return await wait_response(request_id, timeout=timeout)
    except (CallTimeout, trio.Cancelled, KeyboardInterrupt) as exc:
        if isinstance(request_id, RequestId):  # which nobody has looked at in a cancelled scope
            request_id._give_up(exc)
        raise


@public
@checkpointed
async def wait_response(request_id: RequestId, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """Wait for the answer to a request; if it takes too long, one can wait again.

    Args:
        request_id: the request.
        timeout: seconds from now; None leaves the limit to the cancel scope around it.

    Returns:
        What the server replied.

    Raises:
        CallTimeout: there was no answer in time; the request goes on.
        NoProcess, ServerExited, ValueError: as `receive_response`.

    Follows: `gen_server:wait_response/2`.
    """
    check_id(request_id)
    request_id._check()
    await _wait_for(request_id, timeout)
    answer = request_id._take()
    if answer is None:
        request_id._check()  # somebody else was faster
        raise _timed_out(request_id, timeout or 0.0)
    return answer.unwrap()


def _timed_out(request_id: RequestId, elapsed: float) -> CallTimeout:
    call: Any = request_id._from  # there is one for as long as there is no answer
    shown, doing = shown_request(call._server), doing_text(call._server, call)
    return CallTimeout(request_id.ref, request_id.message, elapsed, shown=shown, doing=doing)


@public
@enable_ki_protection
def check_response(request_id: RequestId) -> outcome.Outcome[Any] | None:
    """Look whether the answer to a request is there.

    Args:
        request_id: the request.

    Returns:
        The answer, as an `outcome.Value` or an `outcome.Error` with what `receive_response` would
        raise; None if it is not there yet.

    Raises:
        ValueError: the answer has been taken before, or the request given up.

    Follows: `gen_server:check_response/2`.
    """
    check_id(request_id)
    request_id._check()
    return request_id._take()


async def _wait_for(request_id: RequestId, timeout: float | None) -> None:
    """Wait until a request is answered, or the time is over."""
    check_timeout("timeout", timeout)
    if request_id._answer is not None:
        await trio.lowlevel.checkpoint()
        return
    bell = trio.Event()
    request_id._bells[bell] = None
    try:
        with trio.move_on_after(math.inf if timeout is None else timeout):
            await bell.wait()
    finally:
        request_id._bells.pop(bell, None)


def check_id(request_id: object) -> None:
    """Refuse what is not a request id."""
    if not isinstance(request_id, RequestId):
        shown = bounded(request_id)
        raise TypeError(f"request_id={shown}: expected what otp.send_request returns")
