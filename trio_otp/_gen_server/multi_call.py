"""Ask several servers at once, or tell them all something.

OTP sends to the servers of one name on many nodes. One run is one node, so here several references
stand in the place of several nodes; a name alone is a list of one.

Follows: `GenServer.multi_call/4`, `GenServer.abcast/3`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import outcome
import trio

from .._behaviour.messages import Cast
from .._exits.call_errors import CallingSelf, CallTimeout
from .._process.checkpoints import checkpointed
from .._process.names import (
    HasPid,
    find_living,
    is_atom,
    is_remote_name,
    is_via,
    refuse_method,
    send_to_all,
)
from .._process.pid import Pid
from .._process.request import DEFAULT_TIMEOUT
from .._process.runtime import calling_process, runtime
from .._process.status import shown_request
from .._util.bounded import bounded
from .._util.checks import check_timeout
from .._util.public import public
from .request_collection import RequestIds
from .request_ids import send_awaited

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .._process.names import Ref


@public
class MultiReply(NamedTuple):
    """What `multi_call` returns, in the order of the references.

    Args:
        replies: a tuple of reference and answer for each server that answered.
        bad: a tuple of reference and error for each that did not.
    """

    replies: list[tuple[Any, Any]]
    bad: list[tuple[Any, Exception]]


@public
@checkpointed
async def multi_call(
    refs: Ref | Iterable[Ref], request: object, *, timeout: float | None = DEFAULT_TIMEOUT
) -> MultiReply:
    """Ask several servers at once, and wait until each has answered or failed.

    Args:
        refs: the servers, or one of them.
        request: what the `handle_call` of each gets.
        timeout: seconds for all of them together; None leaves the limit to the cancel scope around
            it.

    Returns:
        `(replies, bad)`; in `bad` are those that are not there, ended, raised, did not answer in
        time, had no room, or are the caller itself.

    Raises:
        TypeError: what is given is not a reference.

    >>> import trio, trio_otp as otp
    >>> class Shard(otp.GenServer):
    ...     def __init__(self) -> None:
    ...         self.total = 0
    ...     def handle_call(self, request, from_):
    ...         return otp.Reply(self.total)
    ...     def handle_cast(self, number):
    ...         self.total += number
    >>> async def main():
    ...     shards = [otp.child(Shard).having(name=name) for name in ("a", "b")]
    ...     async with otp.open_supervisor(shards):
    ...         otp.abcast(["a", "b", "c"], 7)
    ...         replies, bad = await otp.multi_call(["a", "b", "c"], "total")
    ...         print(replies, [ref for ref, error in bad])
    >>> trio.run(main)
    [('a', 7), ('b', 7)] ['c']

    Follows: `GenServer.multi_call/4`.
    """
    check_timeout("timeout", timeout)
    asked = _listed(refs)
    own = calling_process()
    results: list[outcome.Outcome[object] | None] = [None] * len(asked)
    ids = RequestIds()
    for index, ref in enumerate(asked):
        if own is not None and find_living(ref) is own:
            error = CallingSelf(ref, request, shown=shown_request(own))
            results[index] = outcome.Error(error)
        else:
            ids.add(send_awaited(ref, request), index)
    deadline = None if timeout is None else trio.current_time() + timeout
    await _gather(ids, results, deadline)
    done = [one for one in results if one is not None]
    if len(done) < len(asked):
        shown = shown_request(*map(find_living, asked))
        late = outcome.Error(CallTimeout(tuple(asked), request, timeout or 0.0, shown=shown))
        done = [late if one is None else one for one in results]
    return _sorted(asked, done)


async def _gather(
    ids: RequestIds, results: list[outcome.Outcome[object] | None], deadline: float | None
) -> None:
    try:
        while True:
            left = None if deadline is None else max(0.0, deadline - trio.current_time())
            response = await ids.receive(timeout=left)
            if response is None:
                return
            results[response[0]] = response[1]
    except CallTimeout:
        return


def _sorted(asked: list[Any], results: list[outcome.Outcome[Any]]) -> MultiReply:
    answers = MultiReply([], [])
    for ref, result in zip(asked, results, strict=True):
        if isinstance(result, outcome.Value):
            answers.replies.append((ref, result.value))
        elif isinstance(result, outcome.Error) and isinstance(result.error, Exception):
            answers.bad.append((ref, result.error))
        else:
            result.unwrap()
    return answers


@public
def abcast(refs: Ref | Iterable[Ref], message: object) -> None:
    """Cast a message to several servers; those that are not there are passed over.

    So are those whose mailboxes have a bound that refuses one more. Each message that does not
    arrive is counted as dropped.

    Args:
        refs: the servers, or one of them.
        message: what the `handle_cast` of each gets.

    Raises:
        TypeError: what is given is not a reference, or the message is a decorated method.

    Follows: `GenServer.abcast/3`.
    """
    for ref in _listed(refs):
        refuse_method(message, ref)
        process = find_living(ref)
        if process is None:
            runtime().drop(ref, message, "cast to a dead server")
        else:
            send_to_all([process], Cast(message))


def _listed(refs: Any) -> list[Any]:
    """Return a list of references; a single one is one, also if it could be iterated over."""
    if isinstance(refs, Pid | HasPid) or is_atom(refs) or is_via(refs) or is_remote_name(refs):
        return [refs]
    try:
        return list(refs)
    except TypeError:
        accepted = "a reference to a server, or an iterable of references"
        raise TypeError(f"refs={bounded(refs)}: expected {accepted}") from None
