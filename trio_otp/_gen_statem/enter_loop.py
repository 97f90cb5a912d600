"""Go on as a server: a process that has begun as a function of its own becomes one.

Follows: `gen_server:enter_loop/3`, `gen_statem:enter_loop/4`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import trio
from trio.lowlevel import enable_ki_protection

from .._exits.reasons import NORMAL, ProcessExit
from .._gen_server.server import GenServer
from .._process.checkpoints import refusal
from .._process.open_process import is_adopted
from .._process.runtime import need_own_task
from .._start.start import acknowledge
from .._util.bounded import bounded
from .._util.public import public
from .statem import GenStatem

if TYPE_CHECKING:
    from .._gen_server.life import Life


@public
@enable_ki_protection
async def enter_loop(server: GenServer | GenStatem[Any], result: object = None) -> NoReturn:
    """Continue the running process as a server. It never returns.

    `init` is not called. Messages that wait in the mailbox are handled first, casts and calls among
    them. If the starter of the process still waits, it is told that it has started.

    Args:
        server: the instance that is to be the state.
        result: what `init` would have returned: None, `NoReply(timeout=, continue_=)`, or for a
            GenStatem `NextState(state, *actions)` or `KeepState(*actions)`.

    Raises:
        TypeError: `server` is not a GenServer or GenStatem.
        ValueError: the process is a server already, or the block of `open_process`.
        NotAProcess: in plain Trio code, or in a helper task of a process.

    >>> import trio, trio_otp as otp
    >>> class Line(otp.GenServer):
    ...     def __init__(self, peer: str) -> None:
    ...         self.peer = peer
    ...     @otp.on_call
    ...     def who(self) -> str:
    ...         return self.peer
    >>> async def accept(*, task_status=trio.TASK_STATUS_IGNORED):
    ...     task_status.started()  # its starter need not wait for what comes now
    ...     peer = await otp.receive(str)  # stands for a handshake
    ...     await otp.enter_loop(Line(peer))
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(accept).having(name="line")]):
    ...         otp.send("line", "ada")
    ...         await trio.testing.wait_all_tasks_blocked()
    ...         print(await Line.at("line").who())
    >>> import trio.testing
    >>> trio.run(main)
    ada

    Follows: `gen_server:enter_loop/3`.
    """
    try:
        process = need_own_task("otp.enter_loop")
        if not isinstance(server, GenServer | GenStatem):
            raise TypeError(f"server={bounded(server)}: expected a GenServer instance")
        if process.behaviour is not None or is_adopted(process):
            raise ValueError(f"{process.pid!r} cannot become a server; otp.spawn one that does")
    except Exception:
        await refusal()
        raise
    await trio.lowlevel.checkpoint_if_cancelled()
    if process.starting is not None:
        acknowledge(process, None, "")
    loop: Life = server._new_loop(process)
    loop.instance = server
    process.become(server, type(server))
    await loop.enter(result)
    raise ProcessExit(NORMAL)  # pragma: no cover - a loop ends by an exception
