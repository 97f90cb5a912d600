"""The extension in a shell: it runs the cells, and gives everything back when it is unloaded."""

from __future__ import annotations

import atexit
import inspect
import sys
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import trio

from .cell import Cell
from .cell_errors import show_error
from .crash_lines import CrashLines
from .interrupt import interrupt
from .loop import Loop
from .magics import COMPLETED, MAGICS, Loaded
from .references import completions, known_names

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from .shell import Shell

KEPT = ("trio_runner", "loop_runner", "autoawait", "custom_exceptions", "CustomTB")
STILL_ENDING = "the cell is still being cancelled; it ends in the background"
_notebooks: WeakKeyDictionary[Any, Notebook] = WeakKeyDictionary()  # {shell: what is loaded in it}


class Notebook:
    """The extension, loaded in one shell."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._loop = Loop(shell.user_ns)
        self._crashes = CrashLines(shell)
        self._loaded = Loaded(shell, self._loop, self._crashes)
        self._kept: dict[str, Any] = {}  # attributes of the shell as they were
        self._unloaded = False

    @staticmethod
    def of(shell: Shell) -> Notebook | None:
        """Return what is loaded in a shell."""
        return _notebooks.get(shell)

    def install(self) -> None:
        """Run the cells of the shell in the loop."""
        shell = self._shell
        self._kept = {name: getattr(shell, name) for name in KEPT}
        shell.set_trio_runner(self.run)  # of every cell
        shell.loop_runner = self.run  # for ipykernel, which looks whether it is still asyncio's
        shell.autoawait = True
        shell.set_custom_exc((trio.Cancelled, Exception, BaseExceptionGroup), show_error)
        for name, magic in MAGICS.items():
            shell.register_magic_function(_bound(magic, self._loaded), "line", name)
        for name, (options, is_named) in COMPLETED.items():
            shell.set_hook(
                "complete_command", self._completer(options, is_named), str_key=f"%{name}"
            )
        self._crashes.install()
        _notebooks[shell] = self
        atexit.register(self._loop.stop)

    @property
    def ended(self) -> bool:
        """Its run is over: it was unloaded, or it has crashed."""
        return self._loop.ended is not None

    def unload(self) -> None:
        """Return the shell back and stop the loop, or let that be done when this cell is over."""
        self._loaded.unwatch()
        self._uninstall()
        _notebooks.pop(self._shell, None)
        self._unloaded = True
        if threading.current_thread() is not self._loop.thread:
            self._stop()

    def run(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """Run a cell to its end; IPython calls it in the thread that takes the interrupts."""
        if threading.current_thread() is self._loop.thread:
            return _run_nested(self._shell, coro)
        __tracebackhide__ = True
        cell = Cell(coro)
        try:
            return self._wait(cell)
        finally:
            if self.ended:
                self._give_up()
            elif self._unloaded:
                self._stop()

    def _wait(self, cell: Cell) -> Any:
        __tracebackhide__ = True
        try:
            self._loop.start(cell)
            return cell.wait()
        except KeyboardInterrupt:
            pass
        try:
            interrupt(self._loop, cell)
            return cell.wait()
        except KeyboardInterrupt:
            if cell.done:  # pragma: no cover - the interrupt came as it ended
                return cell.wait()
            raise KeyboardInterrupt(STILL_ENDING) from None

    def _give_up(self) -> None:
        """Return the shell back when the run has crashed: no cell could else load it anew."""
        sys.stderr.write(f"The extension has ended: {self._loop.ended}\n")
        self._uninstall()
        self._crashes.uninstall()
        self._loop.variables.give_back()

    def _stop(self) -> None:
        self._loop.stop()
        self._crashes.uninstall()
        self._loop.variables.give_back()

    def _uninstall(self) -> None:
        atexit.unregister(self._loop.stop)
        kept, self._kept = self._kept, {}
        for name, value in kept.items():
            setattr(self._shell, name, value)
        for name in MAGICS:
            self._shell.magics_manager.magics["line"].pop(name, None)
        for name in COMPLETED:
            self._shell.strdispatchers["complete_command"].strs.pop(f"%{name}", None)

    def _completer(self, options: Iterable[str], is_named: bool) -> Any:
        """Return what completes the lines of a magic."""

        def complete(_: object, event: Any) -> list[str]:
            written = event.text_until_cursor.partition(event.command)[2]
            names = known_names(self._shell, self._loop) if is_named else []
            return completions(written, event.symbol, options, names)

        return complete


def _bound(magic: Any, loaded: Loaded) -> Any:
    def call(line: str) -> None:
        magic(loaded, line)

    call.__doc__ = magic.__doc__
    return call


def _run_nested(shell: Shell, coro: Coroutine[Any, Any, Any]) -> Any:
    """Run a cell of a cell, as `%%capture` does: to its end, since nobody can wait for it."""
    source = inspect.getcoroutinelocals(coro)
    raw, transformed = source["raw_cell"], source.get("transformed_cell")
    if shell.should_run_async(raw, transformed_cell=transformed or raw):
        coro.close()
        raise RuntimeError(
            "a cell that another cell runs, as under %%capture, cannot await; move the await into "
            "a cell of its own"
        )
    try:
        coro.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("IPython awaits in a cell without await")  # pragma: no cover - it does not
