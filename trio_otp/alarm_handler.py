"""alarm_handler: the alarms of a system, kept by an event manager whose handler can be replaced.

**Why.** A part of the program that meets a condition somebody should know of sets an alarm, and
clears it when the condition is over. What is done about alarms is decided elsewhere.

>>> import trio, trio_otp as otp
>>> async def main():
...     async with otp.open_supervisor([otp.alarm_handler.child()]):
...         otp.alarm_handler.set_alarm("disk", "90 % full")
...         print(await otp.alarm_handler.get_alarms())
...         otp.alarm_handler.clear_alarm("disk")
...         print(await otp.alarm_handler.get_alarms())
>>> trio.run(main)
[('disk', '90 % full')]
[]

**Client side** `set_alarm` and `clear_alarm` do not wait; `get_alarms` asks.

**Server side** `AlarmHandler`, the handler that is there from the start, keeps the alarms and logs
what happens. To do more, put a handler of your own beside it, by
`otp.gen_event.add_handler(otp.alarm_handler.NAME, ...)`, or in its place:

    await otp.gen_event.swap_handler(NAME, AlarmHandler, Mailer())

The `init_swapped` of the new one gets the alarms so far. Handlers take the events `SetAlarm` and
`ClearAlarm`.

**Supervise** it by `child()` under the top supervisor; its alarms do not survive a restart.

**When not to use it.** An alarm is for people who run the system. What a program acts on is state
of a server of its own.

Follows: Erlang's `alarm_handler` (SASL).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ._behaviour.results import Reply
from ._gen_event import functions as gen_event
from ._gen_event.handler import GenEvent
from ._gen_event.manager import EventManager
from ._process.checkpoints import checkpointed
from ._process.runtime import need_process
from ._start.child import child as child_of
from ._util.bounded import Printable, bounded
from ._util.public import public_in
from .events import NoticeReport

if TYPE_CHECKING:
    from ._start.child import Child

__all__ = [
    "NAME",
    "AlarmHandler",
    "Alarms",
    "ClearAlarm",
    "SetAlarm",
    "child",
    "clear_alarm",
    "get_alarms",
    "set_alarm",
]

Alarms: TypeAlias = "list[tuple[Any, Any]]"
NAME: Final = "alarm_handler"


@public_in("alarm_handler")
@dataclass(frozen=True, slots=True, repr=False)
class SetAlarm(Printable):
    """The event of an alarm that is set.

    Args:
        alarm_id: what names the alarm.
        description: what there is to say about it.
    """

    alarm_id: Any
    description: Any


@public_in("alarm_handler")
@dataclass(frozen=True, slots=True, repr=False)
class ClearAlarm(Printable):
    """The event of an alarm that is cleared.

    Args:
        alarm_id: what names the alarm.
    """

    alarm_id: Any


@public_in("alarm_handler")
class AlarmHandler(GenEvent):
    """Keeps the alarms, newest first, and logs each event. A swap hands the alarms over."""

    def __init__(self) -> None:
        self.alarms: Alarms = []

    def handle_event(self, event: Any) -> None:
        """Take an alarm in, or the newest with an id out; other events are not for it."""
        match event:
            case SetAlarm(alarm_id, description):
                self.alarms.insert(0, (alarm_id, description))
                _log(f"alarm {bounded(alarm_id)} is set: {bounded(description)}", logging.WARNING)
            case ClearAlarm(alarm_id):
                self._clear(alarm_id)
                _log(f"alarm {bounded(alarm_id)} is cleared", logging.INFO)
            case _:
                pass

    def _clear(self, alarm_id: Any) -> None:
        for index, (held, _) in enumerate(self.alarms):
            if _same(held, alarm_id):
                del self.alarms[index]
                return

    def handle_call(self, request: Any) -> Reply[Alarms]:
        """Return the alarms."""
        return Reply(list(self.alarms))

    def terminate(self, reason: object) -> Alarms:
        """Return the alarms, for the handler that comes next."""
        return self.alarms


@public_in("alarm_handler")
def child() -> Child[EventManager]:
    """Return the child to put under a supervisor: the manager, under its name, with its handler.

    Follows: the `alarm_handler` that the application SASL starts.
    """
    return child_of(EventManager, [AlarmHandler]).having(name=NAME)


@public_in("alarm_handler")
def set_alarm(alarm_id: Any, description: Any = None) -> None:
    """Set an alarm. It never blocks. Setting one twice gives two, as in OTP.

    Args:
        alarm_id: what clears it.
        description: anything that tells people more.

    Raises:
        NoProcess: the alarm handler does not run.

    Follows: `alarm_handler:set_alarm/1`.
    """
    gen_event.notify(NAME, SetAlarm(alarm_id, description))


@public_in("alarm_handler")
def clear_alarm(alarm_id: Any) -> None:
    """Clear an alarm, of several with this id the newest; nothing happens if there is none.

    Args:
        alarm_id: what it was set with.

    Raises:
        NoProcess: the alarm handler does not run.

    Follows: `alarm_handler:clear_alarm/1`.
    """
    gen_event.notify(NAME, ClearAlarm(alarm_id))


@public_in("alarm_handler")
@checkpointed
async def get_alarms() -> Alarms:
    """List the alarms that are set, newest first: `(alarm_id, description)`.

    Raises:
        NoHandler: another handler has taken the place of `AlarmHandler`; ask that one.
        NoProcess, CallTimeout, ServerExited, DeadlockError: as `otp.gen_event.call`.

    Follows: `alarm_handler:get_alarms/0`.
    """
    alarms: Alarms = await gen_event.call(NAME, AlarmHandler, "get_alarms")
    return alarms


def _same(one: Any, other: Any) -> bool:
    """Compare ids; an `==` that raises must not end the handler of everybody's alarms."""
    try:
        return bool(one == other)
    except Exception:
        return one is other


def _log(text: str, level: int) -> None:
    process = need_process("alarm_handler")
    process.runtime.events.emit("notice", NoticeReport(process.pid, text, level))


def __dir__() -> list[str]:
    return __all__
