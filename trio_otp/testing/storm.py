"""Chaos: faults that hit the processes of a tree while a test goes on, the same ones each time.

A storm breaks nothing for ever: a caller of a server that is hit gets an answer or an error, also
without a time-out of its own, at the latest when the block is left.
"""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self, final

import trio
from trio.testing import MockClock

from .._exits.reasons import KILL
from .._inspect.introspect import loop_of, need_even_exiting
from .._process.names import find_living, is_atom, takes_messages
from .._process.runtime import runtime
from .._process.timers import Timer
from .._util.bounded import bounded
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public_in
from .faults import ACTIONS, Fault, schedule_of
from .gates import Gate, is_call, without_caller
from .injection import InjectedCrash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

    from .._process.names import Ref
    from .._process.pid import Pid
    from .._process.process import Process
    from .._process.request import From
    from .faults import Action, Schedule


@public_in("testing")
class ChaosCrash(InjectedCrash):
    """What a server raises, or a process ends with, that a storm lets crash."""


@public_in("testing")
class Hit(NamedTuple):
    """A fault of a storm, and the process that it has hit.

    Args:
        fault: what happened.
        pid: the process that it has hit; None if there was none.
    """

    fault: Fault
    pid: Pid | None


@final
@public_in("testing")
class Storm(NoConstructor, Handle):
    """What `chaos` and `replay` open: a plain `with` block, during which faults happen.

    Its text is code that repeats what has happened so far. An error that leaves the block carries
    it as a note.
    """

    _origin: ClassVar[str] = "otp.testing.chaos(ref, seed=1) returns one"

    def __init__(self, ref: Ref, schedule: Iterable[Fault], origin: str) -> None:
        self.schedule: tuple[Fault, ...] = tuple(schedule)
        self.hits: list[Hit] = []
        self._tree = ref
        self._source = origin
        self._root: Process
        self._timers: list[Timer] = []
        self._victims: dict[Process, Victim] = {}
        self._lost: list[From[Any]] = []  # whose reply is lost, and who have no time-out
        self.over: trio.Event

    # -- life --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        runtime()  # where there is none, that is what to say first
        if not isinstance(trio.lowlevel.current_clock(), MockClock):
            raise RuntimeError(
                f"{self._source} needs virtual time; let the test take the fixture virtual_time, "
                "or write trio.run(main, clock=otp.testing.virtual_clock())"
            )
        if self._timers:
            raise RuntimeError("a storm can be entered only once; make another one")
        tree: Any = self._tree
        if tree is None:
            raise TypeError(
                "ref=None: expected a supervisor; otp_system.supervisor is None until "
                "start_supervised has started something"
            )
        self._root = need_even_exiting(self._tree)
        if loop_of(self._root) is None:
            raise TypeError(f"ref={bounded(self._tree)}: expected a supervisor")
        self.over = trio.Event()
        for fault in self.schedule:
            self._after(fault.at, self._happen, fault)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if isinstance(error, trio.Cancelled):  # of a supervisor that gave up: the note would go
            sys.stdout.write(f"{self}\n")
        elif error is not None:
            error.add_note(str(self))

    def stop(self) -> None:
        """End the storm before the block ends.

        Delays are over, servers that hang are killed, and who waits for a lost reply without a
        time-out gets `CallTimeout`.
        """
        for timer in self._timers:
            runtime().timers.cancel(timer)
        for victim in list(self._victims.values()):
            victim.remove()
        for from_ in self._lost:
            _expire(from_)
        self.over.set()

    def _after(self, seconds: float, what: Callable[[Any], object], about: Any) -> None:
        timer = create(Timer, trio.current_time() + seconds, lambda _: what(about))
        self._timers.append(timer)
        runtime().timers.add(timer)

    # -- faults ------------------------------------------------------------------------------

    def _happen(self, fault: Fault) -> None:
        process = self._target(fault)
        self.hits.append(Hit(fault, None if process is None else process.pid))
        if process is None:
            return
        if fault.action == "kill":
            process.signal(None, KILL)
        elif takes_messages(process):
            victim = self._victims.get(process) or Victim(self, process)
            victim.faults.append(fault)
        else:
            process.signal(None, ChaosCrash(f"chaos, at {fault.at:g} s"))

    def _target(self, fault: Fault) -> Process | None:
        if isinstance(fault.target, int):
            able = [process for process in self._beneath(self._root) if _able(process, fault)]
            return able[fault.target % len(able)] if able else None
        try:
            process = find_living(fault.target)
        except TypeError:  # a via tuple whose registry is something else by now
            return None
        return process if process is not None and _able(process, fault) else None

    def _beneath(self, supervisor: Process) -> Iterator[Process]:
        """Return the living children beneath a supervisor, in the order of the tree."""
        loop = loop_of(supervisor)
        for info in () if loop is None else loop.infos():
            process = None if info.pid is None else find_living(info.pid)
            if process is not None:
                yield process
                yield from self._beneath(process)

    def _lose(self, from_: From[Any], seconds: float) -> None:
        """Record that the reply of a call is lost, and make its caller get a time-out."""
        if from_._timeout is None or from_._timeout == math.inf:
            self._lost.append(from_)
            self._after(seconds, _expire, from_)

    # -- what it says ------------------------------------------------------------------------

    def __str__(self) -> str:
        """Return the code that repeats what has happened so far."""
        tree = bounded(self._tree) if is_atom(self._tree) else "tree"
        lines = [f"        {hit.fault!r},  # {_shown(hit.pid)}\n" for hit in self.hits]
        code = f"    with replay({tree}, [\n{''.join(lines)}    ]):"
        return f"{self._source}; to repeat it write\n{code}"

    def __repr__(self) -> str:
        return f"<{self._source}: {len(self.hits)} of {len(self.schedule)} faults so far>"


class Victim(Gate):
    """The gate of a server that has faults to come, one for a message."""

    def __init__(self, storm: Storm, process: Process) -> None:
        super().__init__(process)
        self.faults: list[Fault] = []
        self._storm = storm
        storm._victims[process] = self

    def remove(self) -> None:
        """Open the gates to messages again."""
        del self._storm._victims[self.process]
        super().remove()

    async def admit(self, message: Any) -> Any:
        """Inject the next fault, if one can happen to this message."""
        fault = self._next(message)
        if fault is None:
            return message
        match fault.action:
            case "crash":
                raise ChaosCrash(f"chaos, at {fault.at:g} s")
            case "delay":
                await self._wait(fault)
            case "hang":
                await self._wait(fault)
                self.process.signal(None, KILL)
                await trio.sleep_forever()
            case _:
                self._storm._lose(message, fault.lasts)
                return without_caller(message)
        return message

    def _next(self, message: Any) -> Fault | None:
        """Take the next fault that can happen to a message."""
        for fault in self.faults:
            if fault.action != "drop_reply" or is_call(message, self.process):
                self.faults.remove(fault)
                if not self.faults:
                    self.remove()
                return fault
        return None

    async def _wait(self, fault: Fault) -> None:
        with trio.move_on_after(fault.lasts):
            await self._storm.over.wait()


def _able(process: Process, fault: Fault) -> bool:
    """Check whether a fault can happen to a process."""
    if fault.action == "kill":
        return True
    if takes_messages(process):
        return loop_of(process) is None
    return fault.action == "crash" and not process.trap_exit


def _expire(from_: From[Any]) -> None:
    if not from_._done:
        from_.expire()


def _shown(pid: Pid | None) -> str:
    return "nobody was there" if pid is None else repr(pid)


@public_in("testing")
def chaos(
    ref: Ref,
    *,
    seed: int = 0,
    rate: float = 0.2,
    seconds: float = 60.0,
    actions: Iterable[Action] = ACTIONS,
) -> Storm:
    """Inject faults into the children beneath a supervisor, while a plain `with` block runs.

    The faults are those of the seed. Whom they hit depends on what is there at the time, so a
    run is the same as another one if the order of its tasks is: see `task_order`. The supervisor
    gives up if there are more restarts than its `max_restarts` allows, as ever.

    Args:
        ref: the supervisor; it is not hit itself.
        seed: a whole number.
        rate: faults a second, on average.
        seconds: how long the storm lasts; the block may take longer.
        actions: what can happen, words of `Fault`; one that is listed twice happens twice as often.

    Returns:
        The block. An error that leaves it carries a note with the code that repeats it.

    Raises:
        ValueError: a number or an action is not accepted.
        TypeError: the seed or the tree is not accepted.
        NoProcess: on entering, there is no such supervisor.
        RuntimeError: on entering, the clock of the run is no `MockClock`.
    """
    faults = schedule_of(seed, rate, seconds, actions)
    return create(Storm, ref, faults, f"chaos(seed={seed}, rate={rate:g})")


@public_in("testing")
def replay(ref: Ref, schedule: Schedule) -> Storm:
    """Inject certain faults into the children beneath a supervisor while a plain `with` block runs.

    Args:
        ref: the supervisor; it is not hit itself.
        schedule: the faults.

    Returns:
        The block, as of `chaos`.

    Raises:
        TypeError: the schedule has something else in it, or the tree is not a supervisor.
        NoProcess: on entering, there is no such supervisor.
        RuntimeError: on entering, the clock of the run is no `MockClock`.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import Fault, replay, virtual_clock
    >>> async def main():
    ...     children = [otp.child(otp.Agent, dict).having(name="cache")]
    ...     async with otp.open_supervisor(children, name="top"):
    ...         with replay("top", [Fault(0.5, "kill"), Fault(1.0, "drop_reply")]):
    ...             await trio.sleep(2)
    ...             try:
    ...                 await otp.Agent.get("cache", len)
    ...             except otp.CallTimeout as exc:
    ...                 print(exc)
    ...             print(await otp.Agent.get("cache", len))
    >>> trio.run(main, clock=virtual_clock())
    'cache' did not answer within 5 s ...: idle, and has left this call without an answer
    0
    """
    faults = list(schedule)
    for fault in faults:
        if not isinstance(fault, Fault):
            raise TypeError(f"schedule has {bounded(fault)} in it; expected only Fault objects")
    return create(Storm, ref, faults, "replay")
