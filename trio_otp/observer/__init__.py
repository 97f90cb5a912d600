"""Look at a running program in the terminal: a live tree and a table of its processes.

>>> import io, trio, trio_otp as otp
>>> async def main():
...     shown = io.StringIO()
...     shop = otp.child(otp.Agent, dict).having(name="shop")
...     async with otp.open_supervisor([shop]), trio.open_nursery() as nursery:
...         pid = await otp.observer.start(nursery=nursery, stream=shown, interval=0.01)
...         while "'shop'" not in shown.getvalue():
...             await trio.sleep(0.01)
...         otp.exit(pid, otp.SHUTDOWN)
>>> trio.run(main)

**Why not in the loop.** What draws inside of a Trio loop is blind when it is needed, while a
callback keeps the loop. So a thread reads and draws. It takes nothing from the loop; a slow
terminal, or one that has gone away, delays the thread alone. If the loop makes one and the same
step for long, it shows since when, and the stack of its thread.

**What it is.** `start` starts a process, an `Observer`, which is a `WorkerThread`; `child` gives
it as a child for a supervisor, where it is `temporary`: its errors are logged and end nothing else.

**What it needs.** Nothing: plain text works everywhere. With the package `rich` it has colours on
a terminal: `pip install trio-otp[observer]`. Nothing of it is imported before it is used.

**When not to use it.** It shows one run, on the terminal of the program, and takes no keys. Send
log records to a file meanwhile, or they run across the picture.

Follows: Erlang's `observer`, of which it is the process and application tabs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._process.checkpoints import checkpointed
from .._util.public import public_in

if TYPE_CHECKING:
    import trio

    from .._process.pid import Pid
    from .._start.child import Child
    from .screen import Observer

__all__ = ["child", "start"]


@public_in("observer")
def child(**options: Any) -> Child[Observer]:
    """Return the observer as a child for a supervisor.

    Args:
        **options: as of `start`, without `nursery`.

    Raises:
        TypeError: an option is unknown.
    """
    from .._start.child import child as child_of  # noqa: PLC0415 - nothing is imported until it is used
    from .screen import Observer  # noqa: PLC0415 - the same

    return child_of(Observer, **options)


@public_in("observer")
@checkpointed
async def start(*, nursery: trio.Nursery | None = None, **options: Any) -> Pid[Observer]:
    """Start to show the processes of this run, until `otp.exit(pid, otp.SHUTDOWN)` or its end.

    Args:
        nursery: where it lives; needed in plain Trio code, as with `otp.start`.
        **options: `stream`, where to draw, stdout if left out; on one that is no terminal the
            pictures stand one below the other. `interval`: seconds between two pictures.
            `style`: `plain`, `rich`, or `auto`, which is `rich` if that is installed and the
            stream is a terminal. `width` and `height` in characters, of the terminal if left out.

    Returns:
        The pid of the observer.

    Raises:
        StartError: an option has a wrong value, or `style="rich"` and it is not installed.
        TypeError: an option is unknown.
        NotAProcess: in plain Trio code without a nursery.

    Follows: `:observer.start/0`.
    """
    from .._start.functions import start as start_process  # noqa: PLC0415 - the same

    pid = await start_process(child(**options), nursery=nursery)
    assert pid is not None
    return pid


def __dir__() -> list[str]:
    return __all__
