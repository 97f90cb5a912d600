"""A server that is killed in the moment in which a message is handed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable


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
    give: Callable[[Any, Any], None], autojump_clock: object
) -> None:
    """A server that waits and gets a message and a kill at once handles nothing any more."""
    handled: list[Any] = []
    async with otp.open_supervisor() as sup:
        child = otp.child(Noting, handled).having(restart="temporary")
        pid = await otp.start_child(sup, child)
        await trio.testing.wait_all_tasks_blocked()
        give(pid, "message")
        otp.exit(pid, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        assert not otp.is_alive(pid)
    assert [] == handled


async def test_a_continue_does_not_run_after_a_kill(autojump_clock: object) -> None:
    """A signal that arrives while a callback runs is the end, also before a continue."""
    handled: list[Any] = []

    class Continuing(Noting):
        async def handle_cast(self, message: Any) -> otp.NoReply:
            with trio.CancelScope(shield=True):
                await trio.sleep(1)
            return otp.NoReply(continue_="go on")

        def handle_continue(self, token: Any) -> None:
            self.handled.append(token)

    async with otp.open_supervisor() as sup:
        child = otp.child(Continuing, handled).having(restart="temporary")
        pid = await otp.start_child(sup, child)
        otp.cast(pid, "message")
        await trio.testing.wait_all_tasks_blocked()
        otp.exit(pid, otp.KILL)
        await trio.sleep(2)

        assert not otp.is_alive(pid)
    assert [] == handled
