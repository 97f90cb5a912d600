"""alarm_handler: alarms are set, cleared and listed, and the handler can be replaced."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog

alarms = otp.alarm_handler


@pytest.fixture
async def manager(start_supervised: Any) -> None:
    await start_supervised(alarms.child())


async def test_alarms_are_set_and_cleared(manager: None) -> None:
    """The newest comes first; an id may be set twice, and is then cleared twice."""
    for number in (1, 2):
        alarms.set_alarm("disk", number)
    alarms.set_alarm(("node", 5))
    assert [(("node", 5), None), ("disk", 2), ("disk", 1)] == await alarms.get_alarms()
    alarms.clear_alarm("disk")
    alarms.clear_alarm("unknown")
    assert [(("node", 5), None), ("disk", 1)] == await alarms.get_alarms()


async def test_alarms_are_logged(manager: None, otp_log: OtpLog) -> None:
    """One that is set is a warning, one that is cleared is information."""
    alarms.set_alarm("disk", "full")
    alarms.clear_alarm("disk")
    await alarms.get_alarms()
    assert [
        (logging.WARNING, "alarm 'disk' is set: 'full'"),
        (logging.INFO, "alarm 'disk' is cleared"),
    ] == [(notice.level, notice.text) for notice in otp_log.notices]


class Mailer(otp.GenEvent):
    """Takes the place of the handler that is there from the start."""

    def init_swapped(self, result: Any) -> None:
        self.taken = list(result)

    def handle_event(self, event: Any) -> None:
        self.taken.append(event)

    @otp.on_call
    def seen(self) -> list[Any]:
        return self.taken


async def test_another_handler_takes_over(manager: None) -> None:
    """It gets the alarms so far, and the events from then on; get_alarms says who is missing."""
    alarms.set_alarm("disk", "full")
    await otp.gen_event.swap_handler(alarms.NAME, alarms.AlarmHandler, Mailer())
    alarms.set_alarm("fan", "loud")
    alarms.clear_alarm("disk")
    expected = [("disk", "full"), alarms.SetAlarm("fan", "loud"), alarms.ClearAlarm("disk")]
    assert expected == await Mailer.at(alarms.NAME).seen()
    with pytest.raises(otp.NoHandler):
        await alarms.get_alarms()


async def test_without_the_manager_setting_an_alarm_is_an_error() -> None:
    """An alarm that nobody takes is not lost in silence."""
    with pytest.raises(otp.NoProcess):
        alarms.set_alarm("disk", "full")
    with pytest.raises(otp.NoProcess):
        alarms.clear_alarm("disk")
    with pytest.raises(otp.NoProcess):
        await alarms.get_alarms()


async def test_other_events_and_odd_ids_do_not_hurt_the_handler(manager: None) -> None:
    """Events of others pass by; an id whose `==` raises is equal to itself alone."""

    class Odd:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no ==")

        __hash__ = object.__hash__

    odd = Odd()
    otp.gen_event.notify(alarms.NAME, "other")
    for id in ("disk", odd):
        alarms.set_alarm(id)
    alarms.clear_alarm(odd)
    assert [("disk", None)] == await alarms.get_alarms()
