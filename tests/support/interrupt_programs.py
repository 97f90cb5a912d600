"""Small programs for Ctrl-C at every line: what each kind of process does in its life and end."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio
from net_kit import Memory, service, shout

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PROGRAMS: dict[str, Callable[[], Awaitable[object]]] = {}
REAL: dict[str, Callable[[], Awaitable[object]]] = {}  # that wait for threads or other programs
REG = otp.registry("Reg")
POOL = otp.pool("pool")


def program(function: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Enter a program under its name."""
    PROGRAMS[function.__name__] = function
    return function


def real(function: Callable[[], Awaitable[object]]) -> Callable[[], Awaitable[object]]:
    """Enter a program that waits for threads or other programs."""
    REAL[function.__name__] = function
    return function


class Slow(otp.GenServer):
    """Has a checkpoint in each callback."""

    async def init(self) -> None:
        await trio.lowlevel.checkpoint()

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        await trio.lowlevel.checkpoint()
        match request:
            case "crash":
                raise ValueError(request)
            case "defer":
                otp.reply_from_task(from_, echo, request)
                return otp.NoReply()
            case "continue":
                return otp.Reply(request, continue_="token")
            case "idle":
                return otp.Reply(request, timeout=0.01)
            case "stop":
                return otp.Stop(otp.NORMAL, reply=request)
            case _:
                return otp.Reply(request)

    async def handle_cast(self, message: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if message == "crash":
            raise ValueError(message)

    async def handle_continue(self, token: Any) -> None:
        await trio.lowlevel.checkpoint()

    async def handle_info(self, message: Any) -> None:
        await trio.lowlevel.checkpoint()

    async def terminate(self, reason: object) -> None:
        await trio.lowlevel.checkpoint()


class Quick(otp.GenServer):
    """Has no checkpoint anywhere."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return otp.Reply(request)

    def handle_cast(self, message: Any) -> None: ...

    def handle_info(self, message: Any) -> None: ...

    @otp.on_call(raises=(KeyError,))
    def answer(self, value: int) -> int:
        return value


class Sleepy(Quick):
    """Falls asleep as soon as it is idle."""

    hibernate_after = 0


class Tired(Slow):
    """Falls asleep when it has been idle for a while."""

    hibernate_after = 0.01


class Failing(otp.GenServer):
    """Starts as often as it is said to."""

    starts = 1

    def init(self) -> Any:
        type(self).starts -= 1
        if type(self).starts < 0:
            raise ValueError("no more")

    def handle_cast(self, message: Any) -> Any:
        raise ValueError(message)


class Stubborn(otp.GenServer, shutdown=0.1):
    """Has to be killed."""

    def init(self) -> None:
        otp.trap_exit(True)

    async def terminate(self, reason: object) -> None:
        await trio.sleep_forever()


async def echo(value: Any) -> Any:
    await trio.lowlevel.checkpoint()
    return value


async def fail(value: Any) -> Any:
    await trio.lowlevel.checkpoint()
    raise ValueError(value)


async def serve(*, task_status: trio.TaskStatus[int]) -> None:
    await trio.lowlevel.checkpoint()
    task_status.started(1)
    await trio.sleep_forever()


def slow(name: str) -> otp.Child[Slow]:
    return otp.child(Slow).having(name=name)


@program
async def small() -> None:
    async with otp.open_process():
        otp.spawn(trio.sleep_forever)


@program
async def starts() -> None:
    async with otp.open_process(trap_exit=True), trio.open_nursery() as nursery:
        await otp.start_link(slow("a"))
        await otp.start_monitor(otp.child(Quick))
        await otp.start(otp.child(Slow), nursery=nursery)
        await otp.start_link(otp.child(serve))
        otp.spawn_link(echo, 1)
        otp.spawn_monitor(fail, 1)
        for child in (otp.child(Bad), slow("a")):
            with suppress(otp.StartError):
                await otp.start_link(child)
        with trio.move_on_after(0):
            await otp.start_link(otp.child(Slow))
        nursery.cancel_scope.cancel()


class Bad(otp.GenServer):
    """Does not start."""

    async def init(self) -> Any:
        await trio.lowlevel.checkpoint()
        raise ValueError("no")


@program
async def calls() -> None:
    async with otp.open_supervisor([slow("a"), otp.child(Quick).having(name="q")]):
        for request in ("echo", "defer", "continue", "idle"):
            await otp.call("a", request)
        await trio.sleep(1)
        await otp.call("q", 1)
        await otp.call("q", 1, timeout=1)
        await Quick.answer("q", 2)
        otp.cast("a", 1)
        otp.send("a", 1)
        with trio.move_on_after(0):
            await otp.call("a", 1)
        with suppress(otp.CallTimeout):
            await otp.call("a", 1, timeout=0)
        await otp.receive_response(otp.send_request("a", 1))
        ids = otp.RequestIds()
        for number in range(2):
            ids.send("a", number, number)
        await ids.receive()
        await ids.wait()
        await otp.multi_call(["a", "q", "nobody"], 1)
        with suppress(otp.CallError):
            await otp.call("a", "crash")


@program
async def stops() -> None:
    async with otp.open_process(trap_exit=True) as me:
        await otp.stop(await otp.start_link(otp.child(Slow)))
        await otp.receive(otp.Exit)
        await otp.call(await otp.start_link(otp.child(Slow)), "stop")
        await otp.receive(lambda message: isinstance(message, otp.Exit))
        await otp.stop(otp.spawn(trio.sleep_forever))
        otp.exit(await otp.start_link(otp.child(Slow)), otp.KILL)
        await otp.receive(otp.Exit)
        pid = await otp.start_link(otp.child(Slow))
        otp.unlink(pid)
        with trio.move_on_after(0):
            await otp.stop(pid)
        await otp.start_link(otp.child(Stubborn))
        with suppress(otp.ReceiveTimeout):
            await otp.receive(timeout=0.1)
        otp.send(me, "unread")


@program
async def links() -> None:
    async with otp.open_process(trap_exit=True):
        pid = otp.spawn(trio.sleep_forever)
        otp.link(pid)
        ref = otp.monitor(pid)
        otp.demonitor(otp.monitor(pid), flush=True)
        otp.exit(pid, "bye")
        await otp.receive(otp.Exit)
        await otp.receive(otp.Down)
        otp.demonitor(ref)
        timer = otp.send_after(otp.self(), "tick", 0.1)
        await otp.receive(str)
        otp.cancel_timer(timer)
        interval = otp.send_interval(otp.self(), "tock", 0.1)
        await otp.receive(str)
        otp.cancel_timer(interval)
        otp.apply_after(0.1, echo, 1)
        otp.exit_after(0.1, otp.spawn(trio.sleep_forever), "bye")
        otp.kill_after(0.1, otp.spawn(trio.sleep_forever))
        await trio.sleep(1)
        otp.register("name", otp.self())
        otp.unregister("name")


@program
async def a_supervisor() -> None:
    children = [
        slow("a"),
        slow("b").having(shutdown="brutal_kill"),
        otp.child(Stubborn).having(name="c"),
        otp.child(otp.DynamicSupervisor).having(name="d"),
    ]
    async with otp.open_supervisor(children) as sup:
        pid = await otp.start_child("d", otp.child(Slow).having(restart="temporary"))
        await otp.start_child("d", otp.child(Stubborn))
        await otp.terminate_child("d", pid)
        await otp.terminate_child(sup, "b")
        await otp.restart_child(sup, "b")
        with suppress(otp.StartError):
            await otp.start_child(sup, otp.child(Bad))
        with trio.move_on_after(0):
            await otp.start_child(sup, slow("e"))
        await otp.ensure_child("d", slow("f"))


@program
async def restarts() -> None:
    for strategy in ("one_for_one", "one_for_all", "rest_for_one"):
        children = [slow("a"), slow("b"), slow("c")]
        async with otp.open_supervisor(children, strategy=strategy):
            otp.cast("b", "crash")
            await trio.sleep(1)


@program
async def giving_up() -> None:
    Failing.starts = 1
    failing = otp.child(Failing).having(name="f")
    nested = otp.child(otp.Supervisor, [slow("a"), failing]).having(restart="temporary")
    async with otp.open_supervisor([slow("b"), nested]):
        otp.cast("f", "crash")
        await trio.sleep(1)


@program
async def giving_up_to_the_block() -> None:
    with suppress(otp.SupervisorExited):
        async with otp.open_supervisor([slow("a"), slow("b")], max_restarts=0):
            otp.cast("b", "crash")
            await trio.sleep(1)


@program
async def dynamic_restarts() -> None:
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="d")]):
        pid = await otp.start_child("d", otp.child(Slow))
        otp.cast(pid, "crash")
        await trio.sleep(1)


@program
async def waiting_restarts() -> None:
    backoff = otp.Backoff(min_delay=0.5)
    pool = otp.child(otp.DynamicSupervisor, backoff=backoff).having(name="d")
    async with otp.open_supervisor(
        [slow("a"), slow("b"), pool], strategy="rest_for_one", backoff=backoff
    ) as sup:
        pid = await otp.start_child("d", otp.child(Slow))
        otp.cast(pid, "crash")
        await trio.sleep(1)
        otp.cast("a", "crash")
        await trio.sleep(1)
        otp.cast("a", "crash")
        await trio.sleep(0.5)
        await otp.terminate_child(sup, "a")


@program
async def partitions() -> None:
    child = otp.child(otp.PartitionSupervisor, otp.child(Slow), partitions=2).having(name="p")
    async with otp.open_supervisor([child]):
        pool = otp.partitions("p")
        await otp.call(pool.via("key"), 1)
        await pool.resize(1)
        await pool.resize(2)


@program
async def subscriptions() -> None:
    async with otp.open_supervisor([otp.child(otp.Registry, keys="duplicate").having(name="Reg")]):
        async with REG.subscribe("key") as channel:
            REG.send("key", 1)
            await channel.receive()
            [(pid, _)] = REG.lookup("key")
            with suppress(otp.WrongServer):
                await otp.call(pid, 1)
            REG.send("key", 2)
        async with REG.subscribe("key") as channel:
            await channel.aclose()


@program
async def locks() -> None:
    async with (
        otp.open_supervisor([otp.child(otp.Registry).having(name="Reg")]),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(hold)
        nursery.start_soon(hold)
        async with REG.lock("key"):
            await trio.sleep(0.1)


async def hold() -> None:
    async with REG.lock("key"):
        await trio.lowlevel.checkpoint()


@program
async def tasks() -> None:
    async with otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="t")]):
        task = await otp.TaskSupervisor.start_async("t", echo, 1)
        await task
        await otp.TaskSupervisor.start_child("t", echo, 1)
        nolink = await otp.TaskSupervisor.start_async_nolink("t", fail, 1)
        await otp.task.yield_one(nolink)
        async with otp.open_process(trap_exit=True):
            several = [otp.task.start_async(echo, number) for number in range(2)]
            await otp.task.await_many(several)
            await otp.task.shutdown(otp.task.start_async(trio.sleep_forever))
            await otp.task.yield_many([otp.task.start_async(fail, 1)])


@program
async def streams() -> None:
    async with otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="t")]):
        async with otp.task.async_stream(range(3), echo, max_concurrency=2) as results:
            async for _ in results:
                pass
        async with otp.TaskSupervisor.async_stream_nolink("t", range(3), fail) as results:
            async for _ in results:
                break


class Base(otp.Application):
    """Something to depend on."""

    def start(self) -> Any:
        return otp.Supervisor.spec([slow("base")])


class App(otp.Application):
    """Has a checkpoint in each callback."""

    dependencies = (Base,)
    start_phases = ("one",)

    async def start(self) -> Any:
        await trio.lowlevel.checkpoint()
        return otp.Supervisor.spec([slow("app")])

    async def start_phase(self, phase: str) -> None:
        await trio.lowlevel.checkpoint()

    async def prep_stop(self) -> None:
        await trio.lowlevel.checkpoint()

    async def stop(self) -> None:
        await trio.lowlevel.checkpoint()


@program
async def applications() -> None:
    async with otp.open_application(App):
        await otp.call("app", 1)
        await otp.application.stop("app")
        await otp.application.start(App)
    async with otp.open_application(App, mode="concurrent"):
        await trio.lowlevel.checkpoint()
    with suppress(otp.ApplicationExited):
        async with otp.open_application(App) as app:
            otp.exit(app.pid, otp.KILL)
            await app.wait()


@program
async def sleepers() -> None:
    children = [otp.child(Sleepy).having(name="s"), otp.child(Tired).having(name="t")]
    async with otp.open_supervisor(children):
        await trio.sleep(1)
        await otp.call("s", 1)
        await otp.call("t", 1)
        otp.cast("s", 1)
        await trio.sleep(1)
        otp.exit("s", otp.KILL)
        await trio.sleep(1)
        await otp.stop("s")
        await trio.sleep(1)


class Listener(otp.GenEvent):
    """Has a checkpoint in each callback."""

    async def init(self) -> None:
        await trio.lowlevel.checkpoint()

    async def handle_event(self, event: Any) -> Any:
        await trio.lowlevel.checkpoint()
        if event == "crash":
            raise ValueError(event)

    async def handle_call(self, request: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return otp.Reply(request)

    async def terminate(self, reason: object) -> None:
        await trio.lowlevel.checkpoint()


@program
async def event_managers() -> None:
    events = otp.child(otp.EventManager, [Listener]).having(name="e")
    async with otp.open_supervisor([events]), otp.open_process(trap_exit=True):
        otp.gen_event.notify("e", 1)
        await otp.gen_event.call("e", Listener, 1)
        await otp.gen_event.add_sup_handler("e", Listener(), id=1)
        await otp.gen_event.swap_handler("e", Listener, Listener(), id=2)
        await otp.gen_event.delete_handler("e", (Listener, 2))
        await otp.gen_event.sync_notify("e", "crash")


class Door(otp.GenStatem[str]):
    """Postpones what comes while it is closed."""

    initial = "open"

    async def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        await trio.lowlevel.checkpoint()
        if kind is otp.Event.CAST:
            return otp.NextState("closed", otp.StateTimeout(0.1, "open"))
        if isinstance(kind, otp.From):
            answer = otp.Postpone() if state == "closed" else otp.ReplyTo(kind, state)
            return otp.KeepState(answer)
        return otp.NextState("open")

    async def terminate(self, reason: object) -> None:
        await trio.lowlevel.checkpoint()


@program
async def state_machines() -> None:
    async with otp.open_supervisor([otp.child(Door).having(name="door")]):
        otp.cast("door", 1)
        await otp.call("door", 1)
        await otp.stop("door")
        await trio.sleep(1)


@program
async def looking_in() -> None:
    agent = otp.child(otp.Agent, dict).having(name="agent")
    async with otp.open_supervisor([slow("a"), agent]):
        await otp.sys.suspend("a")
        await otp.sys.get_state("a")
        await otp.sys.replace_state("a", echo)
        await otp.sys.resume("a")
        await otp.sys.get_status("a")
        await otp.sys.terminate("a")
        await otp.Agent.update("agent", dict.copy)
        await otp.Agent.get("agent", len)


@program
async def groups() -> None:
    scope = otp.child(otp.pg.Scope).having(name=otp.pg.Scope)
    async with otp.open_supervisor([scope]), otp.open_process():
        pid = otp.spawn(trio.sleep_forever)
        otp.pg.join(otp.pg.Scope, "group", [pid, otp.self()])
        otp.pg.monitor(otp.pg.Scope, "group")
        otp.exit(pid, otp.KILL)
        await otp.receive()
        otp.pg.leave(otp.pg.Scope, "group", otp.self())


async def polite(stream: trio.abc.Stream) -> None:
    with otp.move_on_when_draining():
        await shout(stream)


@program
async def services() -> None:
    memory = Memory()
    web = service(polite, opens=memory.open, max_connections=2, on_full=shout)
    async with otp.open_supervisor([web]):
        clients = [memory.connect() for _ in range(3)]
        for client, data in zip(clients, (b"x", b"crash", b"y"), strict=True):
            await client.send_all(data)
            await client.receive_some()
        memory.fail(ValueError())
        await memory.connect().send_all(b"z")
        await trio.sleep(1)


@program
async def pools() -> None:
    options = {"size": 1, "max_overflow": 1, "idle_timeout": 0.05, "busy_timeout": 0.05}
    child = otp.child(otp.Pool, otp.child(Slow), **options).having(name="pool")
    async with otp.open_supervisor([child]), otp.open_process():
        for message in ("crash", "defer"):
            with suppress(otp.OtpError):
                async with POOL.checkout() as pid, POOL.checkout():
                    with trio.move_on_after(0.01):
                        await otp.call(pid, message)
        async with POOL.checkout() as pid:
            otp.send_request(pid, "no answer")
        await trio.sleep(0.1)
        otp.spawn(borrow)
        await borrow()


async def borrow() -> None:
    async with POOL.checkout():
        await trio.sleep(0.01)


@real
async def ports() -> None:
    async with otp.open_process(trap_exit=True):
        cat = await otp.start_link(otp.child(otp.Port, ["cat"], stdout="send", owner=otp.self()))
        await otp.Port.command(cat, "text\n")
        await otp.receive(otp.PortLine)
        await otp.Port.close_stdin(cat)
        await otp.receive(otp.Exit)
        await otp.start_link(otp.child(otp.Port, ["cat"]))


def work(running: trio.Event, stop: threading.Event) -> None:
    otp.WorkerThread.on_stop(stop.set)
    trio.from_thread.run_sync(running.set)
    stop.wait(10)


@real
async def worker_threads() -> None:
    async with otp.open_process(trap_exit=True):
        for abandon in (False, True):
            running, stop = trio.Event(), threading.Event()
            thread = otp.child(otp.WorkerThread, work, running, stop, abandon_on_cancel=abandon)
            pid = await otp.start_link(thread)
            await running.wait()
            await otp.stop(pid)
            await otp.receive(otp.Exit)
        await otp.start_link(otp.child(otp.WorkerThread, int, "x"))
        await otp.receive(otp.Exit)
