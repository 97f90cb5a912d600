"""The functions of `trio_otp.gen_event`, which see.

The file is long by what each of them says of its arguments and of what can go wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import Cast
from .._exits.reasons import NORMAL
from .._gen_server import request_ids
from .._gen_server import server as gen_server
from .._gen_server.request_collection import RequestIds
from .._process.checkpoints import checkpointed
from .._process.names import (
    find_living,
    is_atom,
    need_living,
    no_process,
    refuse_method,
)
from .._process.request import DEFAULT_TIMEOUT
from .._process.runtime import need_process, runtime
from .._util.bounded import bounded
from .._util.public import public_in
from .._util.sent import SENT
from .commands import (
    AddHandler,
    CallHandler,
    DeleteHandler,
    Notify,
    ReplaceHandler,
    SyncNotify,
    WhichHandlers,
    check_manager,
    send_command,
)
from .handler import check_handler, split_key

if TYPE_CHECKING:
    from .._gen_server.request_ids import RequestId
    from .._process.names import Ref
    from .handler import GenEvent, HandlerKey


@public_in("gen_event")
def notify(ref: Ref, event: object) -> None:
    """Send an event to all handlers. It never blocks.

    Args:
        ref: the event manager. If a pid or via tuple leads nowhere, or its mailbox has a bound and
            no room, the event is counted as dropped.
        event: what each `handle_event` gets, this very object.

    Raises:
        NoProcess: the reference is a name and nobody has it.
        WrongServer: it leads to something else than an event manager.

    Follows: `gen_event:notify/2`.
    """
    process = find_living(ref)
    if process is not None:
        check_manager(ref, process, "gen_event.notify")
        process.mailbox.deliver(Cast(Notify(event)))
    elif is_atom(ref):
        raise no_process(ref, event)
    else:
        runtime().drop(ref, event, "notify to a dead event manager")
    return SENT


@public_in("gen_event")
@checkpointed
async def sync_notify(ref: Ref, event: object) -> None:
    """Send an event to all handlers, and wait until each has had it.

    Args:
        ref: the event manager.
        event: what each `handle_event` gets.

    Raises:
        NoProcess: nobody is behind the reference.
        WrongServer: it leads to something else than an event manager.
        ServerExited: the manager ended first.
        MailboxFull: the mailbox of the manager has a bound, and no room.
        CallingSelf: one of its handlers called.
        DeadlockError: the manager waits, over others perhaps, for the caller.

    Follows: `gen_event:sync_notify/2`.
    """
    await send_command(ref, SyncNotify(event))


@public_in("gen_event")
@checkpointed
async def add_handler(ref: Ref, handler: GenEvent, *, id: object = None) -> None:
    """Add a handler, and wait until its init is over. Adding a second of a class is no error.

    Args:
        ref: the event manager.
        handler: the object; one that is in a manager cannot be added again.
        id: tells it from others of its class: it is then named `(class, id)`.

    Raises:
        TypeError: `handler` is no object of a GenEvent class.
        ValueError: a manager has the object already.
        StartError: its init raised, or returned `Stop(reason)`; nothing is added.
        NoProcess, WrongServer, ServerExited, CallingSelf, DeadlockError: as `sync_notify`.

    Follows: `gen_event:add_handler/3`.
    """
    check_handler(handler)
    await send_command(ref, AddHandler(handler, id, None))


@public_in("gen_event")
@checkpointed
async def add_sup_handler(ref: Ref, handler: GenEvent, *, id: object = None) -> None:
    """Add a handler that this process owns, and link the process to the manager.

    When the handler leaves the manager, in whatever way, the owner gets a `HandlerExit` message.
    When the owner ends, the handler is taken out.

    Args:
        ref: the event manager.
        handler: the object.
        id: as of `add_handler`.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError, ValueError, StartError: as `add_handler`.
        NoProcess, WrongServer, ServerExited, CallingSelf, DeadlockError: as `sync_notify`.

    Follows: `gen_event:add_sup_handler/3`.
    """
    check_handler(handler)
    owner = need_process("otp.gen_event.add_sup_handler")
    await send_command(ref, AddHandler(handler, id, owner))


@public_in("gen_event")
@checkpointed
async def delete_handler(ref: Ref, handler: HandlerKey, reason: object = NORMAL) -> Any:
    """Take a handler out.

    Args:
        ref: the event manager.
        handler: its class, or `(class, id)`; of several, the newest.
        reason: what its `terminate` gets.

    Returns:
        What its `terminate` returned.

    Raises:
        NoHandler: there is no such handler.
        HandlerCrashed: its `terminate` raised; it is gone all the same.
        TypeError: `handler` names none.
        NoProcess, WrongServer, ServerExited, CallingSelf, DeadlockError: as `sync_notify`.

    Follows: `gen_event:delete_handler/3`.
    """
    split_key(handler)
    return await send_command(ref, DeleteHandler(handler, reason))


@public_in("gen_event")
@checkpointed
async def swap_handler(
    ref: Ref, old: HandlerKey, new: GenEvent, *, reason: object = NORMAL, id: object = None
) -> None:
    """Put a handler in place of another, with no event in between. It keeps the owner.

    What `terminate` of the old one returns, `init_swapped` of the new one gets. If the old one is
    not there, the new one is added all the same, told by a `NoHandler`.

    Args:
        ref: the event manager.
        old: the handler that has to go: its class, or `(class, id)`.
        new: the object that comes, as the newest.
        reason: what `terminate` of the old one gets.
        id: the id of the new one.

    Raises:
        StartError: the new one did not start; the old one is gone all the same.
        TypeError, ValueError: as `add_handler`.
        NoProcess, WrongServer, ServerExited, CallingSelf, DeadlockError: as `sync_notify`.

    Follows: `gen_event:swap_handler/3`.
    """
    split_key(old, "old")
    check_handler(new, "new")
    await send_command(ref, ReplaceHandler(old, new, reason, id, False, None))


@public_in("gen_event")
@checkpointed
async def swap_sup_handler(
    ref: Ref, old: HandlerKey, new: GenEvent, *, reason: object = NORMAL, id: object = None
) -> None:
    """As `swap_handler`, and this process owns the new one, as after `add_sup_handler`.

    Args:
        ref: the event manager.
        old: the handler that has to go: its class, or `(class, id)`.
        new: the object that comes, as the newest.
        reason: what `terminate` of the old one gets.
        id: the id of the new one.

    Raises:
        NotAProcess: in plain Trio code.
        StartError, TypeError, ValueError: as `swap_handler`.
        NoProcess, WrongServer, ServerExited, CallingSelf, DeadlockError: as `sync_notify`.

    Follows: `gen_event:swap_sup_handler/3`.
    """
    split_key(old, "old")
    check_handler(new, "new")
    owner = need_process("otp.gen_event.swap_sup_handler")
    await send_command(ref, ReplaceHandler(old, new, reason, id, True, owner))


@public_in("gen_event")
@checkpointed
async def call(
    ref: Ref, handler: HandlerKey, request: object, *, timeout: float | None = DEFAULT_TIMEOUT
) -> Any:
    """Ask one handler and wait for its answer.

    Args:
        ref: the event manager.
        handler: its class, or `(class, id)`; of several, the newest.
        request: what its `handle_call` gets.
        timeout: seconds; None leaves the limit to the cancel scope around the call.

    Returns:
        What the handler replied.

    Raises:
        NoHandler: there is no such handler.
        HandlerCrashed: it raised, or returned what it may not, and is not there any more.
        CallTimeout: there was no answer in time; the request may still be handled.
        TypeError: `handler` names none, or `request` is a decorated method.
        NoProcess, WrongServer, ServerExited, CallingSelf, DeadlockError: as `sync_notify`.

    Follows: `gen_event:call/4`.
    """
    split_key(handler)
    refuse_method(request, ref)
    return await send_command(ref, CallHandler(handler, request), timeout)


@public_in("gen_event")
@enable_ki_protection
def send_request(
    ref: Ref,
    handler: HandlerKey,
    request: object,
    label: object = None,
    ids: RequestIds | None = None,
) -> RequestId:
    """Ask one handler without waiting for its answer.

    The answer is taken by `receive_response`, `wait_response` or `check_response`, which are those
    of `otp`, or from a collection. It is the reply of the handler, or an error as of `call`.

    Args:
        ref: the event manager; if nobody is behind it, that is the answer.
        handler: its class, or `(class, id)`; of several, the newest.
        request: what its `handle_call` gets.
        label: what comes with the answer from `ids`.
        ids: a collection to put the request into.

    Returns:
        The id to take the answer with. Without an id nobody gets the answer.

    Raises:
        TypeError: `handler` names none, or an argument is of another kind.
        WrongServer: the reference leads to something else than an event manager.

    >>> import trio, trio_otp as otp
    >>> class Stock(otp.GenEvent):
    ...     def handle_call(self, request):
    ...         return otp.Reply(f"one {request}")
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(otp.EventManager, [Stock]).having(name="s")]):
    ...         request_id = otp.gen_event.send_request("s", Stock, "pear")
    ...         print(await otp.gen_event.receive_response(request_id, timeout=1.0))
    >>> trio.run(main)
    one pear

    Follows: `gen_event:send_request/3`, `send_request/5`.
    """
    split_key(handler)
    if ids is not None and not isinstance(ids, RequestIds):
        raise TypeError(f"ids={bounded(ids)}: expected an otp.RequestIds()")
    refuse_method(request, ref)
    process = find_living(ref)
    if process is not None:
        check_manager(ref, process, "gen_event.send_request")
    request_id = request_ids.send_request(ref, CallHandler(handler, request))
    if ids is not None:
        ids.add(request_id, label)
    return request_id


@public_in("gen_event")
@checkpointed
async def which_handlers(ref: Ref) -> list[HandlerKey]:
    """List the handlers, newest first: their classes, and `(class, id)` where there is an id.

    Args:
        ref: the event manager.

    Raises:
        NoProcess, WrongServer, ServerExited, CallingSelf, DeadlockError: as `sync_notify`.

    Follows: `gen_event:which_handlers/1`.
    """
    handlers: list[HandlerKey] = await send_command(ref, WhichHandlers())
    return handlers


@public_in("gen_event")
@checkpointed
async def stop(ref: Ref, reason: object = NORMAL, *, timeout: float | None = None) -> None:
    """Stop an event manager, after what is queued before, and wait until it is dead.

    Every handler's `terminate` runs first, with SHUTDOWN.

    Args:
        ref: the event manager.
        reason: the exit reason it shall have.
        timeout: seconds to wait; None waits for ever.

    Raises:
        WrongServer: the reference leads to something else than an event manager.
        NoProcess, CallTimeout, ServerExited, CallingSelf, DeadlockError: as `otp.stop`.

    Follows: `gen_event:stop/3`.
    """
    check_manager(ref, need_living(ref), "gen_event.stop")
    await gen_server.stop(ref, reason, timeout=timeout)
