"""Mistakes that are easily made with tasks, agents, machines and the rest: clear errors."""

from __future__ import annotations

from typing import Any

import pytest
import trio

import trio_otp as otp


async def area(width: int, height: int) -> int:
    """Have two parameters, one of which is easily forgotten."""
    return width * height


def plain(number: int) -> int:
    """A function that is not async."""
    return number


def echo(value: Any) -> Any:
    """Return what nobody can tell whether it can be awaited."""
    return value


PLAIN: Any = plain


ANY: Any = area


@pytest.mark.parametrize(
    "start",
    [
        lambda: otp.spawn(ANY, 1),
        lambda: otp.task.start_async(ANY, 1),
        lambda: otp.task.start(ANY, 1),
        lambda: otp.task.start_link(ANY, 1),
        lambda: otp.apply_after(1, ANY, 1),
        lambda: otp.task.async_stream([], ANY),
    ],
)
async def test_arguments_a_function_does_not_take(start: Any) -> None:
    """They are an error of who starts it, with the parameters; no process crashes of it."""
    async with otp.open_process():
        with pytest.raises(TypeError, match=r"'height'; it is area\(width: "):
            start()
        assert 1 == otp.process_count()


async def test_arguments_a_supervised_task_does_not_take() -> None:
    """The supervisor is not asked."""
    async with otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="tasks")]):
        for start in (otp.TaskSupervisor.start_async_nolink, otp.TaskSupervisor.start_child):
            with pytest.raises(TypeError, match=r"too many positional arguments; it is area"):
                await start("tasks", ANY, 1, 2, 3)


@pytest.mark.parametrize(
    "start",
    [
        lambda: otp.spawn(PLAIN, 1),
        lambda: otp.spawn_link(PLAIN, 1),
        lambda: otp.spawn_monitor(PLAIN, 1),
        lambda: otp.task.start_async(PLAIN, 1),
        lambda: otp.task.start(PLAIN, 1),
        lambda: otp.task.start_link(PLAIN, 1),
        lambda: otp.apply_after(1, PLAIN, 1),
        lambda: otp.apply_interval(1, PLAIN, 1),
        lambda: otp.task.async_stream([], PLAIN),
        lambda: otp.TaskSupervisor.async_stream("tasks", [], PLAIN),
        lambda: otp.reply_from_task(ANY, PLAIN, 1),
    ],
)
async def test_a_plain_function_is_refused_before_it_runs(start: Any) -> None:
    """It would block the loop, and then crash; the text says what is for one that blocks."""
    async with otp.open_process():
        with pytest.raises(TypeError, match=r"plain .* is a plain function; .*WorkerThread, plain"):
            start()
        assert 1 == otp.process_count()


async def test_a_plain_function_under_a_task_supervisor_is_refused_before_it_runs() -> None:
    """The supervisor is not asked."""
    async with otp.open_supervisor([otp.child(otp.TaskSupervisor).having(name="tasks")]):
        for start in (
            otp.TaskSupervisor.start_async,
            otp.TaskSupervisor.start_async_nolink,
            otp.TaskSupervisor.start_child,
        ):
            with pytest.raises(TypeError, match=r"is a plain function; .*WorkerThread, plain"):
                await start("tasks", PLAIN, 1)


async def test_a_plain_function_that_only_its_call_betrays() -> None:
    """Its crash names it and what it returned."""
    async with otp.open_process(trap_exit=True):
        task: Any = otp.task.start_async(echo, 3)
        with pytest.raises(otp.TaskExited, match=r"echo returned 3; expected an async function"):
            await task


@pytest.mark.parametrize("function", ["await_one", "yield_one", "shutdown"])
async def test_what_is_no_task(function: str) -> None:
    """The text says what is one, and what to do with several or with a function."""
    async with otp.open_process():
        take = getattr(otp.task, function)
        with pytest.raises(TypeError, match=r"task=5: expected what otp\.task\.start_async"):
            await take(5)
        with pytest.raises(TypeError, match=r"for several there are otp\.task\.await_many"):
            await take([otp.task.completed(1)])
        with pytest.raises(TypeError, match=r"write otp\.task\.start_async\(fn, \*args\)"):
            await take(area)
        with pytest.raises(TypeError, match=r"task=5"):
            otp.task.ignore(5)  # type: ignore[arg-type]


async def test_one_task_is_no_list_of_tasks() -> None:
    """The text has the corrected list; what is in the list has to be a task."""
    async with otp.open_process():
        one: Any = otp.task.completed(1)
        with pytest.raises(TypeError, match=r"expected a list of tasks; write \[task\]"):
            await otp.task.await_many(one)
        with pytest.raises(TypeError, match=r"task=3: expected"):
            await otp.task.yield_many([one, 3])  # type: ignore[list-item]


async def test_a_word_for_a_shutdown_that_is_none() -> None:
    """The text has the word that is."""
    async with otp.open_process():
        task = otp.task.start_async(trio.sleep_forever)
        with pytest.raises(ValueError, match=r"timeout='brutal': expected .* 'brutal_kill'"):
            await otp.task.shutdown(task, timeout="brutal")  # type: ignore[arg-type]
        await otp.task.shutdown(task, timeout="brutal_kill")


def test_an_input_that_only_await_can_read() -> None:
    """The text says that a stream takes no async iterable."""

    async def numbers() -> Any:
        yield 1

    with pytest.raises(TypeError, match=r"items=.*: expected an iterable that is not async"):
        otp.task.async_stream(numbers(), area, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("option", ["ordered", "zip_input_on_exit"])
def test_a_flag_of_a_stream_is_a_bool(option: str) -> None:
    """Any other value would silently be taken for true or false."""
    with pytest.raises(ValueError, match=f"{option}='no': expected True or False"):
        otp.task.async_stream([], echo, **{option: "no"})  # type: ignore[arg-type]


async def test_a_function_that_does_not_take_the_value_of_an_agent() -> None:
    """It is refused in the caller, and the agent lives; so is what gives no first value."""
    async with otp.open_supervisor([otp.child(otp.Agent, list).having(name="held")]):
        bad: Any = lambda: 5  # noqa: E731
        for ask in (otp.Agent.get, otp.Agent.update, otp.Agent.get_and_update):
            with pytest.raises(TypeError, match=r"too many positional arguments"):
                await ask("held", bad)
        with pytest.raises(TypeError, match=r"too many positional arguments"):
            otp.Agent.cast("held", bad)
        assert [] == await otp.Agent.get("held", lambda held: held)
    async with otp.open_process():
        with pytest.raises(otp.StartError, match=r"first=5: expected a function"):
            await otp.start_link(otp.child(otp.Agent, 5))  # type: ignore[arg-type]


async def test_the_article_of_a_wrong_server() -> None:
    """It is an Agent, and a TaskSupervisor."""
    children = [
        otp.child(otp.Agent, list).having(name="agent"),
        otp.child(otp.TaskSupervisor).having(name="tasks"),
    ]
    async with otp.open_supervisor(children):
        with pytest.raises(otp.WrongServer, match=r"which is an Agent"):
            await otp.TaskSupervisor.children("agent")
        with pytest.raises(otp.WrongServer, match=r"which is a TaskSupervisor"):
            await otp.Agent.get("tasks", lambda held: held)


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        (otp.Reply(1), r"; write KeepState\(Reply\(...\)\)$"),
        (otp.Postpone(), r"; write KeepState\(Postpone\(...\)\)$"),
        (otp.NextState, r"; write NextState\(...\)$"),
        (otp.KeepState([otp.Reply(1)]), r"; write KeepState\(one, two\), not a list$"),  # type: ignore[arg-type]
        (otp.KeepState(otp.Postpone), r"; write Postpone\(...\)$"),  # type: ignore[arg-type]
        (otp.KeepState(otp.StateTimeout.cancel), r"; write StateTimeout\.cancel\(...\)$"),  # type: ignore[arg-type]
    ],
)
async def test_what_a_state_machine_may_not_return(result: Any, hint: str) -> None:
    """The text has what was meant."""

    class Machine(otp.GenStatem[str]):
        initial = "on"

        def handle_event(self, kind: Any, content: Any, state: str) -> Any:
            return result

    async with otp.open_supervisor([otp.child(Machine).having(name="m", restart="temporary")]):
        with pytest.raises(otp.ServerExited) as caught:
            await otp.call("m", "x")
        assert isinstance(caught.value.reason, otp.BadReturn)
        with pytest.raises(otp.BadReturn, match=hint):
            raise caught.value.reason


def test_decorators_of_another_behaviour() -> None:
    """Nothing would call such a method, so the class is refused."""
    with pytest.raises(
        otp.SpecError, match=r"Machine\.ask: on_call.* for a GenServer, and Machine"
    ):

        class Machine(otp.GenStatem[str]):
            @otp.on_call
            def ask(self) -> int:
                return 1

    with pytest.raises(
        otp.SpecError, match=r"Other\.tick: on_call.* and on_info are for a GenServer"
    ):

        class Other(otp.GenStatem[str]):
            @otp.on_info(str)
            def tick(self, message: str) -> None:
                pass

    with pytest.raises(otp.SpecError, match=r"Server\.on: on_state is for a GenStatem"):

        class Server(otp.GenServer):
            @otp.on_state("on")
            def on(self, kind: Any, content: Any) -> None:
                pass


class Handler(otp.GenEvent):
    """Has no on_call method."""


async def test_handlers_that_are_no_list() -> None:
    """The text has the corrected list; a client without methods says that it has none."""
    async with otp.open_process():
        with pytest.raises(otp.StartError, match=r"handlers=Handler: .* write \[Handler\]"):
            await otp.start_link(otp.child(otp.EventManager, Handler))  # type: ignore[arg-type]
        manager = await otp.start_link(otp.EventManager)
        with pytest.raises(AttributeError, match=r"has no 'total'; it has no decorated methods"):
            _ = Handler.at(manager).total


async def test_functions_for_a_registry_that_are_none() -> None:
    """They are refused by name; an async one would be taken for a yes, or kept as the value."""
    registry = otp.registry("r")

    async def later(*_: Any) -> bool:
        return False

    one = otp.child(otp.Registry).having(name="r")
    async with otp.open_supervisor([one]), otp.open_process():
        registry.register("k", 1)
        for bad in (5, later):
            with pytest.raises(TypeError, match=r"change=.*: expected a function of the val"):
                registry.update_value("k", bad)  # type: ignore[arg-type]
            with pytest.raises(TypeError, match=r"where=.*: expected a function of key"):
                registry.select(bad)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r"pattern=.*: expected a value, or a function"):
            registry.match("k", later)
        with pytest.raises(TypeError, match=r"function=5: expected a function of the pairs"):
            registry.dispatch("k", 5)  # type: ignore[arg-type]
        assert [1] == registry.values("k", otp.self())


async def test_listeners_that_are_no_list() -> None:
    """A name would be taken for the names that are its letters."""
    async with otp.open_process():
        for bad in ("log", 5):
            with pytest.raises(otp.StartError, match=rf"listeners={bad!r}: .* write \[{bad!r}\]"):
                await otp.start_link(otp.child(otp.Registry, listeners=bad))  # type: ignore[arg-type]


async def test_a_monitor_of_a_group_that_is_none() -> None:
    """The text says where one comes from."""
    with pytest.raises(TypeError, match=r"handle='g': expected the handle that otp\.pg\.monitor"):
        otp.pg.demonitor("g")  # type: ignore[arg-type]


async def test_references_that_are_none() -> None:
    """Neither one nor several."""
    with pytest.raises(TypeError, match=r"refs=5: expected a reference"):
        await otp.multi_call(5, "x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"refs=5: expected a reference"):
        otp.abcast(5, "x")  # type: ignore[arg-type]


async def test_a_limit_of_reports_is_a_number() -> None:
    """Text is refused by name."""
    with pytest.raises(ValueError, match=r"count='x': expected a number >= 1"):
        otp.reports.set_limit("x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"seconds='x': expected a number of seconds > 0"):
        otp.reports.set_limit(1, "x")  # type: ignore[arg-type]


async def test_functions_a_thread_cannot_run() -> None:
    """An async function would do nothing and count as done; wrong arguments fail at the start."""
    async with otp.open_process():
        with pytest.raises(
            otp.StartError, match=r"not an async def; .* write otp\.child\(fn, \*args\)"
        ):
            await otp.start_link(otp.child(otp.WorkerThread, area, 1, 2))
        with pytest.raises(otp.StartError, match=r"'number'; it is plain"):
            await otp.start_link(otp.child(otp.WorkerThread, plain))


async def test_an_environment_of_a_program_that_is_none() -> None:
    """It is refused by name."""
    env: Any = ["A=1"]
    async with otp.open_process():
        with pytest.raises(otp.StartError, match=r"env=\['A=1'\]: expected a mapping"):
            await otp.start_link(otp.child(otp.Port, ["true"], env=env))


async def test_an_observer_of_what_is_no_stream() -> None:
    """It is refused by name."""
    async with otp.open_process():
        with pytest.raises(otp.StartError, match=r"stream=5: expected a text stream, or None"):
            await otp.observer.start(stream=5)  # type: ignore[arg-type]


class Quiet(otp.Application):
    name = "quiet"


async def test_an_application_that_runs_or_says_nothing() -> None:
    """Unloading says that it runs; without a docstring it has no description."""
    async with otp.open_application(Quiet):
        with pytest.raises(otp.AlreadyStarted, match=r"^application 'quiet' is already started as"):
            otp.application.unload(Quiet)
        assert "" == otp.application.spec(Quiet)["description"]
        with pytest.raises(TypeError, match=r"applications=5: expected an application"):
            await otp.application.ensure_all_started(5)  # type: ignore[arg-type]
