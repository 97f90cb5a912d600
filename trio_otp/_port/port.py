"""Port: a program of the operating system as a process, and so as a child of a supervisor.

**Why.** A program that is started and forgotten outlives a crash of its starter, and its own
end goes unnoticed. Behind a port it is restarted by the rules of its supervisor, stopped in its
turn, and never left behind.

**Client side** there are `command`, which writes to its stdin, and `close_stdin`.
`otp.process_info(port).os_pid` is its number in the operating system; `otp.stop` ends it.

**Its end.** Exit status 0 is the reason `NORMAL`, any other an `otp.ExitStatus` with the last lines
of its output, so a `transient` child is restarted after a failure and not after a success. To
stop, it gets SIGTERM, and SIGKILL after the `shutdown` of the child; a kill is SIGKILL. Both reach
what it has started itself, unless that has left its process group. If our own process is killed by
SIGKILL, the program and its group are as well: a small process beside each program sees to that.

**Its output** goes, line by line, to the log (level INFO), as `PortLine` messages to an owner, to
our own output, or nowhere.

**Supervise** it as a server: `otp.child(otp.Port, ["redis-server"]).having(name="redis")`. It has
started when the program runs; one that is not there is a `StartError`.

Its end is told whatever its owner does: one that is away is not waited for, and one that does not
read any more only for half a second.

**When not to use it.** For a program whose result you wait for, `trio.run_process` is shorter. Do
not let it run in the background: it is the child.

Follows: Elixir's `Port`, Erlang's `open_port/2` with `exit_status`.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar, cast

import outcome
import trio
from trio.lowlevel import enable_ki_protection

from .._behaviour.messages import Terminate, log_unexpected
from .._behaviour.results import Stop, refuse_call
from .._exits.nurseries import OwnNursery
from .._exits.reasons import KILLED, NORMAL
from .._gen_server.decorators import on_call_deferred
from .._gen_server.loop import ServerLoop
from .._gen_server.server import GenServer, reply
from .._process.names import check_reference
from .._process.request import From
from .._process.runtime import need_process
from .._process.signals import Exit
from .._util.bounded import bounded
from .._util.public import public
from .os_process import ExitStatus, OsProcess, ProgramCommand, Stderr, Stdout, check_command
from .output import REMEMBERED, Output, Owner

if TYPE_CHECKING:
    import os
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from .._behaviour.behaviour import Behaviour
    from .._process.names import Ref
    from .._process.process import Process


@public
class Port(GenServer):
    r"""A program of the operating system, as a process.

    Args:
        command: the program and its arguments; no shell is involved.
        stdout: where its output goes: `log`, `send` to the owner, `inherit` ours, `discard`.
        stderr: the same, or `stdout`: together with that.
        owner: who gets the `PortLine` messages. While it has not taken 100 of them, the program
            waits; while nobody is there, they are dropped and counted.
        cwd: the directory it runs in; ours if left out.
        env: its environment; ours if left out.

    >>> import sys, trio, trio_otp as otp
    >>> async def main():
    ...     async with otp.open_process() as me:
    ...         program = [sys.executable, "-c", "print(input().upper())"]
    ...         port = await otp.start_link(otp.child(otp.Port, program, stdout="send", owner=me))
    ...         await otp.Port.command(port, "hello\n")
    ...         print((await otp.receive(otp.PortLine)).text)
    >>> trio.run(main)
    HELLO
    """

    enters_scope_itself: ClassVar[bool] = False  # its nursery is to be inside of the scope

    def __init__(
        self,
        command: Sequence[str | os.PathLike[str]],
        *,
        stdout: Stdout = "log",
        stderr: Stderr = "log",
        owner: Ref | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._command: ProgramCommand = check_command(command, stdout, stderr, cwd, env)
        self._process = need_process("Port")
        _check_owner(owner, stdout, stderr)
        self._owner = None if owner is None else Owner(self._process, owner)
        self._os: OsProcess | None = None
        self._outputs: list[Output] = []
        self._last: deque[str] = deque(maxlen=REMEMBERED)
        self._gone = trio.Event()
        self._tasks: trio.Nursery
        self._writes, self._to_write = trio.open_memory_channel[tuple[From[None], bytes | None]](
            math.inf  # each of its writers waits
        )

    # -- client side -----------------------------------------------------------------------------

    @on_call_deferred
    def command(self, from_: From[None], data: str | bytes) -> None:
        """Write to the stdin of the program, and wait until it is in the pipe.

        Args:
            from_: filled in by the library.
            data: what to write; text is encoded as UTF-8.

        Raises:
            TypeError: `data` is neither.
            ValueError: it is text that cannot be encoded.
            trio.BrokenResourceError: the program does not read any more.
            trio.ClosedResourceError: `close_stdin` was before.
            ServerExited, NoProcess, CallTimeout: as `otp.call`.

        Follows: `Port.command/2`.
        """
        try:
            raw = _as_bytes(data)
        except Exception as exc:  # the caller's mistake
            reply(from_, outcome.Error(exc))
        else:
            self._writes.send_nowait((from_, raw))

    @on_call_deferred
    def close_stdin(self, from_: From[None]) -> None:
        """Close the input of the program, after what was written before.

        Args:
            from_: filled in by the library.

        Raises:
            ServerExited, NoProcess, CallTimeout: as `otp.call`.
        """
        self._writes.send_nowait((from_, None))

    # -- server side -----------------------------------------------------------------------------

    @property
    def os_pid(self) -> int | None:
        """The number of the program in the operating system, while it runs."""
        return None if self._os is None or self._os.returncode is not None else self._os.pid

    @enable_ki_protection  # a program that runs must be known here
    async def init(self) -> None:
        """Start the program."""
        self._process.trap_exit = True
        self._os = await self._command.start()
        self._outputs = [
            Output(self._process, name, stream, self._owner_of(name), self._last)
            for name, stream in self._os.outputs.items()
        ]
        for task in (self._watch, self._write, *(output.run for output in self._outputs)):
            self._tasks.start_soon(self._run_task, task)

    def _owner_of(self, name: str) -> Owner | None:
        return self._owner if getattr(self._command, name) == "send" else None

    def handle_call(self, request: Any, from_: From[Any]) -> Any:
        """Refuse a call that is none of its methods; a crash would end the program.

        Args:
            request: what the caller sent.
            from_: the caller, who gets a TypeError.

        Returns:
            `Reply(error)`.
        """
        return refuse_call(type(self).__name__, request)

    def handle_cast(self, message: Any) -> Any:
        """Log what nobody expects.

        Args:
            message: what the sender sent.

        Returns:
            None.
        """
        log_unexpected(self._process, message)

    def handle_info(self, message: Any) -> Any:
        """End with the processes it is linked to.

        Args:
            message: an `Exit`, or what nobody expects, which is logged.

        Returns:
            None or `Stop(reason)`.
        """
        if isinstance(message, Exit):
            return None if message.reason is NORMAL else Stop(message.reason)
        return super().handle_info(message)

    def _status(self) -> Any:
        """Return what reports show: the command and the last output, and not the environment."""
        return {"command": self._command.argv, "os_pid": self.os_pid, "output": list(self._last)}

    @enable_ki_protection
    async def terminate(self, reason: object) -> None:
        """Send SIGTERM, and wait as long as the child may take.

        Args:
            reason: why the port ends.
        """
        assert self._os is not None  # it has begun
        self._os.ask_to_end()
        if self._owner is not None:
            self._owner.hurry()
        limit = self._process.shutdown
        with trio.move_on_after(math.inf if limit is None else limit):
            await self._gone.wait()
        if not self._gone.is_set():
            self._process.exit_with(KILLED)
        await self._handed_on()

    @classmethod
    @enable_ki_protection
    async def run_process(cls, process: Process, make: Callable[[], Behaviour]) -> None:
        """Run the body of the process: whatever ends it, the program is gone at its end."""
        async with OwnNursery() as nursery:
            port: Port | None = None

            def make_port() -> Behaviour:
                nonlocal port
                made = make()
                assert isinstance(made, Port)
                made._tasks = nursery
                port = made
                return made

            try:
                await ServerLoop(process).run(make_port)
            finally:
                nursery.cancel_scope.cancel()
                if port is not None and port._os is not None:
                    await port._os.finish()

    @classmethod
    def _sleeps_after(cls, process: Process) -> None:
        """Never sleep: its task holds the program."""

    # -- its tasks -------------------------------------------------------------------------------

    @enable_ki_protection
    async def _run_task(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run one of them; if it fails the port ends, and not the others, which see to its end."""
        try:
            await task()
        except Exception as exc:
            self._process.mailbox.put(Terminate(exc))

    @enable_ki_protection
    async def _watch(self) -> None:
        """Wait for the end of the program, and end for its reason, when its output is handed on."""
        assert self._os is not None
        status = await self._os.wait()
        for output in self._outputs:
            output.expect_end()
        if self._owner is not None:
            self._owner.expect_end()
        self._gone.set()
        await self._handed_on()
        reason = NORMAL if status == 0 else ExitStatus(status, tuple(self._last))
        self._process.mailbox.put(Terminate(reason))

    async def _handed_on(self) -> None:
        for output in self._outputs:
            await output.over.wait()

    @enable_ki_protection
    async def _write(self) -> None:
        """Write what was given to `command`, in its order."""
        assert self._os is not None
        async for from_, data in self._to_write:
            try:
                if data is None:
                    await self._os.stdin.aclose()
                else:
                    await self._os.stdin.send_all(data)
                reply(from_, None)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as exc:
                reply(from_, outcome.Error(exc))


def _as_bytes(data: object) -> bytes:
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError as exc:  # of half a surrogate pair
            raise ValueError(
                f"data={bounded(data)}: expected text that UTF-8 can encode: {exc}"
            ) from None
    if not isinstance(data, bytes | bytearray | memoryview):
        raise TypeError(f"data={bounded(data)}: expected str or bytes")
    return bytes(cast("bytes", data))


def _check_owner(owner: Ref | None, stdout: Stdout, stderr: Stderr) -> None:
    wanted = "send" in (stdout, stderr)
    if owner is not None:
        check_reference(owner)
    if wanted != (owner is not None):
        raise ValueError(
            f"owner={bounded(owner)}, stdout={bounded(stdout)}, stderr={bounded(stderr)}: "
            "expected an owner together with stdout='send' or stderr='send'"
        )
