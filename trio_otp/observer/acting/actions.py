"""What a client may do to a process, if the program allows actions: kill, restart, suspend, resume.

Each is confirmed by the name of the process, typed, and logged with who has done it. It is done in
the loop of the program. If that does not come to it within 200 ms nothing is done; a process that
is busy is not waited for any longer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import outcome

from ... import sys as otp_sys
from ..._exits.errors import OtpError
from ..._exits.reasons import KILL
from ..._inspect.introspect import slot_of
from ..._process.doing import seconds_text
from ..._process.links import exit as otp_exit
from ..._supervisor.dynamic import DynamicSupervisor
from ..._supervisor.management import get_childspec, restart_child, terminate_child
from ..._util.bounded import bounded
from ..._util.unset import UNSET
from ...events import NoticeReport
from ..reading.references import names_of
from ..session.protocol import Refused
from .loop_task import LoopTask

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..._process.process import Process
    from ..hub import Hub

Action = "Callable[[Process], Awaitable[str]]"


def need_actions(hub: Hub) -> None:
    """Refuse a client of a program that lets others only look.

    Raises:
        Refused: it does.
    """
    if not hub.actions:
        text = (
            "this program can only be looked at; start it with --observe=actions, or actions=True"
        )
        raise Refused("NotAllowed", text)


def check_confirmed(process: Process, typed: str) -> None:
    """Refuse what is not confirmed by the name of the process, or its label if it has none.

    Raises:
        Refused: another name was typed.
    """
    name = process.label if process.name is None else process.name
    if typed.strip() not in names_of(name):
        raise Refused("NotConfirmed", f"{bounded(typed)}: expected the name {bounded(name)}")


async def act(hub: Hub, process: Process, action: str, typed: str, peer: str) -> dict[str, Any]:
    """Do something to a process.

    Args:
        hub: that of the program.
        process: which one.
        action: one of `ACTIONS`.
        typed: its name, as a person has typed it.
        peer: who does it, for the log.

    Returns:
        `done`, and a `text` that says what was done.

    Raises:
        Refused: it is not done.
    """
    need_actions(hub)
    function = ACTIONS.get(action)
    if function is None:
        raise Refused("BadAction", f"action={bounded(action)}: expected {', '.join(ACTIONS)}")
    check_confirmed(process, typed)

    async def carry_out() -> str:
        _log(process, action, peer)
        return await function(process)

    return await in_loop(hub, process, carry_out, is_given_up=action == "suspend")


async def replace_state(
    hub: Hub, process: Process, function: Callable[[Any], Any], peer: str
) -> dict[str, Any]:
    """Put what a function makes of the state of a process in its place.

    Args:
        hub: that of the program.
        process: which one.
        function: what is called with the state, in the process.
        peer: who does it, for the log.

    Raises:
        Refused: it is not done.
    """

    async def carry_out() -> str:
        _log(process, "replace_state", peer)
        await otp_sys.replace_state(process.pid, function, timeout=None)
        return "replaced"

    return await in_loop(hub, process, carry_out, is_given_up=True)


async def in_loop(
    hub: Hub, process: Process, function: Callable[[], Awaitable[str]], *, is_given_up: bool
) -> dict[str, Any]:
    """Call something in the loop, and say what has come of it in a moment.

    Args:
        hub: that of the program.
        process: the one that it is about.
        function: returns the text of the answer.
        is_given_up: whether it is cancelled if it takes longer; else it goes on.

    Raises:
        Refused: it failed, or was given up.
    """
    task = LoopTask(function)
    match await task.wait(hub):
        case outcome.Value(text):
            return {"done": True, "text": text}
        case outcome.Error(Refused() as refused):
            raise refused
        case outcome.Error(OtpError() as error):
            raise Refused(type(error).__name__, str(error))
        case outcome.Error(error):
            raise Refused(type(error).__name__, bounded(error))
        case _:
            pass
    why = _why_not_yet(process, hub.tables.now())
    if is_given_up:
        await hub.in_loop(task.cancel)
        raise Refused("NoAnswer", f"{why}; it is given up")
    return {"done": False, "text": f"{why}; it goes on"}


def _why_not_yet(process: Process, now: float) -> str:
    if process.current is UNSET:
        return "there is no answer yet"
    return f"there is no answer yet: handler busy {seconds_text(now - process.since)}"


def _log(process: Process, action: str, peer: str) -> None:
    text = f"{process.pid!r}: {action} by the observer, for {peer}"
    process.runtime.events.emit("notice", NoticeReport(process.pid, text, logging.WARNING))


async def _kill(process: Process) -> str:  # noqa: ASYNC124 - other actions wait
    otp_exit(process.pid, KILL)
    return "killed"


async def _suspend(process: Process) -> str:
    await otp_sys.suspend(process.pid, timeout=None)
    return "suspended"


async def _resume(process: Process) -> str:
    await otp_sys.resume(process.pid, timeout=None)
    return "resumed"


async def _restart(process: Process) -> str:
    """Restart a child: in order if its supervisor keeps its specification, else by killing it."""
    supervisor, slot = process.supervisor, slot_of(process)
    if supervisor is None or slot is None:
        raise Refused("NoSupervisor", f"{process.pid!r} is no child of a supervisor")
    is_dynamic = issubclass(supervisor.behaviour or object, DynamicSupervisor)
    child = process.pid if is_dynamic else slot.spec.id
    spec = await get_childspec(supervisor.pid, child)
    if spec.restart == "temporary":
        raise Refused("Temporary", f"{process.pid!r} is temporary: it would not come back")
    if is_dynamic:  # which forgets a child that it is told to stop
        otp_exit(process.pid, KILL)
        return "killed; its supervisor restarts it, and counts that"
    await terminate_child(supervisor.pid, child)
    pid = await restart_child(supervisor.pid, child)
    return f"restarted as {pid!r}"


ACTIONS: Final[dict[str, Callable[[Process], Awaitable[str]]]] = {
    "kill": _kill,
    "restart": _restart,
    "suspend": _suspend,
    "resume": _resume,
}
