"""How clients show themselves: signatures, names, time-outs, and what they say of a mistake."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import pydoc
import warnings
from typing import Any

import pytest
import trio
import trio.testing

import trio_otp as otp

EMPTY = inspect.Signature.empty


class Counter(otp.GenServer):
    """Counts."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: list[otp.From[int]] = []

    @otp.on_call
    async def see(self, least: int = 0, *, most: int = 100) -> int:
        """Return the count."""
        return max(least, min(self.count, most))

    @otp.on_cast
    def add(self, number: int) -> None:
        """Count on."""
        self.count += number

    @otp.on_call_deferred
    def later(self, from_: otp.From[int], number: int) -> None:
        """Return the count later."""
        self.waiting.append(from_)

    @otp.on_call(timeout=2)
    async def slow(self) -> None:
        """Take twenty seconds."""
        await trio.sleep(20)

    @otp.on_call
    def forwards(self, how: str) -> Any:
        """Return what a cast has given, as it is or in a Reply."""
        sent: Any = otp.cast("other", 1) if how == "cast" else Counter.at("other").add(1)
        return otp.Reply(sent) if how == "reply" else sent

    @otp.on_cast
    def pass_on(self, number: int) -> Any:
        """Return what a cast has given."""
        return Counter.at("other").add(number)

    @otp.on_info(str)
    def note(self, message: str) -> Any:
        """Return what a send has given."""
        return otp.send("other", 5)

    def handle_info(self, message: Any) -> Any:
        """Count a number, or give a text to `note`."""
        if isinstance(message, int):
            return Counter.at(otp.self()).add(message)
        return super().handle_info(message)

    def handle_cast(self, message: Any) -> Any:
        """Count a number."""
        self.count += message

    def plain(self) -> None:
        """Be no message."""


# -- signatures and names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "answer"),
    [
        ("see", "(ref: 'Ref', /, least: 'int' = 0, *, most: 'int' = 100) -> 'int'", "int"),
        ("add", "(ref: 'Ref', /, number: 'int') -> 'None'", "None"),
        ("later", "(ref: 'Ref', /, number: 'int')", None),
    ],
)
def test_a_client_method_has_the_signature_of_its_function(
    name: str, parameters: str, answer: str | None
) -> None:
    """On the class the reference comes first; a client has it already. A `From` is nobody's."""
    on_class = inspect.signature(getattr(Counter, name))
    assert parameters == str(on_class)
    of_client = inspect.signature(getattr(Counter.at("c"), name))
    assert list(on_class.parameters.values())[1:] == list(of_client.parameters.values())
    assert of_client.return_annotation == (EMPTY if answer is None else answer)


def test_a_parameter_called_ref_leaves_its_name_to_the_method() -> None:
    """The reference, which is given by its place alone, has another name then."""

    class Links(otp.GenServer):
        @otp.on_call
        def follow(self, ref: str) -> str:
            return ref

    assert ["_ref", "ref"] == list(inspect.signature(Links.follow).parameters)


@pytest.mark.parametrize("name", ["see", "add", "later"])
def test_a_client_method_has_the_names_of_its_function(name: str) -> None:
    """So that whatever documents and debugs functions finds it; so does a bound one."""
    for method in (getattr(Counter, name), getattr(Counter.at("c"), name)):
        function: Any = inspect.unwrap(method)
        assert inspect.isfunction(function)
        assert name == method.__name__ == function.__name__
        assert f"Counter.{name}" == method.__qualname__ == function.__qualname__
        assert __name__ == method.__module__
        assert function.__doc__ == method.__doc__
        assert f"def {name}(self" in inspect.getsource(method)


def test_help_on_a_server_shows_its_messages() -> None:
    """Each stands among the methods, with its signature and docstring."""
    shown = pydoc.render_doc(Counter, renderer=pydoc.plaintext)
    methods = shown.partition("Methods defined here:")[2].partition("-----")[0]
    for line in (
        "see(ref: 'Ref', /, least: 'int' = 0",
        "Return the count.",
        "add(ref: 'Ref', /, nu",
    ):
        assert line in methods


def test_the_class_of_a_method_has_its_own_signature() -> None:
    """What is said of methods is not said of their class."""
    assert "function" in inspect.signature(type(Counter.see)).parameters


def test_a_forgotten_await_is_told_by_the_name_of_the_method() -> None:
    """Python names the coroutine that was never awaited."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Counter.see("c")  # type: ignore[unused-coroutine]
        Counter.at("c").later(1)  # type: ignore[unused-coroutine]
        Machine.at("c").ask()  # type: ignore[unused-coroutine]
        gc.collect()
    told = [str(each.message) for each in caught if each.category is RuntimeWarning]
    for name in ("Counter.see", "Counter.later", "Machine.ask"):
        assert f"coroutine '{name}' was never awaited" in told


class Machine(otp.GenEvent):
    """A handler with a client method."""

    @otp.on_call
    def ask(self) -> int:
        """Answer."""
        return 1

    @otp.on_call(timeout=2)
    async def slow(self) -> int:
        """Take twenty seconds."""
        await trio.sleep(20)
        return 1

    def plain(self) -> None:
        """Be no message."""


def test_a_client_of_a_handler_shows_itself_as_one_of_a_server() -> None:
    """Its methods have names, docstrings and signatures."""
    ask: Any = Machine.at("m").ask
    assert ("ask", "Machine.ask", "Answer.") == (ask.__name__, ask.__qualname__, ask.__doc__)
    assert "() -> 'int'" == str(inspect.signature(ask))


# -- time-outs -------------------------------------------------------------------------------------


async def test_a_client_has_a_limit_of_its_own(autojump_clock: Any) -> None:
    """It stands in the place of that of the method, shorter or longer; without it, that holds."""
    children = [
        otp.child(Counter).having(name="c"),
        otp.child(otp.EventManager, [Machine]).having(name="m"),
    ]
    async with otp.open_supervisor(children):
        for at in (Counter.at, Machine.at):
            ref = "c" if at == Counter.at else "m"
            for client, limit in ((at(ref), 2), (at(ref, timeout=1), 1), (at(ref, timeout=8), 8)):
                start = trio.current_time()
                with pytest.raises(otp.CallTimeout, match=rf"within {limit} s"):
                    await client.slow()
                assert limit == trio.current_time() - start
                await trio.sleep(20)
            for patient in (at(ref, timeout=30), at(ref, timeout=None)):
                assert await patient.slow() in (None, 1)


async def test_the_limit_of_a_client_is_one_of_calls(autojump_clock: Any) -> None:
    """Casts wait for nobody; a deferred call is a call; the class form has that of the method."""
    async with otp.open_supervisor([otp.child(Counter).having(name="c")]):
        client = Counter.at("c", timeout=1)
        client.add(3)
        assert 3 == await client.see()
        with pytest.raises(otp.CallTimeout, match="within 1 s"):
            await client.later(1)
        with pytest.raises(otp.CallTimeout, match="within 2 s"):
            await Counter.slow("c")


@pytest.mark.parametrize("timeout", [-1, "5", True, float("nan")])
def test_a_limit_that_is_none(timeout: Any) -> None:
    """It is refused where the client is made."""
    for at in (Counter.at, Machine.at):
        with pytest.raises(ValueError, match=r"timeout=.*: expected a number of seconds >= 0"):
            at("c", timeout=timeout)


@pytest.mark.parametrize("client", [Counter.at("c", timeout=3), Machine.at("c", timeout=3)])
def test_a_copy_of_a_client_has_its_limit(client: Any) -> None:
    """A pickled one too; the repr tells it."""
    for twin in (copy.copy(client), pickle.loads(pickle.dumps(client))):
        assert repr(client) == repr(twin)
        assert "timeout=3" in repr(twin)


# -- mistakes --------------------------------------------------------------------------------------


async def test_a_cast_that_is_awaited_says_so() -> None:
    """The message is sent once; code that awaits only what can be awaited goes on."""
    async with otp.open_supervisor([otp.child(Counter).having(name="c")]):
        casts: list[Any] = [
            lambda: Counter.at("c").add(1),
            lambda: Counter.add("c", 1),
            lambda: otp.cast("c", 1),
            lambda: otp.send("c", 1),
        ]
        for cast in casts:
            with pytest.raises(TypeError, match=r"of a cast or send, .*drop the await"):
                await cast()
            assert not inspect.isawaitable(cast())
        await trio.testing.wait_all_tasks_blocked()
        assert 2 * len(casts) == await Counter.see("c")
    casts = [
        lambda: Counter.at("c").add(1),
        lambda: otp.cast("c", 1),
    ]
    for cast in casts:  # nobody is there any more
        with pytest.raises(TypeError, match="of a cast"), trio.fail_after(0):
            await cast()


def test_what_a_cast_gives_is_as_good_as_none() -> None:
    """It is false, has no contents, and is its own copy."""

    async def main() -> None:
        sent: Any = otp.cast("nobody", 1)
        assert not sent
        assert sent is copy.deepcopy(sent)
        assert sent is pickle.loads(pickle.dumps(sent))
        assert "<sent>" == repr(sent)

    trio.run(main)


@pytest.mark.parametrize("how", ["cast", "method", "reply"])
async def test_what_a_cast_gives_is_none_for_whoever_asked(how: str) -> None:
    """A server that returns it has answered None."""
    async with otp.open_supervisor(
        [otp.child(Counter).having(name=name, id=name) for name in ("c", "other")]
    ):
        assert await Counter.at("c").forwards(how) is None
        assert 1 == await Counter.at("other").see()


async def test_what_a_cast_gives_lets_a_server_carry_on() -> None:
    """Callbacks that return it have returned nothing."""
    async with otp.open_supervisor(
        [otp.child(Counter).having(name=name, id=name) for name in ("c", "other")]
    ):
        Counter.at("c").pass_on(2)
        otp.send("c", "send five")
        assert 0 == await Counter.at("c").see()
        await trio.testing.wait_all_tasks_blocked()
        assert 7 == await Counter.at("other").see()


class Light(otp.GenStatem[str]):
    """A machine whose callbacks return what a send has given."""

    initial = "on"
    state_enter = True

    def init(self) -> Any:
        """Begin."""
        return otp.cast("nobody", 1)

    @otp.on_state("on")
    def on(self, kind: Any, content: Any) -> Any:
        """Stay on."""
        if isinstance(kind, otp.From):
            return otp.KeepState(otp.ReplyTo(kind, "on"))
        return otp.cast("nobody", 1)


class Sending(otp.GenEvent):
    """A handler whose callbacks return it."""

    def init(self) -> Any:
        """Begin."""
        return otp.cast("nobody", 1)

    def handle_event(self, event: Any) -> Any:
        """Pass an event on."""
        return otp.cast("nobody", event)


async def test_what_a_cast_gives_lets_machines_and_handlers_carry_on() -> None:
    """Their callbacks have returned nothing either."""
    async with otp.open_process():
        light = await otp.start_link(Light)
        otp.cast(light, "?")
        assert "on" == await otp.call(light, "?")
        manager = await otp.start_link(otp.child(otp.EventManager, [Sending]))
        await otp.gen_event.sync_notify(manager, 1)
        assert [Sending] == await otp.gen_event.which_handlers(manager)


@pytest.mark.parametrize("method", ["see", "add", "later"])
async def test_a_reference_that_was_left_out_altogether(method: str) -> None:
    """The text has both lines that can be meant."""
    lines = rf"write Counter\.at\(ref\)\.{method}\(\.\.\.\) or Counter\.{method}\(ref, \.\.\.\)"
    with pytest.raises(TypeError, match=lines):
        await getattr(Counter, method)()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("plain", r"Counter\.plain is a method without @otp\.on_call or @otp\.on_cast"),
        ("note", r"it handles plain messages; write otp\.send\(ref, message\)"),
        ("se", r"it has add, .*, see, slow; did you mean 'see'\?"),
    ],
)
def test_a_method_that_a_client_does_not_have(name: str, text: str) -> None:
    """The text says what the name is, or which is nearest."""
    with pytest.raises(AttributeError, match=rf"a client of Counter has no '{name}'; {text}"):
        getattr(Counter.at("c"), name)


def test_a_method_that_no_client_has() -> None:
    """A handler's is told alike, and so is a class without messages."""
    with pytest.raises(AttributeError, match=r"Machine\.plain is a method without .* ask, slow"):
        _ = Machine.at("m").plain
    with pytest.raises(AttributeError, match=r"has no 'x'; it has no decorated methods$"):
        _ = otp.Agent.at("a").x  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "use",
    [
        otp.call,
        otp.cast,
        otp.send,
        otp.send_request,
        lambda ref, message: otp.abcast([ref], message),
        lambda ref, message: otp.multi_call([ref], message),
    ],
)
async def test_a_method_is_no_message(use: Any) -> None:
    """It is refused in the caller, with the line that was meant; the server hears nothing of it."""
    async with otp.open_supervisor([otp.child(Counter).having(name="c")]):
        for method, line in (
            (Counter.slow, r"write Counter\.slow\('c'\)"),
            (Counter.see, r"write Counter\.see\('c', \.\.\.\)"),
            (Counter.add, r"write Counter\.add\('c', \.\.\.\)"),
            (Counter.later, r"write Counter\.later\('c', \.\.\.\)"),
        ):
            with pytest.raises(TypeError, match=rf"is not a message; it sends itself: {line}"):
                await use("c", method)
        info = otp.process_info("c")
        assert info is not None
        assert info.handled == 0
