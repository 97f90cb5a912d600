"""Mistakes that are easily made: each is a clear error where it was made."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
import trio

import trio_otp as otp

ANY: Any = "no"
NUMBER: Any = 5


class Server(otp.GenServer):
    """Answers late, or forgets to."""

    @otp.on_call_deferred
    def later(self, from_: otp.From[str], how: str) -> object:
        return otp.reply(from_, "done") if how == "reply" else "forgotten"


@pytest.mark.parametrize("match", ["tick", 5, ("tick",)])
async def test_receive_takes_no_plain_value(match: Any) -> None:
    """A value in place of a type or function is refused before anything is waited for."""
    async with otp.open_process():
        with pytest.raises(TypeError):
            await otp.receive(match, timeout=0)


async def test_a_value_of_a_deferred_call_is_not_lost(autojump_clock: object) -> None:
    """What `otp.reply` returns may be returned; an answer may not, and the caller hears of it."""
    async with otp.open_supervisor([otp.child(Server).having(name="s")]):
        assert "done" == await Server.at("s").later("reply")
        with pytest.raises(otp.ServerExited) as caught:
            await Server.at("s").later("return")
        assert isinstance(caught.value.reason, otp.BadReturn)


class Careless(otp.GenServer):
    """Returns values where there is nobody to take them."""

    @otp.on_cast
    def add(self, number: int) -> int:
        return number

    @otp.on_call_deferred
    async def later(self, from_: otp.From[int], number: int) -> int:
        return number

    def handle_cast(self, message: object) -> Any:
        return message


@pytest.mark.parametrize(
    ("send", "text"),
    [
        (
            lambda: Careless.add("careless", 5),
            r"^add returned 5; expected None, NoReply\(\) or Stop",
        ),
        (lambda: otp.cast("careless", 5), r"^handle_cast returned 5; expected None, NoReply\(\)"),
    ],
)
async def test_a_wrong_value_is_told_with_the_name_that_was_written(send: Any, text: str) -> None:
    """A decorated method is not called handle_cast by who has written it."""
    careless = otp.child(Careless).having(name="careless", restart="temporary")
    async with otp.open_supervisor([careless]), otp.open_process():
        monitor = otp.monitor("careless")
        send()
        down = await otp.receive(otp.Down, timeout=5)
        assert monitor == down.ref
        assert isinstance(down.reason, otp.BadReturn)
        assert re.search(text, str(down.reason))


async def test_a_deferred_call_that_returns_its_answer() -> None:
    """The text says how it is sent, and what to take in order to return it."""
    careless = otp.child(Careless).having(name="careless", restart="temporary")
    async with otp.open_supervisor([careless]):
        with pytest.raises(otp.ServerExited) as caught:
            await Careless.later("careless", 5)
    text = r"^later returned 5; expected None: .* otp\.reply\(from_, value\); .* @otp\.on_call$"
    assert re.search(text, str(caught.value.reason))


async def test_trap_exit_takes_a_bool() -> None:
    """Anything else would silently mean True."""
    flag: Any = "no"
    async with otp.open_process():
        with pytest.raises(TypeError, match="flag='no'"):
            otp.trap_exit(flag)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: otp.WorkerThread(print, abandon_on_cancel=ANY), "abandon_on_cancel='no': .* True"),
        (
            lambda: otp.task.start_async(trio.sleep, 1, deliver=ANY),
            "deliver='no': expected",
        ),
        (lambda: otp.open_process(trap_exit=ANY).__aenter__(), "trap_exit='no': expected True"),
        (lambda: otp.TaskSupervisor.start_async("t", trio.sleep, 1, deliver=ANY), "deliver='no'"),
        (lambda: otp.spawn(trio.sleep, 1, label=NUMBER), r"label=5: expected a str"),
        (lambda: otp.spawn_link(trio.sleep, 1, label=NUMBER), r"label=5: expected a str"),
        (lambda: otp.task.start(trio.sleep, 1, label=NUMBER), r"label=5: expected a str"),
        (lambda: otp.open_process(label=NUMBER).__aenter__(), r"label=5: expected a str"),
    ],
)
async def test_an_option_that_is_no_flag_or_label(use: Any, text: str) -> None:
    """It would be taken for true, or be noticed where it is shown."""
    tasks = otp.child(otp.TaskSupervisor).having(name="t")
    async with otp.open_supervisor([tasks]), otp.open_process():
        with pytest.raises(TypeError, match=text):
            await use()
        assert 3 == otp.process_count()


async def test_one_child_is_no_list_of_children() -> None:
    """The message has the corrected list."""
    one: Any = Server
    with pytest.raises(otp.SpecError, match=r"write \["):
        async with otp.open_supervisor(one):
            pass


async def test_a_command_for_the_other_kind_of_supervisor(autojump_clock: object) -> None:
    """A dynamic supervisor has no children by id; the caller is told so, and it lives."""
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="dyn")]):
        with pytest.raises(otp.WrongServer, match="restart_child was called on"):
            await otp.restart_child("dyn", "child")
        assert 0 == (await otp.count_children("dyn")).active


async def test_a_child_that_fails_is_the_cause() -> None:
    """The error of the child's init hangs on the error of the whole tree."""

    async def fails(*, task_status: Any) -> None:
        raise OSError("disk")

    with pytest.raises(otp.StartError) as caught:
        async with otp.open_supervisor([otp.child(fails)]):
            pass
    cause = caught.value.__cause__
    assert isinstance(cause, otp.FailedToStartChild)
    assert isinstance(cause.__cause__, OSError)


async def test_a_stray_message_does_not_hurt_a_registry(autojump_clock: object) -> None:
    """A call is refused in the caller and a cast is logged; the names stay."""
    names = otp.registry("names")
    children = [otp.child(otp.Registry).having(name="names")]
    async with otp.open_supervisor(children), otp.open_process() as me:
        names.register("me")
        otp.cast("names", "stray")
        with pytest.raises(TypeError, match="does not take the call 'stray'"):
            await otp.call("names", "stray")
        assert [(me, None)] == names.lookup("me")


async def test_a_name_is_not_unlinked() -> None:
    """A name may belong to another process by now; a handle with a pid is as good as the pid."""
    name: Any = "s"
    children = [otp.child(Server).having(name="s")]
    async with otp.open_supervisor(children) as sup, otp.open_process(trap_exit=True):
        with pytest.raises(TypeError, match=r"pid='s': .*otp.unlink\(otp.whereis\('s'\)\)"):
            otp.unlink(name)
        with pytest.raises(TypeError, match=r"pid=None: expected a Pid$"):
            otp.unlink(otp.whereis("nobody"))  # type: ignore[arg-type]
        otp.link(sup.pid)
        otp.unlink(sup)  # type: ignore[arg-type]
        assert () == tuple(otp.process_info(otp.self()).links)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (otp.demonitor, "handle='x': expected what otp.monitor returned"),
        (otp.cancel_timer, "timer='x': expected what otp.send_after"),
        (otp.read_timer, "timer='x': expected what otp.send_after"),
    ],
)
async def test_a_handle_comes_from_its_function(use: Any, text: str) -> None:
    """Anything else is refused by name, value and what is accepted."""
    async with otp.open_process():
        with pytest.raises(TypeError, match=text):
            use("x")


async def test_a_nursery_is_one_of_trio() -> None:
    """Every function that starts something there says so."""
    nursery: Any = 5
    text = "nursery=5: expected a trio.Nursery"
    with pytest.raises(TypeError, match=text):
        await otp.start(Server, nursery=nursery)
    with pytest.raises(TypeError, match=text):
        otp.spawn(trio.sleep_forever, nursery=nursery)
    assert 0 == otp.process_count()


@pytest.mark.parametrize("decorate", [otp.on_call, otp.on_call_deferred, otp.on_cast])
def test_a_decorator_is_given_a_method(decorate: Any) -> None:
    """Options come by name; the text shows how."""
    with pytest.raises(TypeError, match=r"fn='x': expected a method; .*timeout=10"):
        decorate("x")


def test_options_are_no_arguments_of_the_constructor() -> None:
    """The text has the options as they have to be written."""
    make: Any = otp.child
    with pytest.raises(TypeError, match=r"; for options write \.having\(name='x', restart='a'\)$"):
        make(Server, name="x", restart="a")
    with pytest.raises(TypeError, match=r"it is Server\(\)$"):
        make(Server, colour="x")


async def test_two_children_of_one_class_need_ids() -> None:
    """The text says what to write."""
    with pytest.raises(otp.SpecError, match=r"id='Server': .* write \.having\(id=\.\.\.\)"):
        async with otp.open_supervisor([Server, Server]):
            pass


class Shelf(otp.GenServer):
    """Has methods whose reference is easily forgotten."""

    @otp.on_call
    def get(self, key: str, *, wait: bool = False) -> str:
        return key

    @otp.on_cast
    def put(self, key: str) -> None:
        pass


async def test_a_request_in_the_place_of_a_method() -> None:
    """As Elixir's client functions send it; the text has the methods there are."""
    shelf = otp.child(Shelf).having(name="shelf", restart="temporary")
    lines = r"has no handle_call; its methods are get: write Shelf\.at\(ref\)\.get\(\.\.\.\)"
    async with otp.open_supervisor([shelf]):
        with pytest.raises(otp.ServerExited, match=lines):
            await otp.call("shelf", ("get", "k"))


async def test_a_timeout_is_no_argument_of_a_call() -> None:
    """It is the client's; the text has the line. A cast has none."""
    shelf: Any = Shelf.at("shelf")
    by_class: Any = Shelf.get
    lines = (
        r"; it is Shelf\.get\(.*; for a time-out write Shelf\.at\(ref, timeout=2\)\.get\(\.\.\.\)$"
    )
    async with otp.open_supervisor([otp.child(Shelf).having(name="shelf")]):
        with pytest.raises(TypeError, match=lines):
            await shelf.get("k", timeout=2)
        with pytest.raises(TypeError, match=lines):
            await by_class("shelf", "k", timeout=2)
        with pytest.raises(TypeError, match=r"put\(.*; nobody waits for the answer of a cast"):
            shelf.put("k", timeout=2)
        assert "k" == await Shelf.at("shelf", timeout=2).get("k")


async def test_the_state_is_not_set_on_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be lost without a word; a method may be replaced, as a test does."""
    shelf: Any = Shelf.at("shelf")
    with pytest.raises(AttributeError, match=r"^a client of Shelf takes no 'books': it sends"):
        shelf.books = {}
    with pytest.raises(AttributeError, match="takes no 'ref'"):
        shelf.ref = "other"
    assert "shelf" == shelf.ref
    with monkeypatch.context() as patch:
        patch.setattr(shelf, "put", print)
        assert shelf.put is print
    with pytest.raises(otp.NoProcess):
        await shelf.get("k")


def test_what_is_no_application_is_run_in_another_way() -> None:
    """The text has the line for an async function, and for an instance."""

    class Shop(otp.Application):
        name = "shop"

    async def main() -> None: ...

    run: Any = otp.run
    with pytest.raises(TypeError, match=r"; an async function is run by trio\.run\(main\)$"):
        run(main)
    with pytest.raises(TypeError, match=r"; write Shop, the class itself$"):
        run(Shop())
    with pytest.raises(TypeError, match=r"otp\.Application$"):
        run(5)


async def test_a_child_as_elixir_writes_it() -> None:
    """A tuple of a class and its arguments: the text has the child."""
    pair: Any = (Shelf, 5)
    with pytest.raises(otp.SpecError, match=r"write otp\.child\(Shelf, 5\)$"):
        async with otp.open_supervisor([pair]):
            pass


async def test_a_reference_that_was_left_out() -> None:
    """On the class the server comes first; the text has the corrected line."""
    get: Any = Shelf.get
    put: Any = Shelf.put
    async with otp.open_supervisor([otp.child(Shelf).having(name="shelf")]):
        with pytest.raises(TypeError, match=r"'key'; .*: write Shelf\.get\(ref, 'k', wait=True\)$"):
            await get("k", wait=True)
        with pytest.raises(TypeError, match=r"; on the class .*: write Shelf\.put\(ref, 5\)$"):
            put(5)
        for arguments in (["shelf"], ["k", "l", "m"]):  # the mistake is another one
            with pytest.raises(TypeError, match=r"^(?!.*write).*$"):
                await get(*arguments)


class Handler(otp.GenEvent):
    """Has a method for its client."""

    @otp.on_call
    def look(self) -> str:
        return "at it"


@pytest.mark.parametrize(
    "method",
    [
        lambda: Shelf.get,
        lambda: Shelf.put,
        lambda: Shelf.at("shelf").get,
        lambda: Shelf.at("shelf").put,
        lambda: Shelf.at("shelf").get("k"),
        lambda: Handler.look,
    ],
)
async def test_a_client_method_is_no_request(method: Any) -> None:
    """It is refused in the caller by all that send requests; the server sees nothing of it."""
    text = r"(Shelf|Handler)\.(get|put|look)> is not a message; .*: write \1(\.at\('s.*'\))?\.\2\("
    manager: Any = otp.child(otp.EventManager, [Handler]).having(name="signals")
    children = [otp.child(Shelf).having(name="shelf"), manager]
    async with otp.open_supervisor(children):
        before = otp.whereis("shelf"), otp.process_info("shelf").handled
        uses: list[Any] = [
            functools.partial(otp.call, "shelf"),
            _later(otp.cast, "shelf"),
            _later(otp.send, "shelf"),
            _later(otp.send_request, "shelf"),
            functools.partial(otp.multi_call, ["shelf"]),
            _later(otp.abcast, ["shelf"]),
            _later(otp.RequestIds().send, "shelf"),
            functools.partial(otp.gen_event.call, "signals", Handler),
            _later(otp.gen_event.send_request, "signals", Handler),
        ]
        for use in uses:
            with pytest.raises(TypeError, match=text):
                await use(method())
        assert before == (otp.whereis("shelf"), otp.process_info("shelf").handled)


def _later(function: Any, *args: Any) -> Any:
    async def use(method: Any) -> None:
        function(*args, method)

    return use


async def test_functions_of_users_are_requests() -> None:
    """Also coroutines, and those that hide what they wrap."""

    @functools.wraps(len)
    def function() -> None:
        pass

    coroutine = _later(len)([])
    async with otp.open_supervisor([otp.child(Echo).having(name="echo")]):
        for request in (function, coroutine, len):
            assert request is await otp.call("echo", request)
    coroutine.close()


class Echo(otp.GenServer):
    """Answers with what it is asked."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> otp.Reply[Any]:
        return otp.Reply(request)


@pytest.mark.parametrize(
    "target", [Shelf, functools.partial(Shelf), functools.partial(functools.partial(Shelf))]
)
async def test_a_server_is_no_function_of_a_process(target: Any) -> None:
    """It would be made, and be no server; the text has the line to write."""
    text = r"makes a server; write await otp\.start_link\(otp\.child\(Shelf, \*args\)\)"
    async with otp.open_process():
        for use in (otp.spawn, otp.spawn_link, otp.spawn_monitor, otp.task.start_async):
            with pytest.raises(TypeError, match=text):
                use(target)
        with pytest.raises(TypeError, match=text):
            otp.apply_after(1, target)


def test_exit_takes_two_arguments_at_most() -> None:
    """The text has both ways."""
    leave: Any = otp.exit
    with pytest.raises(TypeError, match=r"3 arguments; expected otp\.exit\(reason\) or"):
        leave("c", otp.KILL, 4)
    leave = otp.exit_after
    with pytest.raises(TypeError, match=r"4 arguments; expected otp\.exit_after\(delay, reason\)"):
        leave(1, "c", otp.KILL, 4)


def _blocks() -> dict[str, Any]:
    return {
        "otp.open_process()": otp.open_process(),
        "otp.open_supervisor(children)": otp.open_supervisor([]),
        "otp.open_application(App)": otp.open_application(otp.Application),
        "otp.task.async_stream(items, fn)": otp.task.async_stream([1], trio.sleep),
        "REG.subscribe(key)": otp.registry("r").subscribe(1),
        "REG.lock(key)": otp.registry("r").lock(1),
        "otp.watch(ref, Server.attribute)": otp.watch("agent", otp.Agent.value),
        "otp.while_alive(ref)": otp.while_alive("agent"),
    }


async def test_a_client_is_no_reference() -> None:
    """What it is a client of is one, and that is said."""
    clients: list[Any] = [otp.Agent.at("agent"), otp.Agent.at(otp.Agent, timeout=1)]
    for client in clients:
        with pytest.raises(TypeError, match=r"expected a Pid, a name or .*; write its ref$"):
            otp.whereis(client)
        assert otp.whereis(client.ref) is None
    registry: Any = otp.registry("r")
    with pytest.raises(TypeError, match=r"expected a Pid, a name or [^;]*$"):
        otp.whereis(registry)


@pytest.mark.parametrize("line", _blocks())
async def test_a_block_opened_by_other_words(line: str) -> None:
    """Awaited, iterated or entered by a plain `with`, it names the line to write."""
    block, text = _blocks()[line], re.escape(f"write async with {line}")
    with pytest.raises(TypeError, match=text):
        await block
    with pytest.raises(TypeError, match=text):
        aiter(block)
    with pytest.raises(TypeError, match=text), block:
        pytest.fail("it was entered")
    with pytest.raises(AttributeError, match=f"there is no value yet: .*{text}"):
        block.value  # noqa: B018
    assert not hasattr(block, "_value")


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (
            "Cache",
            "expected a behaviour class or an async function, not its name; write otp.child(Cache)",
        ),
        ("my cache", "target='my cache': expected a behaviour class or an async function"),
        (otp.GenServer(), "write otp.child(GenServer, *args), which makes it at each start"),
        (5, "write otp.child(fn, *args), not otp.child(fn(*args))"),
    ],
)
def test_what_cannot_be_started_is_told_what_to_write(target: Any, text: str) -> None:
    """The line that was meant, as far as that can be seen."""
    with pytest.raises(TypeError) as caught:
        otp.child(target)
    assert str(caught.value).endswith(text)


def test_a_misspelt_option_of_a_block_is_told_the_one_that_is_near() -> None:
    """As those of a child are."""
    with pytest.raises(TypeError) as caught:
        otp.open_supervisor([], strategy="one_for_all", max_restart=1)  # type: ignore[call-arg]
    text = "open_supervisor() got an unexpected keyword argument 'max_restart'; did you mean "
    assert str(caught.value) == f"{text}'max_restarts'?"
    with pytest.raises(TypeError, match="positional argument"):
        otp.open_supervisor([], 1)  # type: ignore[misc]


async def test_a_message_to_nobody_is_no_request() -> None:
    """The error of `send` says what was sent."""
    with pytest.raises(otp.NoProcess, match=r"^no process behind 'nobody' \(message 1\)$"):
        otp.send("nobody", 1)
