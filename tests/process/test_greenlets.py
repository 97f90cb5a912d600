"""A server the `def` callbacks of which wait, as greenback has them do."""

from __future__ import annotations

from typing import Any

import greenback
import pytest
import trio
import trio.testing
from inside import message_loop, process_of

import trio_otp as otp


class Server(otp.GenServer):
    """Does as a call says."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        result = request()
        return result if hasattr(result, "send") else otp.Reply(result)


def own() -> bool:
    """Check whether the task of the server runs this, as Trio sees it."""
    return trio.lowlevel.current_task() is process_of(otp.self()).task


async def open_portal() -> otp.Reply[None]:
    """Let the callbacks of this server wait from now on."""
    await greenback.ensure_portal()
    return otp.Reply(None)


def wait_and_ask(other: otp.Pid[Any]) -> tuple[Any, bool]:
    """Wait in a `def` callback, for Trio and for another server."""
    greenback.await_(trio.sleep(1))  # noqa: ASYNC105 - greenback awaits it
    return greenback.await_(otp.call(other, otp.self)), own()


@pytest.mark.parametrize("is_everywhere", [True, False])
def test_a_callback_that_waits_in_a_greenlet(
    is_everywhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so in the server's own task, whoever calls: it could be left in the middle."""
    monkeypatch.setattr(message_loop, "BURST_SECONDS", 1e6)  # however slow this machine is

    async def main() -> None:
        async with otp.open_process():
            pid, other = await otp.start_link(Server), await otp.start_link(Server)
            if not is_everywhere:
                await otp.call(pid, open_portal)
            for _ in range(3):
                assert (other, True) == await otp.call(pid, lambda: wait_and_ask(other))
                await trio.testing.wait_all_tasks_blocked()
            assert is_everywhere == await otp.call(other, own)

    async def everywhere() -> None:
        await greenback.with_portal_run_tree(main)

    clock = trio.testing.MockClock(autojump_threshold=0)
    trio.run(everywhere if is_everywhere else main, clock=clock)
