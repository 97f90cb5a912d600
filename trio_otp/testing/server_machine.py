"""State machines of hypothesis that talk to a real, supervised server which is made to crash.

A rule calls the server and compares the answer with a model; other rules, which are there already,
kill the server between calls and let it crash with calls in hand. After each restart the model is
told, and from then on says what a fresh server knows.

In a test module `TestCounter = CounterMachine.TestCase` is all there is to add.

The file is long by the docstrings of what a machine may override.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, TypeVarTuple

import trio
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from .._exits.call_errors import ServerExited
from .._exits.reasons import KILL
from .._gen_server.server import call, cast
from .._inspect.introspect import loop_of
from .._log.reports import log_crash, log_supervisor
from .._process.names import find_living, takes_messages
from .._process.request import DEFAULT_TIMEOUT
from .._start.child import as_child
from .._supervisor.open_supervisor import open_supervisor
from .._util.bounded import bounded
from .._util.public import public_in
from .gates import Gate, is_call, without_caller
from .guest_loop import LONGEST, GuestLoop
from .injection import MachineCrash

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from hypothesis.strategies import SearchStrategy

    from .._process.pid import Pid
    from .._process.process import Process
    from .._start.child import Child
    from ..events import CrashReport, Events
    from .guest_loop import Pending

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
ANY_NUMBER: Final = 1_000_000  # of restarts
RESTART_LIMIT: Final = 60  # seconds in which the server has to be there again


class _Holds(Gate):
    """Holds the first message until the server is to crash."""

    def __init__(self, process: Process) -> None:
        super().__init__(process)
        self.crash = trio.Event()

    async def admit(self, message: Any) -> Any:
        await self.crash.wait()
        raise MachineCrash


class _LosesReply(Gate):
    """Loses the reply of the first call."""

    async def admit(self, message: Any) -> Any:
        if not is_call(message, self.process):
            return message
        self.remove()
        return without_caller(message)


def _log_less(events: Events) -> None:
    """Leave out of the log what hypothesis causes by the hundred."""
    events.detach("supervisor", log_supervisor)
    events.detach("crash", log_crash)
    events.attach("crash", _log_crash)


def _log_crash(report: CrashReport) -> None:
    if not isinstance(report.reason, MachineCrash):
        log_crash(report)


@public_in("testing")
class ServerMachine(RuleBasedStateMachine):
    """The base of state machines of a server; say which one in `child`, and add rules.

    The server lives under a supervisor in a Trio run with virtual time, which starts before the
    first rule and stands still between rules. What the machine itself does to the server is not
    logged.

    >>> import trio_otp as otp
    >>> from hypothesis import settings, strategies as st
    >>> from hypothesis.stateful import rule, run_state_machine_as_test
    >>> from trio_otp.testing import ServerMachine
    >>> class Counter(otp.GenServer):
    ...     def __init__(self):
    ...         self.count = 0
    ...     def handle_call(self, request, from_):
    ...         self.count += request
    ...         return otp.Reply(self.count)
    >>> class CounterMachine(ServerMachine):
    ...     count = 0
    ...     def child(self):
    ...         return otp.child(Counter)
    ...     def restarted(self):
    ...         self.count = 0
    ...     @rule(number=st.integers(0, 9))
    ...     def add(self, number):
    ...         self.count += number
    ...         assert self.call(number) == self.count
    >>> import logging
    >>> logging.disable(logging.CRITICAL)
    >>> run_state_machine_as_test(CounterMachine, settings=settings(max_examples=5))
    >>> logging.disable(logging.NOTSET)
    """

    # What a call that is lost may ask for. With it the server also crashes after it has handled a
    # request and before the answer; `lost` tells the model.
    requests: ClassVar[SearchStrategy[Any] | None] = None

    def __init__(self) -> None:
        super().__init__()
        self._loop: GuestLoop | None = None
        self._child: Child[Any]
        self._living: Pending[None]
        self._supervisor: Process
        self._pid: Pid

    # -- what a test says --------------------------------------------------------------------

    def child(self) -> Any:
        """Return the server under test, as a supervisor takes it.

        Raises:
            NotImplementedError: the machine does not say.
        """
        # Not abstract: Hypothesis makes machines, and would show less of what is missing.
        raise NotImplementedError(
            f"{type(self).__name__} has no server; write def child(self): return otp.child(...)"
        )

    def others(self) -> Sequence[Any]:
        """Return the children that it needs; they start before it."""
        return ()

    def restarted(self) -> None:
        """Record in the model that the server has been started anew."""

    def lost(self, request: Any) -> None:
        """Record in the model that this request of `requests` was handled, and then came a crash.

        It was handled as far as that takes no time; `restarted` is called after this.

        Args:
            request: what was asked.
        """

    async def request(self, request: Any) -> Any:
        """Ask for something that `requests` has drawn; override it for a client with methods.

        Args:
            request: what was drawn.

        Returns:
            The answer, which nobody gets.
        """
        return await call(self.pid, request)

    # -- what rules do -----------------------------------------------------------------------

    @property
    def loop(self) -> GuestLoop:
        """Return the run, started if it is not yet."""
        if self._loop is None:
            self._child = as_child(self.child())
            self._loop = GuestLoop()
            started = trio.Event()
            self._living = self._loop.begin(self._live, started)
            self._run_until_started(started)
            self._pid = self._present()
            process = self._process()
            if not takes_messages(process) or loop_of(process) is not None:
                raise TypeError(f"child() returned {self._child!r}; expected a server")
        return self._loop

    @property
    def pid(self) -> Pid:
        """Return the present pid of the server."""
        self.loop  # noqa: B018 - starts it
        return self._pid

    def run(self, fn: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
        """Run an async function to its end; time passes if it waits for that.

        Args:
            fn: the function.
            *args: what it is called with.

        Returns:
            What it returned.

        Raises:
            Exception: what it raised.
        """
        try:
            result = self.loop.run(fn, *args)
        except Exception:  # of others the run may have ended
            self.settle()
            raise
        self.settle()
        return result

    def call(self, request: Any, *, timeout: float | None = DEFAULT_TIMEOUT) -> Any:
        """Call the server.

        Args:
            request: what it gets.
            timeout: seconds, of virtual time.

        Returns:
            Its answer.

        Raises:
            CallError: there is none, as of `otp.call`.
        """
        return self.run(partial(call, timeout=timeout), self.pid, request)

    def cast(self, message: Any) -> None:
        """Cast to the server, and let it be handled.

        Args:
            message: what it gets.
        """
        cast(self.pid, message)
        self.settle()

    def settle(self) -> None:
        """Run everything that takes no time; if the server is a new one, tell the model."""
        self.loop.settle()
        self._follow()

    def advance(self, seconds: float) -> None:
        """Advance time, with whatever happens in it.

        Args:
            seconds: how much.

        Raises:
            ValueError: the time is negative or no finite number.
        """
        self.loop.advance(seconds)
        self._follow()

    # -- rules that are there already ----------------------------------------------------------

    @rule()
    def kill_between_calls(self) -> None:
        """The server is killed while it waits for messages."""
        self._process().signal(None, KILL)
        self.settle()

    @rule(callers=st.integers(1, 3), kill=st.booleans())
    def crash_during_calls(self, callers: int, kill: bool) -> None:
        """The server crashes, or is killed, with one call in hand and others queued.

        Args:
            callers: how many calls there are.
            kill: whether it is killed; else it crashes.
        """
        gate = _Holds(self._process())
        calls = [
            self.loop.begin(partial(call, timeout=None), self.pid, "a call") for _ in range(callers)
        ]
        if kill:
            self._process().signal(None, KILL)
        else:
            gate.crash.set()
        self.loop.settle()
        self._check_lost(calls)
        self.settle()

    @precondition(lambda self: self.requests is not None)
    @rule(data=st.data())
    def crash_before_the_answer(self, data: st.DataObject) -> None:
        """The server is killed when it has handled a call, before its caller has the answer.

        Args:
            data: what draws the request.
        """
        assert self.requests is not None
        request = data.draw(self.requests, label="request")
        _LosesReply(self._process())
        asked = self.loop.begin(self.request, request)
        self._process().signal(None, KILL)
        self.loop.settle()
        self._check_lost([asked])
        self.lost(request)
        self.settle()

    def check_invariants(self, *args: Any, **kwargs: Any) -> None:
        """Start the server, if this is before the first rule; then as hypothesis does.

        Args:
            *args: those of hypothesis.
            **kwargs: likewise.
        """
        self.loop  # noqa: B018 - starts it
        super().check_invariants(*args, **kwargs)

    def teardown(self) -> None:
        """Stop the server, and end the run."""
        if self._loop is not None:
            self._loop.close()

    # -- inside --------------------------------------------------------------------------------

    async def _live(self, started: trio.Event) -> None:
        try:
            children = [*self.others(), self._child]
            async with open_supervisor(children, max_restarts=ANY_NUMBER) as supervisor:
                process = supervisor.pid._process
                assert process is not None
                self._supervisor = process
                _log_less(process.runtime.events)
                started.set()
                await trio.sleep_forever()
        finally:
            started.set()

    def _run_until_started(self, started: trio.Event) -> None:
        assert self._loop is not None
        try:
            self._loop.run(started.wait)
        except trio.TooSlowError:
            text = f"{self._child!r}, or one of others(), did not start within {LONGEST:g} s"
            raise trio.TooSlowError(text) from None

    def _present(self) -> Pid:
        """Return the pid of the server, when it has been started anew if need be."""
        for _ in range(RESTART_LIMIT):
            if self._living.done:
                self._living.result()
            if (pid := self._seen()) is not None:
                return pid
            self.loop.advance(1)
        raise AssertionError(f"{self._child!r} has ended and was not restarted")

    def _seen(self) -> Pid | None:
        loop = loop_of(self._supervisor)
        infos = () if loop is None else loop.infos()
        pids = [info.pid for info in infos if info.id == self._child.spec.id]
        return pids[0] if pids and pids[0] is not None and find_living(pids[0]) else None

    def _process(self) -> Process:
        process = self.pid._process
        assert process is not None
        return process

    def _follow(self) -> None:
        pid = self._present()
        if pid is not self._pid:
            self._pid = pid
            self.restarted()

    def _check_lost(self, calls: Sequence[Pending[Any]]) -> None:
        """Nobody hangs on the dead: each caller has the end of the server for an answer.

        They have it when `terminate` is over, which may take its time.
        """
        for _ in range(RESTART_LIMIT):
            if all(pending.done for pending in calls):
                break
            self.loop.advance(1)
        for number, pending in enumerate(calls, start=1):
            who = f"caller {number} of {len(calls)} of the server that crashed"
            assert pending.done, f"{who} waits for ever"
            try:
                value = pending.result()
            except ServerExited:
                continue
            raise AssertionError(f"{who} got the answer {bounded(value)}")
