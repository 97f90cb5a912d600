"""Agent: a process that keeps a value, and applies functions to it one at a time.

**Why.** Tasks that share a value need somebody who owns it. An agent is the least there is: no
class of your own, the callers bring the functions.

**Client side** there are `Agent.get`, `update`, `get_and_update` and `cast`; they take any
reference, and with an `otp.Pid[Agent[int]]` the functions are checked against `int`. `otp.stop`
ends it.

**Server side.** The functions are `def` or `async def` and run *in the agent*: a slow one keeps
everybody waiting, and one that raises is the agent's crash. Unlike in Elixir, what `get` gives is
not a copy: keep values that nobody changes, or give out what you computed from them.

**Supervise** it as a server; a restart begins again with what the first function gives.

**When not to use it.** If the value has rules of its own, write a GenServer, whose methods keep
them. If only one task needs the value, a variable will do.

Follows: Elixir's `Agent`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

import outcome
from trio.lowlevel import enable_ki_protection

from .._behaviour.behaviour import finish
from .._behaviour.messages import Cast, Handled
from .._behaviour.published import Published
from .._behaviour.results import Reply
from .._exits.errors import BadReturn
from .._process.checkpoints import checkpointed
from .._process.names import check_class, find_living, need_living
from .._process.request import DEFAULT_TIMEOUT, From, new_request
from .._process.runtime import runtime
from .._util.bounded import bounded
from .._util.checks import check_timeout
from .._util.public import public
from .._util.sent import SENT
from .._util.signature import check_arguments
from .._util.unset import UNSET
from .server import GenServer

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from .._process.names import Atom, HasPid, Ref, Via
    from .._process.pid import Pid

    Name: TypeAlias = Atom | Via | HasPid

T = TypeVar("T")
R = TypeVar("R")
V = TypeVar("V")  # T, where the class is used without an instance


class _AgentValue(Published[Any]):
    """The value of an agent, typed by the class that it is asked of."""

    __slots__ = ()

    if TYPE_CHECKING:

        @overload  # type: ignore[override]  # of no class but Agent
        def __get__(self, instance: None, owner: type[Agent[V]]) -> Published[V]: ...
        @overload
        def __get__(self, instance: Agent[V], owner: object = None) -> V: ...
        def __get__(self, instance: Any, owner: Any = None) -> Any: ...  # type: ignore[override, unused-ignore]  # as above


@public
class Agent(GenServer, Generic[T]):
    """A process that keeps a value of type `T`; `otp.watch(ref, Agent.value)` follows it.

    Args:
        first: gives the first value, in the new process; `def` or `async def`.
        *args: what it is called with.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     counts = otp.child(otp.Agent, lambda: {"tea": 0}).having(name="counts")
    ...     async with otp.open_supervisor([counts]):
    ...         await otp.Agent.update("counts", lambda held: {**held, "tea": held["tea"] + 1})
    ...         print(await otp.Agent.get("counts", lambda held: held["tea"]))
    ...         print(await otp.Agent.get_and_update("counts", lambda held: (len(held), {})))
    >>> trio.run(main)
    1
    1
    """

    value: _AgentValue = _AgentValue(UNSET)

    @overload
    def __init__(self, first: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> None: ...
    @overload
    def __init__(self, first: Callable[..., T], *args: Any) -> None: ...
    def __init__(self, first: Callable[..., Any], *args: Any) -> None:
        if not callable(first):
            raise TypeError(
                f"first={bounded(first)}: expected a function that gives the first value"
            )
        self._first = (first, args)

    async def init(self) -> None:
        """Make the first value."""
        function, args = self._first
        self.value = await finish(function(*args))

    def _status(self) -> Any:
        """Return what reports show of the state: the value."""
        return self.value

    def _sys_state(self) -> Any:
        return self.value

    def _sys_replace(self, state: Any) -> Agent[T]:
        self.value = state
        return self

    @overload
    @staticmethod
    async def get(
        ref: Pid[Agent[V]],
        function: Callable[[V], Coroutine[Any, Any, R]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> R: ...
    @overload
    @staticmethod
    async def get(
        ref: Pid[Agent[V]], function: Callable[[V], R], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> R: ...
    @overload
    @staticmethod
    async def get(
        ref: Name,
        function: Callable[[Any], Coroutine[Any, Any, R]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> R: ...
    @overload
    @staticmethod
    async def get(
        ref: Name, function: Callable[[Any], R], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> R: ...
    @staticmethod
    @checkpointed
    async def get(
        ref: Ref, function: Callable[[Any], Any], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Any:
        """Ask for something about the value.

        Args:
            ref: the agent.
            function: gets the value; what it returns is the answer.
            timeout: seconds; None leaves the limit to the cancel scope around the call.

        Returns:
            What the function returned.

        Raises:
            ServerExited: the function raised, which is the agent's crash, or the agent ended.
            MailboxFull: the mailbox of the agent has a bound, and no room.
            WrongServer: it is not an agent.
            TypeError: the function cannot be called, or not with the value alone.
            NoProcess, CallTimeout, CallingSelf, DeadlockError: as `otp.call`.

        Follows: `Agent.get/3`.
        """
        return await _ask(ref, _Get(function), timeout)

    @overload
    @staticmethod
    async def update(
        ref: Pid[Agent[V]],
        function: Callable[[V], V | Coroutine[Any, Any, V]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> None: ...
    @overload
    @staticmethod
    async def update(
        ref: Name, function: Callable[[Any], Any], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None: ...
    @staticmethod
    @checkpointed
    async def update(
        ref: Ref, function: Callable[[Any], Any], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> None:
        """Change the value, and wait until it is changed.

        Args:
            ref: the agent.
            function: gets the value and returns the new one.
            timeout: seconds, as of `get`.

        Raises:
            ServerExited, WrongServer, NoProcess, TypeError: as `get`.
            CallTimeout, CallingSelf, DeadlockError: as `otp.call`.

        Follows: `Agent.update/3`.
        """
        await _ask(ref, _Update(function), timeout)

    @overload
    @staticmethod
    async def get_and_update(
        ref: Pid[Agent[V]],
        function: Callable[[V], Coroutine[Any, Any, tuple[R, V]]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> R: ...
    @overload
    @staticmethod
    async def get_and_update(
        ref: Pid[Agent[V]],
        function: Callable[[V], tuple[R, V]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> R: ...
    @overload
    @staticmethod
    async def get_and_update(
        ref: Name,
        function: Callable[[Any], Coroutine[Any, Any, tuple[R, Any]]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> R: ...
    @overload
    @staticmethod
    async def get_and_update(
        ref: Name,
        function: Callable[[Any], tuple[R, Any]],
        *,
        timeout: float | None = DEFAULT_TIMEOUT,
    ) -> R: ...
    @staticmethod
    @checkpointed
    async def get_and_update(
        ref: Ref, function: Callable[[Any], Any], *, timeout: float | None = DEFAULT_TIMEOUT
    ) -> Any:
        """Change the value and get an answer, in one step.

        Args:
            ref: the agent.
            function: gets the value and returns a tuple of the answer and the new value; anything
                else is the agent's crash.
            timeout: seconds, as of `get`.

        Returns:
            The answer.

        Raises:
            ServerExited, WrongServer, NoProcess, TypeError: as `get`.
            CallTimeout, CallingSelf, DeadlockError: as `otp.call`.

        Follows: `Agent.get_and_update/3`.
        """
        return await _ask(ref, _GetAndUpdate(function), timeout)

    @overload
    @staticmethod
    def cast(ref: Pid[Agent[V]], function: Callable[[V], V | Coroutine[Any, Any, V]]) -> None: ...
    @overload
    @staticmethod
    def cast(ref: Name, function: Callable[[Any], Any]) -> None: ...
    @staticmethod
    def cast(ref: Ref, function: Callable[[Any], Any]) -> None:
        """Change the value some time; it never blocks and never fails on a dead agent.

        Args:
            ref: the agent.
            function: gets the value and returns the new one.

        Raises:
            WrongServer: it is not an agent.
            TypeError: as `get`.

        Follows: `Agent.cast/2`.
        """
        message = _Update(function)
        process = find_living(ref)
        if process is None:
            runtime().drop(ref, message, "cast to a dead agent")
            return SENT
        check_class(ref, process, Agent, "a function of Agent")
        process.mailbox.offer(Cast(message))
        return SENT


class _Apply(Handled):
    """A function on its way to the value of an agent."""

    __slots__ = ("function",)

    def __init__(self, function: Callable[[Any], Any]) -> None:
        if not callable(function):
            raise TypeError(f"function={bounded(function)}: expected a function of the value")
        check_arguments(function, (None,))  # None stands for the value
        self.function = function

    def __repr__(self) -> str:
        return f"{type(self).__name__.removeprefix('_')}({bounded(self.function)})"

    async def applied(self, ref: Agent[Any]) -> Any:
        """Return what the function makes of the value."""
        return await finish(self.function(ref.value))


class _Get(_Apply):
    __slots__ = ()

    async def run(self, server: Agent[Any], from_: From[Any] | None) -> Any:
        return Reply(outcome.Value(await self.applied(server)))


class _Update(_Apply):
    __slots__ = ()

    async def run(self, server: Agent[Any], from_: From[Any] | None) -> Any:
        server.value = await self.applied(server)
        return None if from_ is None else Reply(None)


class _GetAndUpdate(_Apply):
    __slots__ = ()

    async def run(self, server: Agent[Any], from_: From[Any] | None) -> Any:
        match await self.applied(server):
            case (answer, value) as pair if isinstance(pair, tuple):
                server.value = value
                return Reply(outcome.Value(answer))
            case other:
                raise BadReturn("Agent.get_and_update", other, "a tuple (answer, new_value)")


@enable_ki_protection
async def _ask(ref: Ref, message: _Apply, timeout: float | None) -> Any:
    check_timeout("timeout", timeout)
    process = need_living(ref, message)
    check_class(ref, process, Agent, "a function of Agent")
    return await new_request(process, ref, message, timeout)._wait()
