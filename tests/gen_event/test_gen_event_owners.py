"""Owners of event handlers, and the end of an event manager."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from typing import Any

import pytest
import trio
import trio.testing
from gen_event_kit import MANAGER, Note, Words, boom, ge, without_init

import trio_otp as otp

# -- owners ----------------------------------------------------------------------------------------


async def received() -> list[Any]:
    """Take out what has arrived: the reasons of HandlerExit, other messages as they are."""
    got: list[Any] = []
    while True:
        try:
            message = await otp.receive(timeout=0)
        except otp.ReceiveTimeout:
            return got
        got.append(message.reason if isinstance(message, otp.HandlerExit) else message)


async def test_the_owner_hears_of_every_way_out() -> None:
    """NORMAL for deleted and removed, Swapped, the crash, SHUTDOWN when the manager ends (GE-5)."""
    async with otp.open_process() as me:
        manager = await otp.start(otp.EventManager)

        async def add() -> None:
            await ge.add_sup_handler(manager, Note())

        await add()
        await ge.delete_handler(manager, Note, "why")
        await add()
        await ge.sync_notify(manager, otp.RemoveHandler)
        await add()
        await ge.swap_handler(manager, Note, Words(), id=1)
        await ge.sync_notify(manager, 5)
        await ge.delete_handler(manager, (Words, 1))
        await add()
        await ge.sync_notify(manager, boom)
        await add()
        await ge.stop(manager, "custom")
        got = await received()
        swapped = otp.Swapped((Words, 1), me)
        assert [otp.NORMAL, otp.NORMAL, swapped, otp.NORMAL] == got[:4]
        assert isinstance(got[4], ValueError)
        assert [otp.SHUTDOWN] == got[5:]


async def test_the_message_names_manager_and_handler() -> None:
    """An owner of many handlers, in many managers, can tell them apart."""
    async with otp.open_process():
        manager = await otp.start(otp.EventManager)
        await ge.add_sup_handler(manager, Note(), id="id")
        await ge.delete_handler(manager, (Note, "id"))
        expected = otp.HandlerExit(manager, (Note, "id"), otp.NORMAL)
        assert expected == await otp.receive(otp.HandlerExit, timeout=0)


async def test_a_sup_swap_takes_the_handler_over() -> None:
    """The old owner hears who has it now; the new one hears of its end (GE-5, GE-6)."""
    heard: list[Any] = []

    async def owner(*, task_status: trio.TaskStatus[None]) -> None:
        await ge.add_sup_handler("events", Note())
        task_status.started()
        heard.append((await otp.receive(otp.HandlerExit)).reason)

    async with otp.open_supervisor([MANAGER]), otp.open_process() as me:
        await otp.start_link(otp.child(owner))  # type: ignore[call-arg]
        await ge.swap_sup_handler("events", Note, Note("new"))
        await ge.delete_handler("events", Note)
        assert [otp.NORMAL] == await received()
        await trio.testing.wait_all_tasks_blocked()
        assert [otp.Swapped(Note, me)] == heard


@pytest.mark.parametrize("reason", [otp.NORMAL, otp.SHUTDOWN, "custom", otp.KILL])
async def test_the_end_of_an_owner_takes_its_handlers_out(reason: object) -> None:
    """terminate gets why the owner ended; handlers of others stay (GE-5)."""
    log: list[Any] = []

    async def owner(*, task_status: trio.TaskStatus[None]) -> None:
        await ge.add_sup_handler("events", Note("owned", log), id="owned")
        task_status.started()
        otp.exit(await otp.receive())

    async with otp.open_supervisor([MANAGER]), otp.open_process():
        await ge.add_handler("events", Note("free", log))
        pid = await otp.start(otp.child(owner))  # type: ignore[call-arg]
        if reason is otp.KILL:
            otp.exit(pid, reason)
        else:
            otp.send(pid, reason)
        await trio.testing.wait_all_tasks_blocked()
        assert [Note] == await ge.which_handlers("events")
        why = otp.KILLED if reason is otp.KILL else reason
        gone, told = without_init(log)
        assert ("owned", "terminate", otp.OwnerExited(why)) == gone
        assert ("free", "info", otp.Exit(pid, why)) == told


async def test_a_handler_that_does_not_start_links_nobody() -> None:
    """A start either happened or did not; OTP leaves a link to the manager."""

    class Fails(otp.GenEvent):
        def init(self) -> Any:
            return otp.Stop("no")

    async with otp.open_supervisor([MANAGER]), otp.open_process() as me:
        for add in (
            lambda: ge.add_sup_handler("events", Fails()),
            lambda: ge.swap_sup_handler("events", Note, Fails()),
        ):
            with pytest.raises(otp.StartError):
                await add()
        assert () == otp.process_info(me).links
        otp.exit("events", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [] == await received()


async def test_an_owner_that_ends_before_its_handler_is_added(autojump_clock: Any) -> None:
    """The handler does not outlive it."""

    class Slow(Note):
        async def init(self) -> None:  # type: ignore[override]
            await trio.sleep(5)

    note = Slow()

    async def owner() -> None:
        await ge.add_sup_handler("events", note)

    async with otp.open_supervisor([MANAGER]), otp.open_process():
        pid = otp.spawn(owner)
        await trio.sleep(1)
        otp.exit(pid, "custom")
        await trio.sleep(10)
        assert [] == await ge.which_handlers("events")
        assert [("note", "terminate", otp.OwnerExited(otp.NOPROC))] == note.log


async def test_the_end_of_a_manager_is_no_signal_to_owners() -> None:
    """It lets go of them; a manager that is killed cannot (GE-5)."""
    async with otp.open_process(trap_exit=True):
        for how in ("custom", otp.SHUTDOWN):
            manager = await otp.start(otp.EventManager)
            await ge.add_sup_handler(manager, Note())
            await ge.stop(manager, how)
            assert [otp.SHUTDOWN] == await received()
        manager = await otp.start(otp.EventManager)
        await ge.add_sup_handler(manager, Note())
        otp.exit(manager, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [otp.Exit(manager, otp.KILLED)] == await received()


async def test_the_parent_of_a_manager_hears_of_its_end_as_well() -> None:
    """An owner that is its parent keeps that link (GE-5)."""
    async with otp.open_process(trap_exit=True):
        manager = await otp.start_link(otp.EventManager)
        await ge.add_sup_handler(manager, Note())
        await ge.stop(manager, "custom")
        assert [otp.SHUTDOWN, otp.Exit(manager, "custom")] == await received()


async def test_plain_trio_code_owns_no_handler() -> None:
    """It has no mailbox to be told in."""
    async with otp.open_supervisor([MANAGER]):
        with pytest.raises(otp.NotAProcess):
            await ge.add_sup_handler("events", Note())
        with pytest.raises(otp.NotAProcess):
            await ge.swap_sup_handler("events", Note, Note())


# -- the end of a manager --------------------------------------------------------------------------


async def test_a_supervisor_that_stops_ends_the_handlers() -> None:
    """Each terminate runs, newest first, with SHUTDOWN, whatever the others do (GE-4, GE-12)."""
    log: list[Any] = []

    class Bad(Note):
        def terminate(self, reason: object) -> None:
            super().terminate(reason)
            boom()

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a", log), id="a")
        await ge.add_handler("events", Bad("b", log), id="b")
        await ge.add_handler("events", Note("c", log), id="c")
    assert [(name, "terminate", otp.SHUTDOWN) for name in "cba"] == without_init(log)


async def test_a_manager_that_traps_no_exits_any_more_ends_all_handlers() -> None:
    """A handler that turned trapping off cannot keep others from their terminate."""
    log: list[Any] = []

    class Meddles(Note):
        def init(self) -> None:
            otp.trap_exit(False)

        def terminate(self, reason: object) -> None:
            boom()

    async with otp.open_supervisor([MANAGER]):
        await ge.add_handler("events", Note("a", log))
        await ge.add_handler("events", Meddles())
    assert [("a", "terminate", otp.SHUTDOWN)] == without_init(log)


@pytest.mark.parametrize("how", ["from outside", "by a handler", "at once"])
async def test_a_killed_manager_runs_nothing_more(how: str, autojump_clock: Any) -> None:
    """No other handler hears the event, no terminate runs, and the callers are answered."""
    log: list[Any] = []

    class Slow(Note):
        async def handle_event(self, event: Any) -> None:
            if how != "from outside":
                with suppress(BaseException) if how == "at once" else nullcontext():
                    otp.exit(otp.self(), otp.KILL)
            else:
                await trio.sleep(5)

    async with otp.open_process():
        manager = await otp.start(otp.EventManager)
        await ge.add_handler(manager, Note("old", log))
        await ge.add_handler(manager, Slow("new", log), id="new")
        if how == "from outside":
            otp.spawn(kill_later, manager)
        with pytest.raises(otp.ServerExited) as caught:
            await ge.sync_notify(manager, "event")
        assert otp.KILLED is caught.value.reason
        assert [] == without_init(log)


async def kill_later(pid: otp.Pid[Any]) -> None:
    await trio.sleep(1)
    otp.exit(pid, otp.KILL)


async def test_ctrl_c_in_a_handler_is_no_crash_of_it() -> None:
    """What is not ours passes through (law 5)."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    log: list[Any] = []

    async def program() -> None:
        async with otp.open_supervisor([MANAGER]) as sup:
            await ge.add_handler("events", Note("a", log))
            ge.notify("events", interrupt)
            await sup.wait()

    with pytest.raises(KeyboardInterrupt):
        await program()
    assert ("a", "terminate", otp.SHUTDOWN) == log[-1]
