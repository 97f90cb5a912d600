"""Look into a running program: in a browser, from another terminal, or in its own.

>>> import trio, trio_otp as otp
>>> async def main():
...     async with otp.open_supervisor([otp.child(otp.Agent, dict).having(name="shop")]):
...         async with trio.open_nursery() as nursery:
...             seen = await otp.observer.serve(nursery=nursery, port=None)
...             print(seen.socket is not None)  # now `trio-otp ps` shows this program
...             await otp.stop(seen.pid)
>>> trio.run(main)
True

`serve` serves a page to browsers and a socket to the commands `trio-otp ps`, `tree`, `info` and so
on; `Server` is the same as a child for a supervisor. `start` draws a tree and a table in the
terminal of the program itself. `problems` says what is wrong.

**Why not in the loop.** What looks from inside of a Trio loop is blind when it is needed, while a
callback keeps the loop. So a thread of its own reads the tables of the run. It asks nobody, takes
nothing from the loop, and a client that does not read delays its own answers alone. If the loop
makes one and the same step for long, it says since when, and at which line.

**What it is.** A process, a `WorkerThread`, and `temporary` where a supervisor has it: its errors
are logged and end nothing else. While nobody looks it does nothing.

**What it needs.** The page needs the extra, `pip install 'trio-otp[observer]'`; the socket and the
terminal need nothing. Nothing of it is imported before it is used.

Follows: Erlang's `observer`, of which it is the system, process and application tabs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._process.checkpoints import checkpointed
from .._util.lazy import find
from .._util.public import public_in

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    import trio

    from .._process.pid import Pid
    from .._start.child import Child
    from .diagnosis.rules import Problem as Problem
    from .screen.screen import Observer
    from .server import Served as Served
    from .server import Server as Server

__all__ = ["Problem", "Served", "Server", "child", "problems", "serve", "start"]


@public_in("observer")
@checkpointed
async def serve(
    *,
    nursery: trio.Nursery | None = None,
    host: str = "127.0.0.1",
    port: int | None = 0,
    hosts: Iterable[str] = (),
    token_file: str | os.PathLike[str] | None = None,
    actions: bool = False,
) -> Served:
    """Serve the page of the observer and the socket of its commands, until the end of the run.

    The address that opens the page goes to the terminal, if there is one; `trio-otp url` prints it
    elsewhere, and the log has it without its token. In a tree: `otp.child(otp.observer.Server)`.

    Args:
        nursery: where it lives; needed in plain Trio code, as with `otp.start`.
        host: the address of the page; that of a network lets others see what is shown.
        port: its port, 0 for any that is free; None for no page, but the socket alone.
        hosts: names under which a proxy or tunnel makes the page known, besides those of this
            machine.
        token_file: a file with the token, so that an address stays good; made if it is not there.
        actions: whether clients may also act: kill, restart, suspend, resume.

    Returns:
        Where it is: `pid`, `address`, `url` and `socket`.

    Raises:
        StartError: an argument is invalid, the port is taken, or the extra `observer` is missing,
            which the page needs.
        NotAProcess: in plain Trio code without a nursery.

    Follows: `:observer.start/0`.
    """
    from .._inspect.introspect import process_info  # noqa: PLC0415 - nothing is imported until used
    from .._start.child import child as child_of  # noqa: PLC0415 - the same
    from .._start.functions import start as start_process  # noqa: PLC0415 - the same
    from .server import Server  # noqa: PLC0415 - the same

    options: dict[str, Any] = {"host": host, "port": port, "hosts": hosts}
    server = child_of(Server, token_file=token_file, actions=actions, **options)
    pid = await start_process(server, nursery=nursery)
    assert pid is not None
    served: Served = process_info(pid).started
    return served


@public_in("observer")
@checkpointed
async def problems() -> tuple[Problem, ...]:
    """Return what is wrong with this run, by the rules of the page and of `trio-otp problems`.

    It takes three samples, 0.2 seconds apart. That the loop is stuck it cannot tell, as it runs in
    there; nor what was dropped before, unless `serve` or `Server` has listened.

    Returns:
        The problems, errors first; none if all is well.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(otp.Agent, dict).having(name="shop")]):
    ...         for problem in await otp.observer.problems():
    ...             print(problem.severity, problem.text, problem.where)
    >>> trio.run(main)
    """
    from .._process.runtime import runtime  # noqa: PLC0415 - nothing is imported until it is used
    from .diagnosis.sight import look  # noqa: PLC0415 - the same
    from .hub import Hub  # noqa: PLC0415 - the same
    from .reading.records import Records  # noqa: PLC0415 - the same

    tables = runtime()
    return tuple(await look(Hub(tables, None, tables.extras.get(Records)), 3))


@public_in("observer")
def child(**options: Any) -> Child[Observer]:
    """Return the observer as a child for a supervisor.

    Args:
        **options: as of `start`, without `nursery`.

    Raises:
        TypeError: an option is unknown.
    """
    from .._start.child import child as child_of  # noqa: PLC0415 - nothing is imported until it is used
    from .screen.screen import Observer  # noqa: PLC0415 - the same

    return child_of(Observer, **options)


@public_in("observer")
@checkpointed
async def start(*, nursery: trio.Nursery | None = None, **options: Any) -> Pid[Observer]:
    """Start to show the processes of this run, until `otp.exit(pid, otp.SHUTDOWN)` or its end.

    Args:
        nursery: where it lives; needed in plain Trio code, as with `otp.start`.
        **options: `stream`, where to draw, stdout if left out; on one that is no terminal the
            pictures stand one below the other. `interval`: seconds between two pictures.
            `width` and `height` in characters, of the terminal if left out.

    Returns:
        The pid of the observer.

    Raises:
        StartError: an option has a wrong value.
        TypeError: an option is unknown.
        NotAProcess: in plain Trio code without a nursery.

    Follows: `:observer.start/0`.
    """
    from .._start.functions import start as start_process  # noqa: PLC0415 - the same

    pid = await start_process(child(**options), nursery=nursery)
    assert pid is not None
    return pid


_LATE: Final = {"Problem": "diagnosis.rules", "Served": "server", "Server": "server"}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        return find(__name__, _LATE, name)


def __dir__() -> list[str]:
    return __all__
