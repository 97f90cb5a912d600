"""A server that is killed in the moment in which a message is handed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

import trio_otp as otp
from trio_otp.testing import assert_down

if TYPE_CHECKING:
    from collections.abc import Callable

    from trio_otp.testing import VirtualTime


class Noting(otp.GenServer):
    """Notes what it has handled."""

    def __init__(self, handled: list[Any]) -> None:
        self.handled = handled

    def handle_cast(self, message: Any) -> None:
        self.handled.append(message)

    def handle_info(self, message: Any) -> None:
        self.handled.append(message)


@pytest.mark.parametrize("give", [otp.cast, otp.send], ids=["cast", "info"])
async def test_a_message_handed_over_with_a_kill_is_not_handled(
    give: Callable[[Any, Any], None], start_supervised: Any, virtual_time: VirtualTime
) -> None:
    """A server that waits and gets a message and a kill at once handles nothing any more."""
    handled: list[Any] = []
    pid = await start_supervised(otp.child(Noting, handled).having(restart="temporary"))
    await virtual_time.settle()
    give(pid, "message")
    otp.exit(pid, otp.KILL)
    await assert_down(pid, otp.KILLED, within=2)
    assert [] == handled


async def test_a_continue_does_not_run_after_a_kill(
    start_supervised: Any, virtual_time: VirtualTime
) -> None:
    """A signal that arrives while a callback runs is the end, also before a continue."""
    handled: list[Any] = []

    class Continuing(Noting):
        async def handle_cast(self, message: Any) -> otp.NoReply:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            return otp.NoReply(continue_="go on")

        def handle_continue(self, token: Any) -> None:
            self.handled.append(token)

    pid = await start_supervised(otp.child(Continuing, handled).having(restart="temporary"))
    otp.cast(pid, "message")
    await virtual_time.settle()
    otp.exit(pid, otp.KILL)
    await assert_down(pid, otp.KILLED, within=2)
    assert [] == handled
