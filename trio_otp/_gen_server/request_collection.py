"""Collections of request ids: several answers, taken as they come.

A request tells its collections what becomes of it, so that taking one of a thousand answers looks
at no other. See `request_ids` for an example.

Follows: `gen_server:reqids_new/0` and its like.
"""

from __future__ import annotations

import heapq
import math
import weakref
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.call_errors import CallTimeout
from .._process.checkpoints import checkpointed
from .._process.request import DEFAULT_TIMEOUT
from .._util.checks import check_timeout
from .._util.public import public
from .request_ids import RequestId, check_id, send_request

if TYPE_CHECKING:
    from typing import TypeAlias

    import outcome

    from .._process.names import Ref

    Response: TypeAlias = "tuple[Any, outcome.Outcome[Any]]"


@public
class RequestIds:
    """Requests with labels, of which one takes the answers as they come.

    >>> import trio, trio_otp as otp
    >>> class Shop(otp.GenServer):
    ...     def __init__(self, price: int) -> None:
    ...         self.price = price
    ...     def handle_call(self, request, from_):
    ...         return otp.Reply(self.price * request)
    >>> async def main():
    ...     shops = [otp.child(Shop, 3).having(name="near"), otp.child(Shop, 2).having(name="far")]
    ...     async with otp.open_supervisor(shops):
    ...         apples = otp.send_request("near", 10)
    ...         print(await otp.receive_response(apples))
    ...         offers, prices = otp.RequestIds(), {}
    ...         for shop in ("near", "far"):
    ...             offers.send(shop, 10, label=shop)
    ...         while (response := await offers.receive(timeout=1.0)) is not None:
    ...             shop, answer = response
    ...             prices[shop] = answer.unwrap()
    ...         print(min(prices.items(), key=lambda offer: offer[1]))
    >>> trio.run(main)
    30
    ('far', 20)
    """

    __slots__ = ("__weakref__", "_answered", "_bell", "_labels", "_open")

    def __init__(self) -> None:
        self._labels: dict[RequestId, Any] = {}
        self._open: dict[RequestId, None] = {}  # neither taken nor given up
        self._answered: list[tuple[int, RequestId]] = []  # a heap, by the order of the answers
        self._bell: trio.Event | None = None  # of those who wait

    def __copy__(self) -> RequestIds:
        """Return a collection with the same requests, each of which is answered once."""
        copy = RequestIds()
        for request_id, label in self._labels.items():
            copy._put(request_id, label)
        return copy

    def __len__(self) -> int:
        return len(self._labels)

    def __repr__(self) -> str:
        return f"<RequestIds: {len(self)}>"

    def add(self, request_id: RequestId, label: Any = None) -> None:
        """Put a request in.

        Args:
            request_id: the request.
            label: what comes with its answer.

        Raises:
            ValueError: it is in already, or its answer has been taken.
            TypeError: it is not a request.

        Follows: `gen_server:reqids_add/3`.
        """
        check_id(request_id)
        request_id._check()
        if request_id in self._labels:
            raise ValueError(f"{request_id!r} is already in the collection")
        self._put(request_id, label)

    @enable_ki_protection
    def send(self, ref: Ref, request: Any, label: Any = None) -> RequestId:
        """Send a request and put it in.

        Args:
            ref: the server.
            request: what its `handle_call` gets.
            label: what comes with its answer.

        Returns:
            The id.

        Raises:
            TypeError: `ref` is not a reference.

        Follows: `gen_server:send_request/4`.
        """
        request_id = send_request(ref, request)
        self._put(request_id, label)
        return request_id

    def to_list(self) -> list[tuple[RequestId, Any]]:
        """List the requests with their labels. Follows: `gen_server:reqids_to_list/1`."""
        return list(self._labels.items())

    @enable_ki_protection
    async def receive(
        self, *, timeout: float | None = DEFAULT_TIMEOUT, delete: bool = True
    ) -> Response | None:
        """Wait for an answer to any of the requests; if it takes too long, give all of them up.

        Args:
            timeout: seconds from now; None leaves the limit to the cancel scope around it.
            delete: whether the request that is answered leaves the collection.

        Returns:
            Label and `outcome` of the request answered first; None if there is not a request left
            that could be answered.

        Raises:
            CallTimeout: there was no answer in time; those that come later are dropped.

        Follows: `gen_server:receive_response/3`.
        """
        try:
            return await self.wait(timeout=timeout, delete=delete)
        except (CallTimeout, trio.Cancelled, KeyboardInterrupt) as exc:
            for request_id in self._labels:
                request_id._give_up(exc)
            for left in (self._labels, self._open, self._answered):
                left.clear()
            raise

    @checkpointed
    async def wait(
        self, *, timeout: float | None = DEFAULT_TIMEOUT, delete: bool = True
    ) -> Response | None:
        """Wait for an answer to any of the requests; if it takes too long, one can wait again.

        Args:
            timeout: seconds from now; None leaves the limit to the cancel scope around it.
            delete: whether the request that is answered leaves the collection.

        Returns:
            As `receive`.

        Raises:
            CallTimeout: there was no answer in time.

        Follows: `gen_server:wait_response/3`.
        """
        check_timeout("timeout", timeout)
        until = math.inf if timeout is None else trio.current_time() + timeout
        while self._open:
            await self._wait_for_news(max(0.0, until - trio.current_time()))
            response = self.check(delete=delete)
            if response is not None:
                return response
            if self._open and trio.current_time() >= until:  # else another task was faster
                refs = tuple(request_id.ref for request_id in self._open)
                raise CallTimeout(refs, None, timeout or 0.0)
        await trio.lowlevel.checkpoint()
        return None

    async def _wait_for_news(self, timeout: float) -> None:
        if self._first() is not None:
            await trio.lowlevel.checkpoint()
            return
        if self._bell is None:
            self._bell = trio.Event()
        with trio.move_on_after(timeout):
            await self._bell.wait()

    @enable_ki_protection
    def check(self, *, delete: bool = True) -> Response | None:
        """Look whether any of the requests is answered.

        Args:
            delete: whether the request that is answered leaves the collection.

        Returns:
            Label and `outcome` of the request answered first; None if there is none yet.

        Follows: `gen_server:check_response/3`.
        """
        first = self._first()
        if first is None:
            return None
        heapq.heappop(self._answered)
        answer = first._take()
        assert answer is not None
        return self._labels.pop(first) if delete else self._labels[first], answer

    # -- what becomes of the requests -----------------------------------------------------------

    def _put(self, request_id: RequestId, label: object) -> None:
        self._labels[request_id] = label
        known = (ref for ref in request_id._collections if ref() is not None)
        request_id._collections = (*known, weakref.ref(self))
        self._open[request_id] = None
        self._changed(request_id)

    def _changed(self, request_id: RequestId) -> None:
        """Take note of a request that was answered, whose answer was taken, or that is given up."""
        if request_id not in self._open:  # pragma: no cover - it is over only once
            return
        if request_id._is_over:
            del self._open[request_id]
        elif request_id._answer is not None:
            heapq.heappush(self._answered, (request_id._place, request_id))
        else:
            return
        bell, self._bell = self._bell, None
        if bell is not None:
            bell.set()

    def _first(self) -> RequestId | None:
        """Return the request that was answered first; drop those whose answers were taken."""
        while self._answered:
            request_id = self._answered[0][1]
            if request_id in self._open:
                return request_id
            heapq.heappop(self._answered)
        return None
