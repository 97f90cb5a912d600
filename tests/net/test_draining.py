"""Stopping a service: what connections are told, what is waited for, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from inside import cut_draining
from net_kit import LIMIT, Boom, Memory, answer_after, ask, connect_to, service, until
from trio.testing import wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from trio_otp.testing import OtpLog

counts = otp.ConnectionSupervisor.counts
connections = otp.ConnectionSupervisor.connections
polite = answer_after(2)


async def deaf(stream: Any) -> None:
    """Answer every request, and ignore draining."""
    async for request in stream:
        await stream.send_all(request.upper())


async def end_of(supervisor: Any) -> float:
    """Stop the service, and return how long that has taken."""
    began = trio.current_time()
    await otp.terminate_child(supervisor, "web")
    return trio.current_time() - began


async def test_from_the_first_moment_nobody_is_let_in() -> None:
    """The system refuses them, so that clients can try elsewhere."""
    refused = trio.Event()

    async def handler(stream: Any) -> None:
        await otp.wait_draining()
        with trio.fail_after(LIMIT):
            await refused.wait()

    async with otp.open_supervisor([service(handler)]) as sup:
        port = otp.process_info("web").started[0].socket.getsockname()[1]
        async with await connect_to(port, "127.0.0.1"), trio.open_nursery() as nursery:
            [pid] = await until(lambda: connections("web"))
            nursery.start_soon(end_of, sup)
            await wait_all_tasks_blocked()
            assert otp.is_alive(pid)
            with pytest.raises(ConnectionRefusedError):
                await connect_to(port, "127.0.0.1")
            refused.set()


async def test_a_connection_that_waits_for_a_request_ends_at_once(autojump_clock: Any) -> None:
    """Idle connections cost a stop no time."""
    memory = Memory()
    async with otp.open_supervisor([service(polite, opens=memory.open)]) as sup:
        clients = [memory.connect() for _ in range(3)]
        assert b"A" == await ask(clients[-1], b"a")
        assert 0 == await end_of(sup)
        assert [b""] * 3 == [await client.receive_some() for client in clients]


async def test_what_was_begun_is_finished(autojump_clock: Any) -> None:
    """The client has its answer, and then the end; nothing is accepted meanwhile."""
    memory = Memory()
    async with otp.open_supervisor([service(polite, opens=memory.open)]) as sup:
        client = memory.connect()
        await client.send_all(b"a")
        await trio.sleep(1)
        late = memory.connect()
        await wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_of, sup)
            await wait_all_tasks_blocked()
            memory.connect()
            assert b"A" == await client.receive_some()
            assert b"" == await client.receive_some()
            assert b"" == await late.receive_some()
        assert 2 == memory.accepted


@pytest.mark.parametrize("limit", [0, 5, 7.5])
async def test_what_does_not_end_is_cancelled_after_the_drain_timeout(
    limit: float, autojump_clock: Any
) -> None:
    """All at once, after that time as a whole."""
    memory = Memory()
    child = service(deaf, opens=memory.open, drain_timeout=limit)
    async with otp.open_supervisor([child]) as sup:
        clients = [memory.connect() for _ in range(10)]
        assert b"A" == await ask(clients[-1], b"a")
        assert limit == await end_of(sup)
        assert [b""] * 10 == [await client.receive_some() for client in clients]


async def test_without_a_drain_timeout_it_waits_as_long_as_it_takes(autojump_clock: Any) -> None:
    """As long as its own `shutdown` limit lets it."""
    memory = Memory()
    child = service(deaf, opens=memory.open, drain_timeout=None)
    async with otp.open_supervisor([child]) as sup, trio.open_nursery() as nursery:
        client = memory.connect()
        nursery.start_soon(end_of, sup)
        await trio.sleep(80_000)
        assert b"A" == await ask(client, b"a")
        await client.aclose()
    memory = Memory()
    child = service(deaf, opens=memory.open, drain_timeout=None).having(shutdown=3.0)
    async with otp.open_supervisor([child]) as sup:
        assert b"A" == await ask(memory.connect(), b"a")
        assert 3 == await end_of(sup)


async def test_connections_end_all_at_once(autojump_clock: Any) -> None:
    """Each within its own five seconds, as the children of a DynamicSupervisor."""
    memory = Memory()

    async def slow(stream: Any) -> None:
        try:
            await stream.receive_some()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(4)

    async with otp.open_supervisor([service(slow, opens=memory.open, drain_timeout=1)]) as sup:
        for _ in range(20):
            memory.connect()
        await until(lambda: len(connections("web")) == 20)
        assert 5 == await end_of(sup)


async def test_the_three_ways_to_hear_of_it_say_the_same(autojump_clock: Any) -> None:
    """In helper tasks, in what the handler spawns and in servers that it starts, too."""
    memory = Memory()
    heard: list[str] = []

    class Server(otp.GenServer):
        @otp.on_call
        def ask(self) -> bool:
            return otp.is_draining()

    async def wait(name: str) -> None:
        assert not otp.is_draining()
        await otp.wait_draining()
        assert otp.is_draining()
        heard.append(name)

    async def handler(stream: Any) -> None:
        server = await otp.start_link(Server)
        otp.spawn_link(wait, "spawned")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait, "helper")
            with otp.move_on_when_draining() as scope:
                await trio.sleep_forever()
            assert scope.cancelled_caught
        with otp.move_on_when_draining() as scope:  # it has begun already
            await trio.lowlevel.checkpoint()
        assert scope.cancelled_caught
        assert await Server.ask(server)
        heard.append("handler")

    async with otp.open_supervisor([service(handler, opens=memory.open)]) as sup:
        memory.connect()
        await until(lambda: connections("web"))
        await wait_all_tasks_blocked()
        assert not otp.is_draining()  # here nothing will end
        assert 0 == await end_of(sup)
    assert ["handler", "helper", "spawned"] == sorted(heard)


async def test_a_scope_that_was_left_is_not_cancelled() -> None:
    """A handler that is past its wait is left alone."""
    memory = Memory()
    scopes: list[trio.CancelScope] = []
    left = trio.Event()

    async def handler(stream: Any) -> None:
        with otp.move_on_when_draining() as scope:
            scopes.append(scope)
            await stream.receive_some()
        left.set()
        await otp.wait_draining()

    async with otp.open_supervisor([service(handler, opens=memory.open)]):
        await memory.connect().send_all(b"x")
        await left.wait()
    assert [False] == [scope.cancel_called for scope in scopes]


async def test_a_crash_while_draining_is_one_record(otp_log: OtpLog) -> None:
    """As at any other time."""
    memory = Memory()

    async def handler(stream: Any) -> None:
        await otp.wait_draining()
        raise Boom

    with otp_log.expect_crash(Boom, times=1):
        async with otp.open_supervisor([service(handler, opens=memory.open)]):
            memory.connect()
            await until(lambda: connections("web"))
    assert () == otp_log.supervisor_reports


@pytest.mark.parametrize("whom", ["web", "connections"])
async def test_a_kill_waits_for_nobody(whom: str, autojump_clock: Any) -> None:
    """Connections die with their supervisor."""
    memory = Memory()
    child = service(deaf, opens=memory.open).having(restart="temporary")
    async with otp.open_supervisor([child]):
        client = memory.connect()
        assert b"A" == await ask(client, b"a")
        pid = "web" if whom == "web" else (await otp.which_child("web", whom)).pid
        began = trio.current_time()
        otp.exit(pid, otp.KILL)
        assert b"" == await client.receive_some()
        assert 0 == trio.current_time() - began


async def test_a_cancellation_from_outside_drains_too(autojump_clock: Any) -> None:
    """A deadline of the program is a stop in order, as for all supervisors."""
    memory = Memory()
    seen: list[Any] = []

    async def look() -> None:
        await trio.sleep(1.5)
        seen.append((counts("web").active, len(connections("web"))))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        with trio.move_on_after(1):
            async with otp.open_supervisor([service(polite, opens=memory.open)]):
                client = memory.connect()
                await client.send_all(b"a")
                await trio.sleep_forever()
    assert 2 == trio.current_time()
    assert [(1, 1)] == seen  # which can be asked for all the while
    assert b"A" == await client.receive_some()


async def test_the_time_counts_from_the_first_moment_also_if_the_stop_is_repeated(
    autojump_clock: Any,
) -> None:
    """A stop that is cancelled becomes a stop in order, within what is left."""
    memory = Memory()
    with trio.move_on_after(3):
        async with otp.open_supervisor([service(deaf, opens=memory.open)]) as sup:
            assert b"A" == await ask(memory.connect(), b"a")
            await otp.terminate_child(sup, "web")
    assert 5 == trio.current_time()


async def test_two_services_drain_in_their_turn(autojump_clock: Any) -> None:
    """Each tells its own connections: the older one serves until the newer one has ended."""
    one, two = Memory(), Memory()
    seen: list[tuple[str, float]] = []

    def handler(name: str) -> Any:
        async def handle(stream: Any) -> None:
            await otp.wait_draining()
            seen.append((name, trio.current_time()))
            await trio.sleep(1)

        return handle

    children = [
        service(handler(name), opens=memory.open).having(name=name)
        for name, memory in (("one", one), ("two", two))
    ]
    async with otp.open_supervisor(children):
        one.connect(), two.connect()
        await wait_all_tasks_blocked()
    assert [("two", 0), ("one", 1)] == seen


async def test_draining_that_is_cut_short_ends_in_order(autojump_clock: Any) -> None:
    """Connections are cancelled at once, here and in services whose turn comes later."""
    one, two = Memory(), Memory()
    assert not cut_draining()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        children = [
            service(deaf, opens=memory.open, drain_timeout=100).having(name=name)
            for name, memory in (("one", one), ("two", two))
        ]
        async with otp.open_supervisor(children):
            assert not cut_draining()  # nobody is connected
            assert (b"A", b"B") == (await ask(one.connect(), b"a"), await ask(two.connect(), b"b"))
            nursery.start_soon(cut_later)
    assert 1 == trio.current_time() - began


async def cut_later() -> None:
    """Cut draining short after a second."""
    await trio.sleep(1)
    assert cut_draining()


# -- applications --------------------------------------------------------------------------------


async def test_elsewhere_it_is_about_the_application(autojump_clock: Any) -> None:
    """From the moment its stop begins, before `prep_stop` and before anything is stopped."""
    seen: list[Any] = []

    async def worker() -> None:
        with otp.move_on_when_draining():
            await trio.sleep_forever()
        seen.append(("worker", otp.is_draining()))
        await trio.sleep_forever()

    class Shop(otp.Application):
        name = "shop"

        def start(self) -> Any:
            return otp.Supervisor.spec([worker])

        async def prep_stop(self) -> None:
            await wait_all_tasks_blocked()
            seen.append("prep_stop")

    async with otp.open_application(Shop):
        await wait_all_tasks_blocked()
        assert [] == seen
    assert [("worker", True), "prep_stop"] == seen


async def test_all_applications_of_a_program_hear_of_its_end_at_once(autojump_clock: Any) -> None:
    """Also those that are stopped last; stopping one alone is about that one."""
    seen: list[Any] = []

    def hears(name: str) -> Any:
        async def hear() -> None:
            await otp.wait_draining()
            seen.append((name, trio.current_time()))
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

        return otp.child(hear).having(restart="temporary")

    def app(called: str, *needs: type[otp.Application]) -> type[otp.Application]:
        class App(otp.Application):
            name = called
            dependencies = needs

            def start(self) -> Any:
                return otp.Supervisor.spec([hears(called)])

        return App

    shop, other = app("shop", app("base")), app("other")
    async with otp.open_application(shop):
        await otp.application.start(other)
        await otp.application.stop(other)
        assert [("other", 0)] == seen
        seen.clear()
    assert {("base", 1), ("shop", 1)} == set(seen)


async def test_in_plain_code_nothing_drains(autojump_clock: Any) -> None:
    """So a handler can be tested by itself."""
    mine, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(polite, theirs)
        assert b"A" == await ask(mine, b"a")
        await mine.aclose()
    with trio.move_on_after(1000) as scope:
        await otp.wait_draining()
    assert scope.cancelled_caught
    with pytest.raises(otp.NotInRun):
        await trio.to_thread.run_sync(otp.is_draining)


async def test_draining_may_be_cut_before_it_has_begun(autojump_clock: Any) -> None:
    """The sender of a second signal cannot know which part of the program is being stopped."""
    memory = Memory()

    async def slow() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(2)

    supervisor = otp.open_supervisor([service(deaf, opens=memory.open), slow])
    async with trio.open_nursery() as nursery, supervisor:
        assert b"A" == await ask(memory.connect(), b"a")
        nursery.start_soon(cut_later)
    assert 2 == trio.current_time()


@pytest.mark.parametrize("how", ["stopped", "cancelled"])
async def test_a_handler_that_asks_its_own_supervisor_while_it_ends_is_answered(
    how: str, autojump_clock: Any
) -> None:
    """By an error: the supervisor waits for the connection, so it could not answer."""
    memory = Memory()
    met: list[type[BaseException]] = []

    async def handler(stream: Any) -> None:
        await otp.wait_draining()
        try:
            await otp.which_children("web")
        except (otp.DeadlockError, otp.NoProcess) as exc:
            met.append(type(exc))

    with trio.move_on_after(1):
        async with otp.open_supervisor([service(handler, opens=memory.open)]) as sup:
            memory.connect()
            await until(lambda: connections("web"))
            if how == "stopped":
                await end_of(sup)
            await trio.sleep_forever()
    assert [otp.DeadlockError if how == "stopped" else otp.NoProcess] == met
    assert 1 == trio.current_time()


async def test_a_handler_may_end_by_an_exit_reason(otp_log: OtpLog) -> None:
    """One with a quiet reason is no crash."""
    memory = Memory()

    async def handler(stream: Any) -> None:
        otp.exit(otp.SHUTDOWN)

    async with otp.open_supervisor([service(handler, opens=memory.open)]):
        assert b"" == await memory.connect().receive_some()
        await until(lambda: counts("web") == otp.ConnectionCounts(accepted=1))
    assert () == otp_log.crashes
