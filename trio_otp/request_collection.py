"""Collections of request ids: several answers, taken as they come.

See `trio_otp.request_ids` for an example. Follows: `gen_server:reqids_new/0` and its like.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import trio
from trio.lowlevel import enable_ki_protection

from .checkpoints import checkpointed
from .exits import CallTimeout
from .request import DEFAULT_TIMEOUT, check_timeout
from .request_ids import RequestId, check_id, send_request, wait_for_any

if TYPE_CHECKING:
    from typing import TypeAlias

    import outcome

    from .names import Ref

    Response: TypeAlias = "tuple[Any, outcome.Outcome[Any]]"


def _place_of(request_id: RequestId) -> int:
    return request_id._place


class RequestIds:
    """Requests with labels, of which one takes the answers as they come."""

    __slots__ = ("_labels",)

    def __init__(self) -> None:
        self._labels: dict[RequestId, Any] = {}

    def __copy__(self) -> RequestIds:
        """Give a collection with the same requests, each of which is answered once."""
        copy = RequestIds()
        copy._labels = dict(self._labels)
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
            TypeError: it is no request.

        Follows: `gen_server:reqids_add/3`.
        """
        check_id(request_id)
        request_id._check()
        if request_id in self._labels:
            raise ValueError(f"{request_id!r} is in the collection already")
        self._labels[request_id] = label

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
            TypeError: `ref` is no reference.

        Follows: `gen_server:send_request/4`.
        """
        request_id = send_request(ref, request)
        self._labels[request_id] = label
        return request_id

    def to_list(self) -> list[tuple[RequestId, Any]]:
        """List the requests with their labels. Follows: `gen_server:reqids_to_list/1`."""
        return list(self._labels.items())

    @enable_ki_protection
    async def receive(
        self, timeout: float | None = DEFAULT_TIMEOUT, *, delete: bool = True
    ) -> Response | None:
        """Wait for an answer to any of the requests; if it takes too long, give all of them up.

        Args:
            timeout: seconds from now; None leaves the limit to the cancel scope around it.
            delete: whether the request that is answered leaves the collection.

        Returns:
            Label and `outcome` of the request answered first; None if there is no request left
            that could be answered.

        Raises:
            CallTimeout: there was no answer in time; those that come later are dropped.

        Follows: `gen_server:receive_response/3`.
        """
        try:
            return await self.wait(timeout, delete=delete)
        except (CallTimeout, trio.Cancelled, KeyboardInterrupt):
            for request_id in self._labels:
                request_id._give_up()
            self._labels.clear()
            raise

    @checkpointed
    @enable_ki_protection
    async def wait(
        self, timeout: float | None = DEFAULT_TIMEOUT, *, delete: bool = True
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
        while open_ids := self._open():
            await wait_for_any(open_ids, max(0.0, until - trio.current_time()))
            response = self.check(delete=delete)
            if response is not None:
                return response
            if trio.current_time() >= until:  # else another task was faster
                refs = tuple(request_id.ref for request_id in open_ids)
                raise CallTimeout(refs, None, timeout or 0.0)
        await trio.lowlevel.checkpoint()
        return None

    @enable_ki_protection
    def check(self, *, delete: bool = True) -> Response | None:
        """Look whether any of the requests is answered.

        Args:
            delete: whether the request that is answered leaves the collection.

        Returns:
            Label and `outcome` of the request answered first; None if there is none yet.

        Follows: `gen_server:check_response/3`.
        """
        answered = [one for one in self._open() if one._answer is not None]
        if not answered:
            return None
        first = min(answered, key=_place_of)
        answer = first._take()
        assert answer is not None
        return self._labels.pop(first) if delete else self._labels[first], answer

    def _open(self) -> list[RequestId]:
        return [request_id for request_id in self._labels if not request_id._is_over]
