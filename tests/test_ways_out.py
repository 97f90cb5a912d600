"""Every way out of a block: what lives in it is cleaned up, in order, before anybody hears of it.

Only a kill of the block skips `terminate`, of what is linked to it.
"""

from __future__ import annotations

import signal
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Pages = list[Any]


class Diary(otp.GenServer):
    """Notes when it has cleaned up; that takes a while."""

    def __init__(self, pages: Pages, name: str) -> None:
        self.pages = pages
        self.name = name

    async def terminate(self, reason: object) -> None:
        await trio.sleep(1)
        self.pages.append((self.name, reason))


class Listener(otp.GenServer):
    """Linked to the block, and outside of it: notes what it hears of the end of the block."""

    def __init__(self, pages: Pages, pid: otp.Pid[Any]) -> None:
        self.pages = pages
        otp.trap_exit()
        otp.link(pid)

    def handle_info(self, message: Any) -> None:
        self.pages.append(("told", message.reason))


async def notes(pages: Pages, name: str) -> None:
    try:
        await trio.sleep_forever()
    finally:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
        pages.append((name, otp.SHUTDOWN))


async def starts_a_diary(pages: Pages) -> None:
    await otp.start_link(otp.child(Diary, pages, "of a process"))
    await trio.sleep_forever()


# -- what is started -------------------------------------------------------------------------------


async def by_start(pages: Pages) -> None:
    await otp.start(otp.child(Diary, pages, "started"))


async def by_start_link(pages: Pages) -> None:
    await otp.start_link(otp.child(Diary, pages, "linked"))


async def by_spawn_link(pages: Pages) -> None:
    otp.spawn_link(notes, pages, "spawned")
    otp.spawn_link(starts_a_diary, pages)
    await trio.testing.wait_all_tasks_blocked()


async def by_supervisor(pages: Pages) -> None:
    await otp.start_link(
        otp.child(
            otp.Supervisor,
            [otp.child(Diary, pages, name).having(id=name) for name in ("first", "second")],
        )
    )


async def by_dynamic_supervisor(pages: Pages) -> None:
    sup = await otp.start_link(otp.DynamicSupervisor)
    await otp.start_child(sup, otp.child(Diary, pages, "dynamic"))


async def everything(pages: Pages) -> None:
    for start in STARTS[:-1]:
        await start(pages)


STARTS: list[Callable[[Pages], Awaitable[None]]] = [
    by_start,
    by_start_link,
    by_spawn_link,
    by_supervisor,
    by_dynamic_supervisor,
    everything,
]
ENTRIES = {
    by_start: ["started"],
    by_start_link: ["linked"],
    by_spawn_link: ["of a process", "spawned"],
    by_supervisor: ["second", "first"],
    by_dynamic_supervisor: ["dynamic"],
    everything: ["dynamic", "second", "first", "of a process", "spawned", "linked", "started"],
}


# -- the ways out ----------------------------------------------------------------------------------


async def normally(scope: trio.CancelScope) -> None:
    await trio.lowlevel.checkpoint()


async def by_an_error(scope: trio.CancelScope) -> None:
    raise LookupError("bug")


async def cancelled(scope: trio.CancelScope) -> None:
    scope.cancel()
    await trio.sleep_forever()


async def cancelled_at_the_last_moment(scope: trio.CancelScope) -> None:
    scope.cancel()


async def by_a_deadline(scope: trio.CancelScope) -> None:
    scope.deadline = trio.current_time() + 3
    await trio.sleep_forever()


async def by_its_own_exit(scope: trio.CancelScope) -> None:
    otp.exit("done")


async def by_a_signal(scope: trio.CancelScope) -> None:
    otp.spawn(signal_me, otp.self(), "please")
    await trio.sleep_forever()


async def by_the_crash_of_a_link(scope: trio.CancelScope) -> None:
    otp.spawn_link(crash)
    await trio.sleep_forever()


async def by_ctrl_c(scope: trio.CancelScope) -> None:
    signal.raise_signal(signal.SIGINT)
    await trio.sleep_forever()


async def signal_me(pid: otp.Pid[Any], reason: object) -> None:
    otp.exit(pid, reason)


async def crash() -> None:
    raise LookupError("bug")


# {way out: what the link outside is told, or its class}
WAYS: dict[Callable[[trio.CancelScope], Awaitable[None]], object] = {
    normally: otp.NORMAL,
    by_an_error: LookupError,
    cancelled: otp.SHUTDOWN,
    cancelled_at_the_last_moment: otp.NORMAL,
    by_a_deadline: otp.SHUTDOWN,
    by_its_own_exit: "done",
    by_a_signal: "please",
    by_the_crash_of_a_link: LookupError,
    by_ctrl_c: KeyboardInterrupt,
}


def name_of(function: Callable[..., Any]) -> str:
    return function.__name__


def run_block(start: Any, leave: Any, *, kill: bool = False) -> Pages:
    """Leave a block in one way; give what has been noted."""
    pages: Pages = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            with (
                suppress(LookupError, otp.ProcessExited, KeyboardInterrupt),
                trio.CancelScope() as scope,
            ):
                async with otp.open_process() as me:
                    listener = otp.child(Listener, pages, me)
                    await otp.start(listener.having(name="listener"), nursery=nursery)
                    await start(pages)
                    await leave(scope)
            assert {"listener"} == set(otp.registered())
            assert 1 == otp.process_count()
            await otp.stop("listener")

    trio.run(
        main,
        clock=trio.testing.MockClock(autojump_threshold=0),
        restrict_keyboard_interrupt_to_checkpoints=True,
    )
    return pages


@pytest.mark.parametrize("start", STARTS, ids=name_of)
@pytest.mark.parametrize("leave", WAYS, ids=name_of)
def test_every_way_out_cleans_up_newest_first_and_then_tells_links(start: Any, leave: Any) -> None:
    """What lives in the block ends by SHUTDOWN with `terminate`, newest first; then links hear."""
    *entries, (told, why) = run_block(start, leave)
    assert [(name, otp.SHUTDOWN) for name in ENTRIES[start]] == entries
    expected = WAYS[leave]
    assert "told" == told
    assert isinstance(why, expected) if isinstance(expected, type) else expected == why


async def by_a_kill(scope: trio.CancelScope) -> None:
    otp.spawn(signal_me, otp.self(), otp.KILL)
    await trio.sleep_forever()


def test_a_kill_of_the_block_is_its_end_at_once() -> None:
    """Links are told first; what is linked dies of the link, a supervisor stops its children."""
    told, *entries = run_block(everything, by_a_kill)
    assert ("told", otp.KILLED) == told
    # `linked` and `of a process` are servers that do not trap exits: they have no `terminate`
    assert {"dynamic", "second", "first", "spawned", "started"} == {name for name, _ in entries}


async def test_a_kill_while_the_block_stops_what_lives_in_it(autojump_clock: Any) -> None:
    """It cuts the end in order short: what is linked dies of the link, without `terminate`."""
    pages: Pages = []

    async def block() -> None:
        async with otp.open_process() as me:
            await by_start_link(pages)
            otp.apply_after(0.5, signal_me, me, otp.KILL)

    with pytest.raises(otp.ProcessExited) as caught:
        await block()
    assert otp.KILLED is caught.value.reason
    assert [] == pages
    assert 0.5 == trio.current_time()


async def test_a_block_that_stops_what_lives_in_it_counts_as_dead(autojump_clock: Any) -> None:
    """A `terminate` that asks the block is told so at once; its name is free when it has ended."""
    seen: Pages = []

    class Child(otp.GenServer):
        async def terminate(self, reason: object) -> None:
            try:
                await otp.call("block", "anything", timeout=None)
            except otp.NoProcess:
                seen.append(otp.is_alive("block"))

    async with otp.open_process(name="block"):
        await otp.start_link(Child)
    assert [False] == seen
    assert 0 == trio.current_time()
    async with otp.open_process(name="block"):
        pass


# -- other nurseries ------------------------------------------------------------------------------


class Owner(Diary):
    """Starts a helper that is linked to it; both live where the owner was started."""

    async def init(self) -> None:
        await otp.start_link(otp.child(Diary, self.pages, "helper"))


@pytest.mark.parametrize("how", ["cancelled", "error"])
async def test_a_nursery_that_closes_stops_a_helper_and_then_its_owner(
    how: str, autojump_clock: Any
) -> None:
    """The helper, the newer one, has ended first; its owner does not die of the link by that."""
    pages: Pages = []
    with pytest.RaisesGroup(LookupError) if how == "error" else nullcontext():
        async with trio.open_nursery() as nursery:
            await otp.start(otp.child(Owner, pages, "owner"), nursery=nursery)
            if how == "error":
                raise LookupError
            nursery.cancel_scope.cancel()
    assert [("helper", otp.SHUTDOWN), ("owner", otp.SHUTDOWN)] == pages


@pytest.mark.parametrize("traps", [False, True])
async def test_a_helper_of_a_supervised_server_dies_of_the_link(
    traps: bool, autojump_clock: Any
) -> None:
    """It ends with its owner, as in OTP: with `terminate` only if it traps exits."""
    pages: Pages = []

    class Helper(Diary):
        async def init(self) -> None:
            otp.trap_exit(traps)

    class Server(Diary):
        async def init(self) -> None:
            await otp.start_link(otp.child(Helper, self.pages, "helper"))

    async with otp.open_supervisor([otp.child(Server, pages, "server")]):
        pass
    assert ("server", otp.SHUTDOWN) == pages[0]
    assert [("helper", otp.SHUTDOWN)] * traps == pages[1:]


class Buddy(Diary):
    """Is linked to an older child of the same supervisor."""

    def __init__(self, pages: Pages, name: str, other: str) -> None:
        super().__init__(pages, name)
        otp.link(otp.whereis(other))  # type: ignore[arg-type]  # it runs


@pytest.mark.parametrize("shutdown", [5.0, "brutal_kill"])
@pytest.mark.parametrize("kind", ["static", "dynamic"])
async def test_a_supervisor_stops_linked_children_each_by_its_own_rule(
    kind: str, shutdown: Any, autojump_clock: Any
) -> None:
    """The end of one that is stopped does not take along another whose turn comes later."""
    pages: Pages = []
    old = otp.child(Diary, pages, "old").having(name="old")
    new = otp.child(Buddy, pages, "new", "old").having(shutdown=shutdown)
    if kind == "static":
        async with otp.open_supervisor([old, new]):
            pass
    else:
        async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="sup")]):
            await otp.start_child("sup", old)
            await otp.start_child("sup", new)
    assert ("old", otp.SHUTDOWN) in pages
    assert ("new" in dict(pages)) == (shutdown == 5.0)


async def test_a_restart_of_all_stops_linked_children_with_terminate(autojump_clock: Any) -> None:
    """one_for_all stops the children that are left one by one; none dies of another's stop."""
    pages: Pages = []
    children = [
        otp.child(Diary, pages, "old").having(name="old"),
        otp.child(Buddy, pages, "new", "old").having(id="new"),
        otp.child(crash_on_message).having(name="crashing"),
    ]
    async with otp.open_supervisor(children, strategy="one_for_all"):
        otp.send("crashing", "crash")
        await trio.sleep(3)
        assert [("new", otp.SHUTDOWN), ("old", otp.SHUTDOWN)] == pages


async def crash_on_message() -> None:
    await otp.receive()
    raise LookupError("bug")


async def test_a_child_that_is_terminated_takes_its_links_along(autojump_clock: Any) -> None:
    """Stopping one child alone is an end that links hear of, as in OTP."""
    pages: Pages = []
    old = otp.child(Diary, pages, "old").having(name="old", restart="temporary")
    new = otp.child(Buddy, pages, "new", "old").having(id="new")
    async with otp.open_supervisor([old, new]) as sup:
        await otp.terminate_child(sup, "new")
        assert not otp.is_alive("old")
    assert [("new", otp.SHUTDOWN)] == pages
