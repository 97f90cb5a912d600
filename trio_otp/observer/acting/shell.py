"""`trio-otp shell`: Python that is typed in another terminal and runs in the program.

Each connection has a process of its own in the loop of the program, so that `otp.self`, `receive`
and calls work as in any process. What is typed runs there one input after another; an `await` may
take as long as it likes, and can be interrupted. When the client is gone, so is its process.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import logging
import traceback
from collections import deque
from contextlib import suppress
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import enable_ki_protection

from ..._exits.bare import has_cancellation
from ..._exits.reasons import ProcessExit
from ..._process.open_process import open_process
from ..._process.runtime import runtime
from ..._util.bounded import bounded
from ...events import NoticeReport
from ..session.protocol import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..._process.pid import Pid
    from ..hub import Hub

AWAITS: Final = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
PLACE: Final = "<shell "  # what the name of an input begins with, in tracebacks
SHOWN: Final = 10_000  # characters of a value
KEPT: Final = 1_000_000  # characters of output that wait for the client
PAUSE: Final = 1.0  # seconds after which a client hears that there is nothing new
PATIENCE: Final = 1.0  # seconds for the loop to take an input


class Output:
    """Text on its way from the loop of the program to the thread of the observer."""

    def __init__(self) -> None:
        self.news: trio.Event = trio.Event()  # in the thread of the observer
        self._texts: deque[str] = deque()
        self._here = trio.lowlevel.current_trio_token()

    def put(self, text: str) -> None:
        """Add a text; in the loop of the program. If nobody takes it, what is older is lost."""
        self._texts.append(text[-KEPT:])
        while sum(map(len, self._texts)) > KEPT:
            self._texts.popleft()
        self.wake()

    def wake(self) -> None:
        """Have the thread of the observer look."""
        with suppress(trio.RunFinishedError):
            self._here.run_sync_soon(self._set)

    def _set(self) -> None:
        self.news.set()

    def take(self) -> str:
        """Return what there is, and be ready for more."""
        self.news = trio.Event()
        texts: list[str] = []
        with suppress(IndexError):
            while True:
                texts.append(self._texts.popleft())
        return "".join(texts)


class Interpreter:
    """What runs in the loop of the program, and is used there alone but for its attributes.

    Args:
        output: where its texts go.
        peer: who types, in words.
    """

    def __init__(self, output: Output, peer: str) -> None:
        self.running: bool = False
        self.over: bool = False
        self.failed: bool = False  # the last input raised something
        self._output = output
        self._peer = peer
        self._number = 0
        self._places: list[str] = []
        self._life = trio.CancelScope()
        self._input: trio.CancelScope | None = None
        self._names = self._first_names()
        self._to, self._sources = trio.open_memory_channel[str](1)

    def begin(self) -> None:
        """Start the process."""
        trio.lowlevel.spawn_system_task(self._run, name=f"<shell of {self._peer}>")

    def feed(self, source: str) -> None:
        """Run a source, unless the process has just ended; the one before has to be over."""
        if not self.over:
            self.running = True
            self._to.send_nowait(source)

    def interrupt(self) -> None:
        """Cancel what runs."""
        if self._input is not None:
            self._input.cancel(reason="the shell was interrupted")

    def close(self) -> None:
        """End the process."""
        self._life.cancel(reason="the shell was closed")

    @enable_ki_protection
    async def _run(self) -> None:
        """Run as the process; nothing may reach Trio from here, which would end the program."""
        try:
            with self._life:
                async with open_process(label="shell") as pid:
                    text = f"{pid!r} of the observer is opened by {self._peer}"
                    notice = NoticeReport(pid, text, logging.WARNING)
                    runtime().events.emit("notice", notice)
                    async for source in self._sources:
                        await self._carry_out(source)
                        self.running = False
                        self._output.wake()
        except BaseException as exc:  # noqa: ASYNC103 - a cancellation passes through
            if has_cancellation(exc):  # of the end of the run
                raise
            self._output.put(f"the process of this shell has ended: {bounded(exc)}\n")
        finally:
            for name in self._places:
                linecache.cache.pop(name, None)
            self.running, self.over = False, True
            self._output.wake()

    async def _carry_out(self, source: str) -> None:
        self._number += 1
        self.failed = False
        name = f"{PLACE}{id(self):x} {self._number}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        self._places.append(name)  # functions that an input defines may fail later
        with trio.CancelScope() as self._input:
            try:
                await self._evaluate(source, name)
            except ProcessExit:  # of otp.exit: it ends this process, as it would any other
                raise
            except BaseException as exc:  # noqa: ASYNC103 - a cancellation passes through
                if has_cancellation(exc):
                    raise
                self.failed = True
                self._output.put(_traceback(exc))
        if self._input.cancelled_caught:
            self.failed = True
            self._output.put("interrupted\n")
        self._input = None

    async def _evaluate(self, source: str, name: str) -> None:
        for code in _parts(source, name):
            result = FunctionType(code, self._names)()
            if code.co_flags & inspect.CO_COROUTINE:
                result = await result
            if result is not None:
                self._names["_"] = result
                self._output.put(f"{bounded(result, SHOWN)}\n")

    def _first_names(self) -> dict[str, Any]:
        import trio_otp  # noqa: PLC0415 - what is typed sees the whole of it

        names = {"otp": trio_otp, "trio": trio, "pid": _pid, "print": self._print}
        return {"__name__": "__shell__", **names}

    def _print(self, *values: object, sep: str = " ", end: str = "\n", **_: object) -> None:
        """Print to the shell; stdout is that of the program."""
        self._output.put(f"{sep.join(map(str, values))}{end}")


def function_in(source: str) -> Callable[[Any], Any]:
    """Return the function that an expression is, as in `lambda state: {}`; nothing is run by that.

    Raises:
        Refused: it is no `lambda`.
    """
    import trio_otp  # noqa: PLC0415 - as above

    try:
        tree = ast.parse(source.strip(), "<function>", "eval")
    except (SyntaxError, ValueError) as exc:
        raise Refused("BadFunction", f"{bounded(source)}: {exc}") from None
    if not isinstance(tree.body, ast.Lambda):
        raise Refused("BadFunction", f"{bounded(source)}: expected a lambda of the state")
    code = compile(tree, "<function>", "eval")
    function: Callable[[Any], Any] = FunctionType(code, {"otp": trio_otp, "trio": trio})()
    return function


def _pid(number: int) -> Pid:
    """Return the pid of the process with a number, as `trio-otp ps` shows it."""
    return runtime().processes[number].pid


def _parts(source: str, name: str) -> Iterator[CodeType]:
    """Yield the code of an input; the value of the expression at its end is shown."""
    tree: Any = compile(source, name, "exec", AWAITS | ast.PyCF_ONLY_AST)
    *_, last = tree.body or [None]
    if isinstance(last, ast.Expr):
        tree.body.pop()
    if tree.body:
        yield compile(tree, name, "exec", AWAITS)
    if isinstance(last, ast.Expr):
        yield compile(ast.Expression(last.value), name, "eval", AWAITS)


def _traceback(exc: BaseException) -> str:
    """Render an exception from the line that was typed on."""
    trace = exc.__traceback__
    while trace is not None and not trace.tb_frame.f_code.co_filename.startswith(PLACE):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(exc), exc, trace))[-SHOWN:]


class Shell:
    """The side of the observer's thread: one for each connection.

    Args:
        hub: that of the program.
        peer: who types, in words.
    """

    def __init__(self, hub: Hub, peer: str) -> None:
        self._hub = hub
        self._peer = peer
        self._output = Output()
        self._interpreter: Interpreter | None = None

    async def evaluate(self, source: str, *, interrupt: bool) -> dict[str, Any]:
        """Run a source, and return what there is of its output after a moment.

        Args:
            source: nothing, to hear more of the one before.
            interrupt: whether to cancel what runs.

        Returns:
            `output`, and whether it is still `running`, has `failed`, and the process is `over`.

        Raises:
            Refused: the loop did not come to it, and nothing is run.
        """
        if not source and self._interpreter is None:
            return {"output": "", "failed": False, "running": False, "over": False}
        interpreter = await self._need_interpreter()
        if interrupt:
            await self._hub.in_loop(interpreter.interrupt, PATIENCE)
        elif source and interpreter.running:
            raise Refused("Busy", "the input before still runs")
        elif source:
            await self._hub.in_loop(lambda: interpreter.feed(source), PATIENCE)
        while interpreter.running and not self._output.news.is_set():
            with trio.move_on_after(PAUSE) as scope:
                await self._output.news.wait()
            if scope.cancelled_caught:
                break
        # In this order: what comes after the end of an input was not its output.
        state = {"running": interpreter.running, "over": interpreter.over}
        return {"output": self._output.take(), "failed": interpreter.failed, **state}

    async def _need_interpreter(self) -> Interpreter:
        interpreter = self._interpreter
        if interpreter is None or interpreter.over:
            interpreter = await self._hub.in_loop(self._begin, PATIENCE)
            self._interpreter = interpreter
        return interpreter

    def _begin(self) -> Interpreter:
        interpreter = Interpreter(self._output, self._peer)
        interpreter.begin()
        return interpreter

    def close(self) -> None:
        """End the process of the connection, when the loop comes to it."""
        if self._interpreter is not None:
            self._hub.soon(self._interpreter.close)
