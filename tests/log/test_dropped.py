"""A message that reaches nobody is one event and one record at DEBUG, whatever dropped it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from flood_kit import Desk, as_process, start_desk
from inside import runtime
from log_kit import logging_to

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def texts() -> Iterator[list[str]]:
    """Return what is logged about dropped messages."""
    kept: list[str] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            assert (logging.DEBUG, "dropped") == (record.levelno, vars(record)["otp_kind"])
            kept.append(record.getMessage())

    with logging_to(Keeper(), "trio_otp.dropped", logging.DEBUG):
        yield kept


async def dead() -> otp.Pid[Any]:
    pid = otp.spawn(trio.sleep, 0)
    await trio.testing.wait_all_tasks_blocked()
    return pid


@as_process
async def test_each_way_to_be_dropped_is_logged_with_its_reason(texts: list[str]) -> None:
    """To a dead process, to none, to a full mailbox, unread at the end, given up, too late."""
    gone = await dead()
    otp.send(gone, "a")
    otp.cast("nobody", "b")
    Desk.at("nobody").note("c")
    otp.send_after(gone, "d", 0)
    otp.send_after("nobody", "e", 0)
    await trio.sleep(1)
    desk = await start_desk(1, "drop_newest")
    pid = otp.whereis("desk")
    otp.cast("desk", "f")
    otp.send_after("desk", "g", 0)
    await trio.sleep(1)
    with pytest.raises(otp.MailboxFull):
        await otp.call("desk", "h")
    assert runtime().dropped == len(texts)
    desk.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    desk.gate = trio.Event()
    otp.cast("desk", "in hand")
    await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(otp.CallTimeout):
        await otp.call("desk", "i", timeout=1)
    otp.cast("desk", "j")
    otp.exit(pid, otp.KILL)  # type: ignore[arg-type]  # it is there
    await trio.testing.wait_all_tasks_blocked()
    assert [
        f"a message, str to {gone!r} dropped: send to a dead process",
        "a message, str to 'nobody' dropped: cast to a dead server",
        "`note(...)` to 'nobody' dropped: cast to a dead server",
        "a message, str to 'nobody' dropped: send_after to nobody",
        f"`'f'` to {pid!r} dropped: the mailbox is full: the newest is dropped",
        f"`'g'` to {pid!r} dropped: the mailbox is full, and the message has no sending task",
        f"`'h'` to {pid!r} dropped: the mailbox is full: the newest is dropped",
        f"`'i'` to {pid!r} dropped: its caller has given up",
        f"a message, str to {pid!r} dropped: left when the process ended",
    ] == texts


class Secret(otp.GenServer):
    """Keeps its messages out of texts."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(status, "hidden")

    async def handle_cast(self, message: Any) -> None:
        await trio.sleep_forever()

    @otp.on_cast
    async def login(self, password: str) -> None:
        await trio.sleep_forever()


@as_process
async def test_what_a_server_keeps_out_of_texts_is_in_no_record(
    texts: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither while it lives, nor when it is dead and cannot be asked."""
    bound = otp.BoundedMailbox(1, on_full="drop_newest")
    pid = await otp.start_link(otp.child(Secret).having(mailbox=bound))
    for _ in range(3):
        Secret.login(pid, "hunter2")
        otp.cast(pid, "hunter2")
        await trio.testing.wait_all_tasks_blocked()
    with pytest.raises(otp.MailboxFull) as caught:
        await otp.call(pid, "hunter2")
    otp.exit(pid, otp.KILL)
    await trio.testing.wait_all_tasks_blocked()
    Secret.login(pid, "hunter2")
    otp.cast(pid, "hunter2")
    told = [*texts, str(caught.value), *map(repr, map(vars, caplog.records))]
    assert 8 == len(texts)
    assert not any("hunter2" in text for text in told)
    assert f"`login(...)` to {pid!r} dropped: cast to a dead server" in texts


async def test_no_text_is_made_when_nobody_asks_for_it() -> None:
    """At the default level nothing is rendered."""

    class Loud:
        def __repr__(self) -> str:
            raise AssertionError("it was rendered")

    otp.cast("nobody", Loud())
    assert 1 == runtime().dropped


@pytest.mark.parametrize("ref", [[], 5, object(), "x"])
async def test_any_reference_is_shown(texts: list[str], ref: Any) -> None:
    """Also what is no message, as the function of `apply_after` in a closed nursery."""
    runtime().drop(ref, ("a", 1), "of a test")
    assert [f"a message, tuple to {ref!r} dropped: of a test"] == texts


@as_process
async def test_a_reply_that_comes_too_late_is_logged(texts: list[str]) -> None:
    """With what the server would show of it."""

    class Late(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            kept.append(from_)
            return otp.NoReply()

    kept: list[Any] = []
    with pytest.raises(otp.CallTimeout):
        await otp.call(await otp.start_link(Late), "x", timeout=1)
    assert not otp.reply(kept[0], "answer")
    assert [f"`'answer'` to {kept[0]!r} dropped: reply to a caller that is gone"] == texts


def counted(function: Callable[[], object]) -> int:
    before = runtime().dropped
    function()
    return runtime().dropped - before


async def test_a_listener_can_be_taken_off_for_one_run(texts: list[str]) -> None:
    """As those of the other records."""
    otp.events.detach("dropped", otp.reports.log_dropped)
    assert 1 == counted(lambda: otp.cast("nobody", "x"))
    assert [] == texts


@as_process
async def test_a_message_is_counted_also_if_nobody_listens(texts: list[str]) -> None:
    """Without the listener that logs, the process that sends goes on, and the count tells."""
    otp.events.detach("dropped", otp.reports.log_dropped)
    before = runtime().dropped
    otp.cast("nobody", "a")
    assert (before + 1, []) == (runtime().dropped, texts)
