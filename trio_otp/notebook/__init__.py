"""A living tree of processes in a notebook: `%load_ext trio_otp.notebook`.

**Why.** A notebook runs one cell after the other, and `trio.run` ends with its cell. The extension
starts one Trio run, in a thread of its own, that lives until it is unloaded or the kernel ends.
All cells run in it, so they may `await`, and what they start goes on between them.

    %load_ext trio_otp.notebook
    shop = await otp.start_link(otp.child(otp.Supervisor, [Counter]))
    %otp_tree

**A notebook is a process**, as the shell of Erlang and Elixir is: `otp.self()`, `otp.monitor` and
`otp.receive` work in cells, and `otp.start_link` links to it. It traps exits, so a crash of what it
has started is a message for it, and not its end.

**Errors and interrupts.** An error ends its cell, and so does an interrupt; everything else runs
on. An interrupted cell is cancelled: its blocks are left in order. A second interrupt stops waiting
for that.

**Time.** `%otp_time virtual` stops the clock but for cells that wait: `await trio.sleep(3600)`
takes no time, and all timers due in that hour go off. `%otp_time real` goes on from there.

**The end.** `%unload_ext trio_otp.notebook`, and the end of the kernel, stop everything, newest
first, each within its limit.

**When not to use it.** A block that a cell enters has to be left in the same cell; what shall live
on is started with `otp.start_link`, `otp.start` or `otp.spawn`. A cell or a server that keeps the
loop busy without an `await` stops all others meanwhile, as in every Trio program.

Follows: `iex`, whose shell is a process that evaluates what is typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._util.public import public_in

if TYPE_CHECKING:
    from .shell import Shell

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

LOAD = "%load_ext trio_otp.notebook"


@public_in("notebook")
def load_ipython_extension(shell: Shell) -> None:
    """Run the cells of a shell in a Trio run that lives on between them.

    Args:
        shell: what IPython passes when a cell says `%load_ext trio_otp.notebook`.

    Raises:
        TypeError: it is not a shell of IPython, or none is running.
        RuntimeError: the extension is loaded in it.
    """
    from .notebook import Notebook  # noqa: PLC0415 - nothing is imported until it is used

    _check(shell)
    loaded = Notebook.of(shell)
    if loaded is not None and not loaded.ended:
        raise RuntimeError(
            "trio_otp.notebook is loaded in this shell; to stop everything and begin anew, write "
            "%reload_ext trio_otp.notebook"
        )
    Notebook(shell).install()


@public_in("notebook")
def unload_ipython_extension(shell: Shell) -> None:
    """Stop what runs, newest first, and give the cells back to IPython.

    Args:
        shell: what IPython passes when a cell says `%unload_ext trio_otp.notebook`.

    Raises:
        TypeError: it is not a shell of IPython.
        RuntimeError: the extension is not loaded in it.
    """
    from .notebook import Notebook  # noqa: PLC0415 - as above

    _check(shell)
    notebook = Notebook.of(shell)
    if notebook is None:
        raise RuntimeError(f"trio_otp.notebook is not loaded in this shell; write {LOAD}")
    notebook.unload()


def _check(shell: Any) -> None:
    if not hasattr(shell, "set_trio_runner"):
        raise TypeError(
            f"trio_otp.notebook works in a shell of IPython, and {shell!r} is not one; "
            f"in a notebook or in ipython, write {LOAD}"
        )


def __dir__() -> list[str]:
    return __all__
