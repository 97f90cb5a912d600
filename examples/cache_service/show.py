"""The demonstration itself: load, faults, figures, a check, and a verdict.

with folded_logs(screen) as folder:
    status = await demonstrate(Stage(port, database, folder, screen))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio

import trio_otp as otp

from .faults import FAULTS, cause
from .figures import counted, table
from .load import PIPELINE, READS, check_all, use
from .repo import Repo
from .stage import HOST, fill_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from .faults import Fault
    from .load import Record, Session
    from .stage import Stage

SHOWN: Final = 5  # complaints that are printed


async def demonstrate(
    stage: Stage,
    *,
    faults: Sequence[Fault] = FAULTS,
    before_check: Callable[[int], Awaitable[None]] | None = None,
) -> int:
    """Store records, cause faults, read all again, and say how it went.

    Args:
        stage: where, how long, with how many clients.
        faults: what to cause, spread over the time.
        before_check: called with the port when the service has started again.

    Returns:
        The exit status: 0 if all went as promised, else 1.
    """
    try:
        async with stage.running():
            await _put_to_work(stage, faults)
        async with stage.running():
            if before_check is not None:
                await before_check(stage.port)
            await _check(stage)
    except otp.OtpError as exc:
        stage.complaints.append(str(exc))
    return _verdict(stage, len(faults))


async def _put_to_work(stage: Stage, faults: Sequence[Fault]) -> None:
    await stage.show_tree(f"A cache that Redis clients talk to, listening on {HOST}:{stage.port}")
    seconds = await _load(stage, faults)
    await stage.show_tree("The same tree, with what was restarted")
    stage.repos.append(await Repo.stats(Repo))
    _show_figures(stage, seconds)


# -- load ------------------------------------------------------------------------------------------


async def _load(stage: Stage, faults: Sequence[Fault]) -> float:
    """Let clients work while faults happen; give the seconds from when all was stored."""
    async with stage.sessions(stage.clients, stage.keyspaces) as sessions:
        shares = stage.shares(stage.clients)
        await _fill(stage, sessions, shares)
        return await _use(stage, sessions, shares, faults)


async def _fill(
    stage: Stage, sessions: Sequence[Session], shares: Sequence[Sequence[Record]]
) -> None:
    began = trio.current_time()
    await fill_all(sessions, shares)
    seconds = trio.current_time() - began
    stage.filled = await Repo.stats(Repo)
    stage.screen.line(
        f"{len(sessions)} clients stored {stage.journal.writes:,} airports "
        f"in {stage.keyspaces} keyspaces in {seconds:.1f} s, {PIPELINE} at a time.\n"
        f"Now each stores a new value of one, reads {READS}, and so on. Of a crash that was\n"
        "announced the log shows a line, of any other all.\n"
    )


async def _use(
    stage: Stage,
    sessions: Sequence[Session],
    shares: Sequence[Sequence[Record]],
    faults: Sequence[Fault],
) -> float:
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        for session, share in zip(sessions, shares, strict=True):
            nursery.start_soon(use, session, share)
        nursery.start_soon(_tell_progress, stage, began)
        await cause(stage, faults)
        await trio.sleep_until(began + stage.seconds)
        nursery.cancel_scope.cancel()
    stage.screen.line()
    return trio.current_time() - began


async def _tell_progress(stage: Stage, began: float) -> None:
    journal = stage.journal
    while True:
        await trio.sleep(stage.screen.pace)
        stage.screen.progress(
            f"{trio.current_time() - began:5.1f} s{journal.writes:10,} writes acknowledged"
            f"{len(journal.read_times):10,} reads{journal.retries:8,} retried"
        )


def _show_figures(stage: Stage, seconds: float) -> None:
    journal = stage.journal
    times = {"writes": journal.write_times, "reads": journal.read_times}
    stage.screen.line("As clients saw it, retries included\n", "title")
    stage.screen.line(table(times, seconds, indent=3) + "\n")
    retries, closed = counted(journal.retries, "command"), counted(journal.closed, "connection")
    stage.screen.line(f"{retries} had to be sent again, {closed} to be opened anew.")
    commits = sum(stats.commits for stats in stage.repos) - stage.filled.commits
    writes = sum(stats.operations for stats in stage.repos) - stage.filled.operations
    stage.screen.line(
        f"{writes:,} writes took {commits:,} commits, each forced to the disk: "
        f"{writes / max(commits, 1):.1f} share one."
    )


# -- the end ---------------------------------------------------------------------------------------


async def _check(stage: Stage) -> None:
    """Read over the socket what was acknowledged, from a service that knows only its file."""
    wrong = await check_all(stage.port, stage.journal)
    stage.complaints += wrong
    stage.screen.line(
        "\nThe service was stopped and started again from its file. "
        f"{len(stage.journal.acknowledged):,} keys\n"
        f"were read over the socket: {len(wrong) or 'none'} wrong. "
        f"{len(stage.journal.in_doubt)} had a newer value on its way when\n"
        "the clients left, and may have that one."
    )


def _verdict(stage: Stage, faults: int) -> int:
    """Sum it up; give the exit status."""
    complaints = [*stage.complaints, *stage.journal.wrong]
    complaints += [f"a client was answered {text!r}" for text in stage.journal.unexpected]
    complaints += [f"unexpected log: {text}" for text in stage.folder.unexpected]
    if not stage.hits:
        complaints.append("no fault hit a pending commit")
    if complaints:
        _complain(stage, complaints)
        return 1
    writes = stage.journal.writes
    stage.screen.line(f"\nOK: {faults} faults, {writes:,} acknowledged writes, none lost.", "good")
    return 0


def _complain(stage: Stage, complaints: Sequence[str]) -> None:
    for complaint in complaints[:SHOWN]:
        stage.screen.line(f"WRONG: {complaint}", "bad")
    if len(complaints) > SHOWN:
        stage.screen.line(f"... and {len(complaints) - SHOWN} more", "bad")
    stage.screen.line(f"\nFAILED: {counted(len(complaints), 'thing')} wrong.", "bad")
