"""What a class statement refuses: options, names of decorated methods, callbacks that yield."""

from __future__ import annotations

from types import new_class
from typing import Any

import pytest

import trio_otp as otp

BEHAVIOURS = [
    otp.GenServer,
    otp.GenStatem,
    otp.Supervisor,
    otp.DynamicSupervisor,
    otp.PartitionSupervisor,
    otp.TaskSupervisor,
    otp.Agent,
    otp.EventManager,
    otp.Port,
    otp.WorkerThread,
    otp.Registry,
]
WRONG = [
    ("restart", "Permanent"),
    ("restart", "always"),
    ("shutdown", -1),
    ("shutdown", "later"),
    ("significant", "x"),
    ("id", None),
    ("id", []),
    ("timeout", -1),
    ("type", "thread"),
    ("debug", ["everything"]),
]


def made(base: Any, members: dict[str, Any], **options: Any) -> Any:
    """Return a class C, as a class statement with these members and options makes it."""
    return new_class("C", (base,), options, lambda names: names.update(members))


# -- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize(("option", "value"), WRONG)
def test_an_option_of_a_class_is_checked_as_that_of_a_child(
    behaviour: Any, option: str, value: object
) -> None:
    """The class is refused, with the text of `.having` behind its name."""
    options: Any = {option: value}
    with pytest.raises(otp.SpecError) as of_child:
        otp.child(otp.GenServer).having(**options)
    with pytest.raises(otp.SpecError) as of_class:
        made(behaviour, {}, **options)
    assert str(of_class.value) == f"class C: {of_child.value}"


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_an_unknown_option_of_a_class(behaviour: Any) -> None:
    """The text has the nearest of those that there are; a name is of one child alone."""
    with pytest.raises(otp.SpecError, match=r"class C: option restrat=.* mean 'restart'\?$"):
        made(behaviour, {}, restrat="transient")
    with pytest.raises(otp.SpecError, match=r"otp\.child\(C\)\.having\(name='c'\)$"):
        made(behaviour, {}, name="c")


def test_every_option_of_a_child_but_its_name_may_stand_in_the_class() -> None:
    """They hold for children of the class and of its subclasses; a child has the last word."""
    wanted: dict[str, Any] = {
        "id": "one",
        "restart": "transient",
        "shutdown": 2.0,
        "significant": True,
        "timeout": 3.0,
        "type": "supervisor",
        "debug": ("trace",),
    }
    base = made(otp.GenServer, {}, **wanted)
    derived = made(base, {}, shutdown=None)
    spec = otp.child(derived).having(id="two").spec
    assert (spec.id, spec.shutdown) == ("two", None)
    of_base = otp.child(base).spec
    assert wanted == {option: getattr(of_base, option) for option in wanted}


def test_a_handler_and_an_application_have_no_options() -> None:
    """They are no children; the text says so in the place of Python's."""
    with pytest.raises(otp.SpecError, match=r"class C: option restart='x': an event handler is no"):
        made(otp.GenEvent, {}, restart="x")
    with pytest.raises(otp.SpecError, match=r"class C: option depends=.* by its attributes"):
        made(otp.Application, {}, depends=())


@pytest.mark.parametrize(
    ("behaviour", "attribute", "value"),
    [
        (otp.GenServer, "hibernate_after", -1),
        (otp.Agent, "hibernate_after", "1"),
        (otp.GenStatem, "state_enter", "yes"),
        (otp.GenStatem, "transitions", [("on", "off")]),
    ],
)
def test_an_attribute_that_is_an_option_is_checked(
    behaviour: Any, attribute: str, value: object
) -> None:
    """The class is refused, by the name of the attribute and the value."""
    with pytest.raises(otp.SpecError, match=f"class C: {attribute}=") as caught:
        made(behaviour, {attribute: value})
    assert repr(value) in str(caught.value)


# -- names -----------------------------------------------------------------------------------------


def answer(self: Any) -> int:
    """Be a method."""
    return 1


def answer_later(self: Any, from_: Any) -> None:
    """Be a method that is answered later."""


DECORATED = [
    otp.on_call(answer),
    otp.on_call(timeout=1)(answer),
    otp.on_cast(answer),
    otp.on_call_deferred(answer_later),
    otp.on_info(str)(answer),
]
TAKEN = [
    (otp.GenServer, "init"),
    (otp.GenServer, "at"),
    (otp.GenServer, "terminate"),
    (otp.GenServer, "handle_call"),
    (otp.GenServer, "handle_cast"),
    (otp.GenServer, "handle_info"),
    (otp.GenServer, "handle_continue"),
    (otp.GenServer, "code_change"),
    (otp.GenServer, "format_status"),
    (otp.GenServer, "run_process"),
    (otp.GenServer, "child_options"),
    (otp.GenServer, "__init__"),
    (otp.GenServer, "__len__"),
    (otp.Agent, "get"),
    (otp.Agent, "update"),
]


@pytest.mark.parametrize("decorated", DECORATED, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize(("behaviour", "name"), TAKEN)
def test_a_decorated_method_takes_no_name_of_the_library(
    behaviour: Any, name: str, decorated: Any
) -> None:
    """Nor one of Python's own: the class is refused, and names the method."""
    with pytest.raises(otp.SpecError, match=rf"C\.{name}: .* needs another name; '{name}' is"):
        made(behaviour, {name: decorated})


def test_a_client_keeps_the_name_of_its_reference() -> None:
    """A message called `ref` could not be sent; a plain message is not sent by its name."""
    with pytest.raises(otp.SpecError, match=r"C\.ref: .* 'ref' is an attribute of each client"):
        made(otp.GenServer, {"ref": otp.on_call(answer)})
    made(otp.GenServer, {"ref": otp.on_info(str)(answer)})


@pytest.mark.parametrize("name", ["init", "at", "handle_event", "init_swapped", "terminate"])
def test_a_handler_keeps_the_names_of_its_callbacks(name: str) -> None:
    """An event handler is no process, and is checked as one."""
    with pytest.raises(otp.SpecError, match=rf"C\.{name}: .*; '{name}' is part of GenEvent"):
        made(otp.GenEvent, {name: otp.on_call(answer)})


@pytest.mark.parametrize("name", ["init", "terminate", "state", "to_dot", "handle_event"])
def test_a_state_has_no_name_of_a_callback(name: str) -> None:
    """The function of a state is a method, and would hide the callback."""

    def on(self: Any, kind: Any, content: Any) -> None:
        pass

    with pytest.raises(otp.SpecError, match=rf"C\.{name}: .*; '{name}' is part of GenStatem"):
        made(otp.GenStatem, {name: otp.on_state("on")(on)})


@pytest.mark.parametrize("first", [True, False])
def test_what_a_mixin_brings_is_checked(first: bool) -> None:
    """Whether it hides the callback or is hidden by it, the method would not be one."""

    class Mixin:
        @otp.on_call
        def terminate(self) -> int:
            return 1

    bases: Any = (Mixin, otp.GenServer) if first else (otp.GenServer, Mixin)
    with pytest.raises(otp.SpecError, match=r"C\.terminate: .* is part of GenServer"):
        new_class("C", bases)
    with pytest.raises(otp.SpecError, match=r"C\.terminate: on_call.* for a GenServer"):
        new_class("C", (Mixin, otp.GenStatem))


@pytest.mark.parametrize("behaviour", [otp.Supervisor, otp.WorkerThread, otp.Application])
def test_what_handles_no_messages_has_no_decorated_methods(behaviour: Any) -> None:
    """Nothing would ever call it."""
    with pytest.raises(otp.SpecError, match=r"C\.ask: on_call.* are for a GenServer, and C is"):
        made(behaviour, {"ask": otp.on_call(answer)})


def test_a_decorated_method_may_be_overridden() -> None:
    """With or without a decorator: a message is found by its name."""
    base = made(otp.GenServer, {"ask": otp.on_call(answer)})
    made(base, {"ask": otp.on_call(answer)})
    made(base, {"ask": answer})


# -- mixins ----------------------------------------------------------------------------------------


class Noting:
    """A mixin with a method for plain messages and one for a state."""

    notes: list[object]

    @otp.on_info(str)
    def note(self, message: str) -> None:
        """Keep a message."""
        self.notes.append(message)


class Counting(otp.GenServer):
    """A server with a method for other messages."""

    @otp.on_info(int)
    def count(self, message: int) -> None:
        """Keep a number."""


class Both(Noting, Counting):
    """Has the methods of both."""

    def __init__(self) -> None:
        self.notes = []

    @otp.on_call
    def noted(self) -> list[object]:
        """Return what it has kept."""
        return self.notes


async def test_methods_of_on_info_come_from_mixins_too() -> None:
    """Those of every base hold, in the order in which Python looks for methods."""
    assert {int: "count", str: "note"} == Both.info_methods
    async with otp.open_process():
        pid = await otp.start_link(Both)
        otp.send(pid, "hello")
        assert ["hello"] == await Both.at(pid).noted()


class Switching:
    """A mixin with the function of a state."""

    @otp.on_state("off")
    def off(self, kind: Any, content: Any) -> Any:
        """Go on."""
        return otp.NextState("on", otp.ReplyTo(kind, "was off"))


class Switch(Switching, otp.GenStatem[str]):
    """A machine, one state of which comes from the mixin."""

    initial = "off"

    @otp.on_state("on")
    def on(self, kind: Any, content: Any) -> Any:
        """Stay on."""
        return otp.KeepState(otp.ReplyTo(kind, "was on"))


async def test_functions_of_states_come_from_mixins_too() -> None:
    """A machine is in a state that its mixin has the function of."""
    async with otp.open_process():
        pid = await otp.start_link(Switch)
        assert ["was off", "was on"] == [await otp.call(pid, "?") for _ in range(2)]


# -- generators ------------------------------------------------------------------------------------


def steps(self: Any) -> Any:
    """Yield in the place of an answer."""
    yield 1


async def async_steps(self: Any) -> Any:
    """Yield, and run in the task of whoever asked."""
    yield 1


YIELDING = [(steps, "a generator"), (async_steps, "an async generator")]


@pytest.mark.parametrize(("function", "kind"), YIELDING)
@pytest.mark.parametrize(
    "decorate",
    [otp.on_call, otp.on_cast, otp.on_call_deferred, otp.on_info(str), otp.on_state("on")],
)
def test_a_decorated_method_does_not_yield(decorate: Any, function: Any, kind: str) -> None:
    """The code of the server would run in the task of the caller, or never."""
    with pytest.raises(TypeError, match=rf"on_\w+.* on {function.__name__}: it is {kind};"):
        decorate(function)


@pytest.mark.parametrize(("function", "kind"), YIELDING)
@pytest.mark.parametrize(
    ("behaviour", "name"),
    [
        (otp.GenServer, "init"),
        (otp.GenServer, "handle_call"),
        (otp.GenServer, "handle_info"),
        (otp.GenServer, "terminate"),
        (otp.GenServer, "__init__"),
        (otp.GenStatem, "handle_event"),
        (otp.Supervisor, "init"),
        (otp.GenEvent, "handle_event"),
        (otp.GenEvent, "init"),
        (otp.Application, "start"),
        (otp.Application, "stop"),
    ],
)
def test_a_callback_does_not_yield(behaviour: Any, name: str, function: Any, kind: str) -> None:
    """Its body would never run; the class is refused."""
    with pytest.raises(otp.SpecError, match=rf"C\.{name} is {kind}; expected a def or async def"):
        made(behaviour, {name: function})


def test_a_constructor_does_not_wait() -> None:
    """What waits belongs into an async init."""

    async def construct(self: Any) -> None:
        pass

    with pytest.raises(otp.SpecError, match=r"C\.__init__ is an async def; .* async def init"):
        made(otp.GenServer, {"__init__": construct})


def test_a_helper_may_yield() -> None:
    """What is neither callback nor message is nobody's business."""
    made(otp.GenServer, {"steps": steps, "async_steps": async_steps})
