"""The processes of one test: started under a supervisor, looked after, stopped at its end.

The test is a process that traps exits: `otp.self()`, `otp.monitor` and `otp.start_link` work in it.

Follows: ExUnit's `start_supervised/2`, and that each test of it is a process.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, final, overload

import trio
import trio.testing

from .._behaviour.behaviour import Behaviour
from .._exits.errors import AlreadyRegistered, ChildNotFound
from .._process.block import block
from .._process.checkpoints import checkpointed
from .._process.names import check_name, find_living, has_pid, is_atom, is_via, take_name
from .._process.nursery import own_nursery_of
from .._process.open_process import open_process
from .._process.pid import Pid
from .._process.runtime import own_process, runtime
from .._start.child import Child, child
from .._start.start import Start, start_and_wait
from .._supervisor.management import delete_child, start_child, terminate_child, which_children
from .._supervisor.supervisor import Supervisor
from .._util.bounded import bounded
from .._util.copies import Handle, NoConstructor, create
from .._util.public import public_in
from .assertions import ENDS
from .errors import UnknownServer, UsedAfterTest
from .held_loop import HeldLoop
from .leaks import (
    Leaked,
    leaked_processes,
    messages_text,
    names_text,
    process_text,
    tasks_of,
    tasks_text,
    timers_text,
)
from .log import OtpLog, crash_text
from .mailboxes import messages_of
from .probe import Probe
from .tree_shape import ROOT

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator

    from .._process.names import Ref
    from .._process.process import Process
    from .._task.handle import Task

S = TypeVar("S")
B = TypeVar("B", bound=Behaviour)
MANY: Final = 300  # restarts, after which the supervisor of a test gives up
SECONDS: Final = 5  # in which they have to be
SHOWN: Final = 10  # crashes that are listed


@final
@public_in("testing")
class OtpSystem(NoConstructor, Handle):
    """What a test runs: the fixture `otp_system` is one, `open_system` gives one elsewhere.

    Args:
        process: the process that the test is.
        test: its name.
    """

    _origin: ClassVar[str] = "otp.testing.open_system() yields one"

    def __init__(self, process: Process, test: str) -> None:
        self.log: OtpLog = create(OtpLog, test)
        self._process = process
        self._test = test
        self._open = False
        self._supervisor: Pid[Supervisor] | None = None
        self._probes: list[Probe] = []
        self._alive: dict[Pid, Process] = {}
        self._ends: dict[Pid, object] = {}  # exit reasons
        self._outer: dict[str, Any] = {}  # what is kept for the test that this one is a part of
        self._tasks: list[Task[Any]] = []  # those whose process has ended
        self._held: HeldLoop | None = None

    def __repr__(self) -> str:
        return f"<OtpSystem of {self._test}>"

    @property
    def pid(self) -> Pid:
        """The process that the test is."""
        return self._process.pid

    @property
    def supervisor(self) -> Pid[Supervisor] | None:
        """The supervisor of what `start_supervised` has started; None if nothing was."""
        return self._supervisor

    # -- what a test does --------------------------------------------------------------------

    @overload
    async def start_supervised(self, child: Callable[[], B]) -> Pid[B]: ...
    @overload
    async def start_supervised(self, child: Callable[[], Awaitable[object]]) -> Pid[None]: ...
    @overload
    async def start_supervised(self, child: Child[S]) -> Pid[S]: ...
    @checkpointed
    async def start_supervised(self, child: Any) -> Any:
        """Start a child under the supervisor of the test, which stops it at the end.

        Args:
            child: what to start: `otp.child(...)`, a behaviour class or an async function.

        Returns:
            Its pid, or None if its init returned IGNORE.

        Raises:
            SpecError, StartError, AlreadyStarted, ChildAlreadyPresent: as `otp.start_child`.
            UsedAfterTest: the test is over.

        Follows: ExUnit's `start_supervised!/2`.
        """
        self._check("start_supervised")
        if self._supervisor is None:
            await self._start_supervisor()
        assert self._supervisor is not None
        return await start_child(self._supervisor, child)

    async def _start_supervisor(self) -> None:
        wanted = child(Supervisor, [], max_restarts=MANY, max_seconds=SECONDS)
        ordered = own_nursery_of(self._process)
        process = await start_and_wait(
            Start(wanted.runs, ordered, self._process, wanted.spec, link=True)
        )
        assert process is not None
        self._supervisor = process.pid
        runtime().extras[ROOT] = process.pid

    @checkpointed
    async def stop_supervised(self, ref: Ref) -> None:
        """Stop a child that `start_supervised` has started, within its limit, and forget it.

        Args:
            ref: its pid, its name, or its id.

        Raises:
            UnknownServer: the supervisor of the test has no such child.
            UsedAfterTest: the test is over.

        Follows: ExUnit's `stop_supervised!/1`.
        """
        self._check("stop_supervised")
        await trio.lowlevel.checkpoint()
        sup = self._supervisor
        children = [] if sup is None else await which_children(sup)
        process = find_living(ref) if _can_be_found(ref) else None
        for info in children:
            if info.id == ref or (process is not None and info.pid is process.pid):
                assert sup is not None
                await terminate_child(sup, info.id)
                with suppress(ChildNotFound):  # a temporary one is forgotten as it ends
                    await delete_child(sup, info.id)
                return
        error = UnknownServer("stop_supervised", ref)
        started = ", ".join(bounded(info.id) for info in children) or "nothing"
        error.args = (f"stop_supervised: no child {bounded(ref)}; started are: {started}",)
        raise error

    def probe(self, *, name: Any = None, serves: type[Any] | None = None) -> Probe:
        """Make a probe.

        Args:
            name: a name for it.
            serves: a server class whose client methods it is to take, as `Cache`.

        Raises:
            AlreadyRegistered: the name is taken.
            UsedAfterTest: the test is over.
            TypeError: an argument is not accepted.
        """
        self._check("otp_system.probe")
        if serves is not None and not (isinstance(serves, type) and issubclass(serves, Behaviour)):
            raise TypeError(f"serves={bounded(serves)}: expected a server class")
        if name is not None:
            check_name(name)
            rival = find_living(name)
            if rival is not None:
                raise AlreadyRegistered(name, rival.pid)
        probe = create(Probe, own_nursery_of(self._process), self._test, serves)
        if name is not None:
            take_name(probe._process, name)
        self._probes.append(probe)
        return probe

    def _check(self, what: str) -> None:
        if not self._open:
            raise UsedAfterTest(what, self._test)

    # -- its life ----------------------------------------------------------------------------

    def open(self) -> None:
        """Begin to listen to what happens."""
        self._open = True
        self.log.open()
        tables = runtime()
        self._outer = {key: tables.extras.get(key) for key in (ENDS, ROOT)}
        self._ends.update(self._outer[ENDS] or {})
        if HeldLoop not in tables.extras:  # else it is a part of a test that looks already
            self._held = tables.extras[HeldLoop] = HeldLoop(self._test, self.pid)
            self._held.start()
        tables.extras |= {ENDS: self._ends, ROOT: None}
        tables.events.attach("process_start", self._started)
        tables.events.attach("process_exit", self._ended)

    async def close(self) -> None:
        """Stop everything, newest first.

        Raises:
            Leaked: something was left that the test should have dealt with.
            LongScheduleWarning: a process has held the loop, and such warnings are errors.
        """
        await trio.testing.wait_all_tasks_blocked()  # what is about to crash has then crashed
        left = list(self._left_over())
        await self._stop()
        left += [*timers_text(self._process), *self._crashes()]
        if left:
            raise Leaked(self._test, left)
        if self._held is not None:
            self._held.warn()

    async def abandon(self) -> None:
        """Stop everything of a test that has failed, and say nothing of what it has left."""
        await self._stop()

    async def _stop(self) -> None:
        self._open = False
        for probe in self._probes:
            probe.close()
        try:
            await own_nursery_of(self._process).close()
        finally:
            self.log.close()
            tables = runtime()
            if self._held is not None:
                self._held.stop()
                del tables.extras[HeldLoop]
            tables.extras.update(self._outer)
            tables.events.detach("process_start", self._started)
            tables.events.detach("process_exit", self._ended)

    def _left_over(self) -> Iterator[str]:
        """Describe what nobody has stopped, awaited or read."""
        owners = [self._process, *(probe._process for probe in self._probes)]
        tasks = [task for process in list(self._alive.values()) for task in tasks_of(process)]
        with_tasks = {task.pid for task in tasks}
        for process in leaked_processes(owners):
            if process.pid not in with_tasks:
                yield process_text(process)
        yield from names_text(self._process)
        yield from tasks_text([*self._tasks, *tasks], owners)
        messages = [*messages_of(self._process)]
        for probe in self._probes:
            messages += probe.unread
        known = [*self.log._seen, *(crash.reason for crash in self.log.crashes)]
        yield from messages_text(messages, known)

    def _crashes(self) -> Iterator[str]:
        unexpected = self.log.unexpected
        gave_up = [each.supervisor for each in self.log.supervisor_reports if each.history]
        if self._supervisor in gave_up:
            yield f"the supervisor of the test gave up: {MANY} restarts in {SECONDS} s"
        for crash in unexpected[:SHOWN]:
            reason = crash.reason
            kind = type(reason).__name__ if isinstance(reason, Exception) else bounded(reason)
            yield (
                f"crash of {crash_text(crash)}\n"
                f"if it is to be: with otp_log.expect_crash({kind}): ..."
            )

        if len(unexpected) > SHOWN:
            yield f"and {len(unexpected) - SHOWN} crashes more"

    # -- listening ---------------------------------------------------------------------------

    def _started(self, pid: Pid) -> None:
        assert pid._process is not None
        self._alive[pid] = pid._process

    def _ended(self, pid: Pid, reason: object) -> None:
        self._ends[pid] = reason
        process = self._alive.pop(pid, None)
        if process is not None:
            self._tasks += tasks_of(process)


def _can_be_found(ref: object) -> bool:
    """Check whether something is a reference; the id of a child may be anything."""
    return isinstance(ref, Pid) or is_atom(ref) or is_via(ref) or has_pid(ref)


@public_in("testing")
@block("async with otp.testing.open_system() as system: ...")
async def open_system(test: str = "the test") -> AsyncGenerator[OtpSystem]:
    """Run what a test needs while a block runs, as the fixture `otp_system` does.

    Args:
        test: what it is called in the texts of failures.

    Returns:
        The block, which gives the `OtpSystem`.

    Raises:
        Leaked: on leaving without another error: something was left behind.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import open_system
    >>> async def main():
    ...     async with open_system() as system:
    ...         await system.start_supervised(otp.child(otp.Agent, dict).having(name="cache"))
    ...         print(await otp.Agent.get("cache", len))
    ...     print(otp.whereis("cache"))
    >>> trio.run(main)
    0
    None

    Follows: a test of ExUnit.
    """
    async with open_process(trap_exit=True, label=test):
        process = own_process()
        assert process is not None
        system = create(OtpSystem, process, test)
        system.open()
        try:
            yield system
        except BaseException:
            await system.abandon()
            raise
        await system.close()
