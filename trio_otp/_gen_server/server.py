"""GenServer: a process that keeps state and answers calls, one message at a time.

**Why.** What several tasks share needs an owner: somebody who changes it in one place, in the order
of the requests, and whose end is noticed. A server is that owner, and nobody waits on a dead one.

**Client side** `otp.call` waits for an answer, `otp.cast` and `otp.send` do not; `otp.stop` ends
it. Methods decorated by `otp.on_call` and its like put a typed client over them, which is how most
servers are written.

**Server side** the instance is the state, and only the server's own task touches it. Callbacks are
`def` or `async def`; while one waits, the next message does too. A long piece of work goes to a
task, which answers for the server: `NoReply()` and `otp.reply_from_task`.

**Supervise** it by listing the class, or `otp.child(Class, *args).having(name=)`, with a
supervisor; a restart makes a new instance. Inside a process `otp.start_link` starts one that is
linked.

**When not to use it.** For work without state that others ask for, a plain async function or
`otp.task` will do; for a value without rules there is `otp.Agent`.

The file is long by the docstrings of what is both the base class and its functions.

Follows: Elixir's `GenServer`, Erlang's `gen_server`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, TypeVarTuple

from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import Behaviour
from .._behaviour.info_methods import enter_info_methods
from .._behaviour.messages import Cast, Terminate, log_unexpected
from .._behaviour.results import as_outcome
from .._exits.call_errors import CallingSelf, CallTimeout
from .._exits.errors import BadReturn, NoCallback, SpecError
from .._exits.reasons import NORMAL
from .._process.checkpoints import checkpointed, refusal
from .._process.doing import doing_text
from .._process.identity import callers_for
from .._process.names import METHODS, find_living, need_living, refuse_method, takes_messages
from .._process.request import DEFAULT_TIMEOUT, From, new_request
from .._process.runtime import calling_process, need_process, runtime
from .._process.wait_edges import await_ends, enter_wait, leave_wait
from .._start.spec import Runnable
from .._start.start import Start
from .._util.async_functions import check_async, expect_awaitable
from .._util.bounded import bounded, label_of
from .._util.checks import check_timeout, is_seconds
from .._util.public import public
from .._util.sent import SENT
from .client import OWN, Client
from .loop import ServerLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    import outcome

    from .._behaviour.results import CallResult, CastResult, InfoResult, InitResult
    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process
    from ..events.propagation import Attached

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@public
class GenServer(Behaviour):
    """The base class of servers; override the callbacks you need.

    The constructor runs in the new process, before `init`, at every start and restart. It and
    every callback may be `def` or, but for the constructor, `async def`.

    A callback that raises crashes the server: `terminate` is called, every caller waiting for it
    gets `ServerExited`, and the supervisor restarts it from its constructor.

    A class of which there are very many, most of them idle, may set `hibernate_after`, in seconds:
    a server that has been idle for that long sleeps without a task, in less than a kilobyte beside
    its state, until the next message. Nothing else about it changes. With 0 it sleeps whenever it
    has nothing to do. What belongs to a task and not to a process has no place in such a class: a
    `trio.Lock` that is held from one callback to the next, a cancel scope that is left open. An
    open nursery and a `timeout=` keep it awake.

    >>> import trio, trio_otp as otp
    >>> class Counter(otp.GenServer):
    ...     def __init__(self, start: int = 0) -> None:
    ...         self.count = start
    ...     def handle_call(self, request, from_):
    ...         self.count += request
    ...         return otp.Reply(self.count)
    >>> async def main():
    ...     async with otp.open_process():
    ...         counter = await otp.start_link(otp.child(Counter, 10))
    ...         print(await otp.call(counter, 5))
    >>> trio.run(main)
    15
    """

    enters_scope_itself: ClassVar[bool] = True
    takes_marks: ClassVar[tuple[str, ...]] = ("gen_server",)
    info_methods: ClassVar[dict[type[Any], str]] = {}  # {message type: method of `on_info`}
    hibernate_after: ClassVar[float | None] = None  # idle seconds until it sleeps; None: never

    @classmethod
    def _enter(cls, members: dict[str, Any]) -> None:
        """Enter the methods of `on_info`, and check when to sleep.

        Raises:
            SpecError: `hibernate_after` is not a number of seconds.
        """
        cls.info_methods = enter_info_methods(cls, members)
        after: object = cls.hibernate_after
        if after is not None and not is_seconds(after):
            raise SpecError(
                f"class {cls.__name__}: hibernate_after={bounded(after)}: "
                "expected a number of seconds >= 0, or None"
            )

    @classmethod
    def at(cls, ref: Ref | None = None, *, timeout: float | None = OWN) -> Self:
        """Return a typed client: the decorated methods of the class, sent to `ref`.

        Args:
            ref: the server; the class itself, as a name, if left out.
            timeout: seconds that each call of this client waits, in the place of the time-outs of
                its methods; None leaves the limit to the cancel scope around the call. If left
                out, those of the methods hold.

        Raises:
            TypeError: `ref` is not a reference.
            ValueError: `timeout` is not a number of seconds >= 0.
        """
        client: Any = Client(cls, cls if ref is None else ref, timeout)
        instance: Self = client  # for checkers: it has the methods of one
        return instance

    def init(self) -> InitResult | Awaitable[InitResult]:
        """Prepare; the starter waits until it is over.

        Returns:
            None, `NoReply(timeout=, continue_=)`, `Stop(reason)` or `IGNORE`.
        """

    def handle_call(
        self, request: Any, from_: From[Any]
    ) -> CallResult[Any] | Awaitable[CallResult[Any]]:
        """Answer `otp.call`.

        Args:
            request: what the caller sent.
            from_: the caller, to keep for `otp.reply` if the answer comes later.

        Returns:
            `Reply(value)`, `Stop(reason, reply=)`, or `NoReply()` if `otp.reply` answers later.

        Raises:
            NoCallback: it is not overridden; the server crashes.
        """
        raise NoCallback("handle_call", self, request)

    def handle_cast(self, message: Any) -> CastResult | Awaitable[CastResult]:
        """Take what `otp.cast` sent.

        Args:
            message: what the sender sent.

        Returns:
            None, `NoReply(timeout=, continue_=)` or `Stop(reason)`.

        Raises:
            NoCallback: it is not overridden; the server crashes.
        """
        raise NoCallback("handle_cast", self, message)

    def handle_info(self, message: Any) -> InfoResult | Awaitable[InfoResult]:
        """Take a plain message: of `otp.send`, or `Down`, `Exit`, `Timeout`.

        A server that does not override it logs what it did not expect and lives.

        Args:
            message: what arrived; a method of `on_info` gets it if its type fits.

        Returns:
            None, `NoReply(timeout=, continue_=)` or `Stop(reason)`.
        """
        for kind in type(message).__mro__:
            if kind in self.info_methods:
                method: Callable[[Any], InfoResult] = getattr(self, self.info_methods[kind])
                return method(message)
        log_unexpected(need_process("handle_info"), message)
        return None

    def handle_continue(self, token: Any) -> InfoResult | Awaitable[InfoResult]:
        """Go on after a callback that returned `continue_=token`, before any message.

        Args:
            token: what the callback returned; any value but None.

        Returns:
            None, `NoReply(timeout=, continue_=)` or `Stop(reason)`.

        Raises:
            NoCallback: it is not overridden; the server crashes.
        """
        raise NoCallback("handle_continue", self, token)

    def terminate(self, reason: object) -> Any:
        """Clean up. Called once: on Stop, a crash, `otp.stop`, a supervisor's or outer shutdown.

        Not called on a kill, on another exit signal that is not trapped, or if init failed.

        Args:
            reason: why the server ends.

        Returns:
            Nothing; what is returned is ignored.
        """

    def _sys_replace(self, state: Any) -> Behaviour:
        """Take the instance, or another of its class."""
        if state.__class__ is not self.__class__:
            hint = "; changed in place, it is returned as well" if state is None else ""
            raise BadReturn("the function", state, f"a {type(self).__name__}{hint}")
        instance: Behaviour = state
        return instance

    @classmethod
    def run_process(
        cls, process: Process, make: Callable[[], Behaviour]
    ) -> Coroutine[Any, Any, Any]:
        """Run the body of the process."""
        return cls._new_loop(process).run(make)

    @classmethod
    def _wake_process(cls, process: Process) -> Coroutine[Any, Any, Any]:
        """Resume the body of a process that has slept."""
        return cls._new_loop(process).go_on()

    @classmethod
    def _sleeps_after(cls, process: Process) -> float | None:
        """Do as the class says; but what has begun as a function of the user stays awake."""
        return cls.hibernate_after if process.body is None else None

    @classmethod
    def _new_loop(cls, process: Process) -> ServerLoop:
        """Make what drives an instance in a process."""
        return ServerLoop(process)


@public
@enable_ki_protection
async def call(ref: Ref, request: object, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
    """Ask a server and wait for its answer.

    Args:
        ref: the server.
        request: what its `handle_call` gets.
        timeout: seconds; None leaves the limit to the cancel scope around the call.

    Returns:
        What the server replied.

    Raises:
        NoProcess: nobody is behind the reference.
        CallTimeout: there was no answer in time. The request may still be handled; a late answer
            is dropped.
        ServerExited: the server ended first.
        MailboxFull: the mailbox has a bound, and no room for the call.
        CallingSelf: a server called itself.
        DeadlockError: the server waits, over others perhaps, for the caller.
        TypeError: `ref` is not a reference, or the request is a decorated method.

    Follows: `GenServer.call/3`.
    """
    try:
        if timeout is not DEFAULT_TIMEOUT:
            check_timeout("timeout", timeout)
        if request.__class__ in METHODS:
            refuse_method(request, ref)
        waiting = new_request(need_living(ref, request), ref, request, timeout)._wait()
    except Exception:
        await refusal()
        raise
    return await waiting


@public
@enable_ki_protection
def cast(ref: Ref, message: object) -> None:
    """Send a message that is not answered. It never blocks and never fails on a dead server.

    Args:
        ref: the server; if nobody is behind it the message is counted as dropped.
        message: what its `handle_cast` gets.

    Raises:
        MailboxFull: the mailbox has a bound that refuses one more; `otp.cast_wait` waits for room.
        TypeError: `ref` is not a reference, or the message is a decorated method.

    Follows: `GenServer.cast/2`.
    """
    if message.__class__ in METHODS:
        refuse_method(message, ref)
    process = find_living(ref)
    if process is None:
        runtime().drop(ref, message, "cast to a dead server")
    else:
        process.mailbox.offer(Cast(message))
    return SENT


@public
@enable_ki_protection
def reply(from_: From[T], value: T | outcome.Outcome[T]) -> bool:
    """Answer a call, from any process, at any time.

    Args:
        from_: the caller, as `handle_call` got it.
        value: the answer; an `outcome.Error(exc)` raises `exc` in the caller. What Python or Trio
            would take for something else there, as StopIteration, is the cause of a RuntimeError.

    Returns:
        Whether the caller was still waiting; a second or late reply is counted and dropped.

    Raises:
        TypeError: `from_` is something else.

    Follows: `GenServer.reply/2`.
    """
    if not isinstance(from_, From):
        raise TypeError(f"from_={bounded(from_)}: expected the From that handle_call was given")
    here = runtime()
    if from_._server.runtime is here and from_._answer_with(as_outcome(value)):
        return True
    here.drop(from_, value, "reply to a caller that is gone")
    return False


@public
@checkpointed
async def stop(ref: Ref, reason: object = NORMAL, *, timeout: float | None = None) -> None:
    """Stop a server, after what is queued before, and wait until it is dead.

    A plain process and a WorkerThread, which handle no such message, are cancelled instead.

    Args:
        ref: the server.
        reason: the exit reason it shall have.
        timeout: seconds to wait; None waits for ever. The server ends also after a time-out.

    Raises:
        NoProcess: nobody is behind the reference.
        CallTimeout: it did not end in time.
        ServerExited: it ended with another reason.
        CallingSelf, DeadlockError: as `call`.

    Follows: `GenServer.stop/3`.
    """
    check_timeout("timeout", timeout)
    process = need_living(ref).incarnation()
    edge = calling_process()
    try:
        if takes_messages(process):
            edge = enter_wait(process, ref, None)
            process.mailbox.put(Terminate(reason))
        else:  # what it waits for is over
            if edge is process:
                what, cure = "waits for its own end", "return Stop(reason), or otp.exit(reason)"
                raise CallingSelf(ref, what=what, cure=cure)
            process.exit_with(reason, run_terminate=True)
            await_ends(edge, {process: None})
        end = await process.wait_dead(timeout)
    finally:
        leave_wait(edge)
        process.release()
    if not process.dead:
        raise CallTimeout(ref, None, timeout or 0.0, doing=doing_text(process))
    if end != reason:
        raise process.error_of_end(ref, end)


@public
@enable_ki_protection
def reply_from_task(
    from_: From[T], fn: Callable[[*Ts], Awaitable[T | outcome.Outcome[T]]], *args: *Ts
) -> Pid:
    """Answer a call from a helper process, so that the server can go on.

    What the helper returns is the answer. If it raises, or ends in any other way, the caller gets
    `ServerExited` with that reason, and the server lives. When the server ends, so does the helper.

    Args:
        from_: the caller, as `handle_call` got it; the handler then returns `NoReply()`.
        fn: the async function.
        *args: what it is called with.

    Returns:
        The pid of the helper.

    Raises:
        NotAProcess: in plain Trio code.
        TypeError: `fn` is not an async function, or does not take `args`.

    Follows: the `Task` and `GenServer.reply/2` idiom of Elixir.
    """
    check_async(fn, args, "otp.reply_from_task(from_, fn, *args)")
    server = need_process("otp.reply_from_task")

    carried: list[Attached] = []  # what has travelled with the call

    async def body(helper: Process) -> None:
        if from_.context is not None:
            carried.append(helper.runtime.events._attached(from_.context))
        reply(from_, await expect_awaitable(fn, fn(*args)))

    def died(helper: Process) -> None:
        for each in carried:  # not before: its crash is reported with that
            each.detach()
        from_._server_died(helper.exit_reason)

    label = f"reply:{label_of(fn)}"
    helper = Start(Runnable(label, body), server.nursery, server).create()
    helper.work_for(callers_for(server))
    helper.add_watcher(died)
    _end_with(server, helper)
    return helper.pid


def _end_with(server: Process, helper: Process) -> None:
    def end(_: Process) -> None:
        helper.exit_with(server.exit_reason)

    def forget(_: Process) -> None:
        server.remove_watcher(end)

    server.add_watcher(end)
    helper.add_watcher(forget)
