"""What a class names in `private` is shown nowhere: in no report, status, error or picture."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import pytest
import trio
import trio.testing
from log_kit import logging_to

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "hunter2"


class Log(logging.Handler):
    """Keeps all there is of each record, as text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += f"{self.format(record)}\n{vars(record)!r}\n"


@pytest.fixture
def log() -> Iterator[Log]:
    """Everything that is logged."""
    with logging_to(Log()) as handler:
        yield handler


class Login(otp.GenServer, restart="temporary"):
    """Keeps a secret, and crashes when it is asked to."""

    private = ("password",)

    def __init__(self, user: str, password: str = SECRET) -> None:
        self.user = user
        self.password = password

    def handle_call(self, request: Any, from_: Any) -> Any:
        raise ValueError(request)


class Deeper(Login):
    """Has more of them."""

    private = ("token",)

    def __init__(self, user: str) -> None:
        super().__init__(user)
        self.token = SECRET


class Partly(Login):
    """Adds to what is shown, from what is shown."""

    def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
        return status | {"state": status["state"] | {"more": 1}}


class Mixin:
    """Is no server itself."""

    private = ("password",)


class Mixed(Mixin, otp.GenServer, restart="temporary"):
    """Has it from there."""

    def __init__(self, user: str) -> None:
        self.user, self.password = user, SECRET

    handle_call = Login.handle_call


@dataclass(eq=False)
class AsData(otp.GenServer, restart="temporary"):
    """Its repr would show each field."""

    private: ClassVar[tuple[str, ...]] = ("password",)
    user: str
    password: str = SECRET

    handle_call = Login.handle_call


SERVERS: list[type[Any]] = [Login, Deeper, Partly, Mixed, AsData]


@pytest.mark.parametrize("server", SERVERS)
async def test_a_crash_report_does_not_show_it(server: type[Any], log: Log) -> None:
    """The rest of the state is shown."""
    async with otp.open_supervisor([otp.child(server, "bob").having(name="login")]):
        with pytest.raises(otp.ServerExited):
            await otp.call("login", "crash")
        await trio.testing.wait_all_tasks_blocked()
    assert SECRET not in log.text
    assert "'user': 'bob'" in log.text
    assert "'password': <private>" in log.text


@pytest.mark.parametrize("server", SERVERS)
async def test_the_status_does_not_show_it(server: type[Any]) -> None:
    """And the state itself is as it was; `get_state` gives it whole, as OTP's does."""
    async with otp.open_supervisor([otp.child(server, "bob").having(name="login")]):
        status = await otp.sys.get_status("login")
        assert SECRET not in repr(status)
        assert "'password': <private>" in repr(status)
        state = await otp.sys.get_state("login")
        assert SECRET == state.password


class Screen(io.StringIO):
    """Where an observer draws, in a thread of its own; tells when the login is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = trio.Event()
        self.token = trio.lowlevel.current_trio_token()

    def write(self, text: str) -> int:
        count = super().write(text)
        if "login" in self.getvalue():
            self.token.run_sync_soon(self.seen.set)
        return count


async def test_observers_do_not_show_it() -> None:
    """The picture of the observer, process_info, all outputs of the tree."""
    screen = Screen()
    observer = otp.observer.child(stream=screen, interval=0.1)
    children = [otp.child(Login, "bob").having(name="login"), observer]
    async with otp.open_supervisor(children, name="top"):
        with trio.fail_after(20):
            await screen.seen.wait()
        outputs: tuple[Literal["text", "svg", "mermaid", "dot", "json"], ...]
        outputs = ("text", "svg", "mermaid", "dot", "json")
        shown = [
            *(repr(otp.process_info(ref)) for ref in ("top", "login")),
            *(otp.tree(output=output) for output in outputs),
            screen.getvalue(),
        ]
        assert [] == [text for text in shown if SECRET in text]


@dataclass(frozen=True)
class Enter:
    """A message with a secret: its class says so as that of a server does."""

    user: str
    password: str
    private = ("password",)


class EnterPlace(NamedTuple):
    """Another kind of message."""

    user: str
    password: str
    private = ("password",)


@dataclass(frozen=True)
class EnterAgain(Enter):
    """What its base keeps private stays so."""

    private = ("place",)
    place: str = SECRET


class Gate(otp.GenServer, restart="temporary"):
    """Gets secrets by messages, puts calls off, or crashes."""

    private = ("password", "token")

    @otp.on_call
    async def enter(self, user: str, password: str, *, token: str = "") -> None:
        await trio.sleep_forever()

    @otp.on_call_deferred
    def wait(self, from_: otp.From[None], user: str, password: str) -> None:
        raise ValueError("crash")

    async def handle_call(self, request: Any, from_: Any) -> Any:
        await trio.sleep_forever()


SECRETS: list[Any] = [Enter("bob", SECRET), EnterPlace("bob", SECRET), EnterAgain("bob", SECRET)]
CALLS: list[Any] = [
    *(partial(otp.call, "gate", message, timeout=1) for message in SECRETS),
    *(partial(otp.call, "gate", {"orders": [message]}, timeout=1) for message in SECRETS),
    partial(Gate.at("gate", timeout=1).enter, "bob", SECRET),
    partial(Gate.at("gate", timeout=1).enter, "bob", password=SECRET, token=SECRET),
]


@pytest.mark.parametrize("call", CALLS)
async def test_of_a_message_no_text_shows_it(call: Any, log: Log, autojump_clock: Any) -> None:
    """Errors of callers, what is known of the server and its mailbox, the report of its crash."""
    texts: list[str] = []

    async def ask() -> None:
        with pytest.raises(otp.CallError) as caught:
            await call()
        texts.append(str(caught.value))

    async with otp.open_supervisor([otp.child(Gate).having(name="gate")]):
        await otp.sys.log("gate", 10)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            texts.append(repr(otp.process_info("gate")))
        otp.exit("gate", ValueError("crash"))
        await trio.testing.wait_all_tasks_blocked()
    assert 3 == len(texts)
    assert all("'bob'" in text and "<private>" in text for text in texts)
    assert SECRET not in "".join(texts) + log.text


async def test_the_report_of_a_crash_does_not_show_it_of_the_message_in_hand(log: Log) -> None:
    """Nor the error of who called; the other arguments are shown."""
    async with otp.open_supervisor([otp.child(Gate).having(name="gate")]):
        with pytest.raises(otp.ServerExited, match=r"request wait\('bob', <private>\)"):
            await Gate.wait("gate", "bob", SECRET)
        await trio.testing.wait_all_tasks_blocked()
    assert "Last message: call wait('bob', <private>)" in log.text
    assert SECRET not in log.text


class Machine(otp.GenStatem[str], restart="temporary"):
    """A state machine with a secret in its data."""

    initial = "closed"
    private = ("password",)

    def __init__(self) -> None:
        self.password = SECRET

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        raise ValueError(content)


class Handler(otp.GenEvent):
    """A handler with one."""

    private = ("password",)

    def __init__(self) -> None:
        self.password = SECRET

    def handle_event(self, event: Any) -> Any:
        raise ValueError(event)


async def test_machines_and_handlers_have_it_too(log: Log) -> None:
    """In their reports and in their status."""
    children = [otp.child(Machine).having(name="m"), otp.child(otp.EventManager).having(name="e")]
    async with otp.open_supervisor(children):
        await otp.gen_event.add_handler("e", Handler())
        for name in ("m", "e"):
            shown = repr(await otp.sys.get_status(name))
            assert SECRET not in shown
            assert "'password': <private>" in shown
        otp.cast("m", "crash")
        otp.gen_event.notify("e", "crash")
        await trio.testing.wait_all_tasks_blocked()
    assert "\n  State: 'closed' {'password': <private>" in log.text
    assert "\n  State: {'password': <private>" in log.text
    assert SECRET not in log.text


@pytest.mark.parametrize(
    "child",
    [
        otp.child(Login, "bob", SECRET),
        otp.child(Login, "bob", password=SECRET),
        otp.child(AsData, "bob", SECRET),
    ],
)
def test_a_child_does_not_show_the_argument_for_it(child: otp.Child[Any]) -> None:
    """An argument with the name of a private attribute is what will be one."""
    assert SECRET not in repr(child)
    assert "'bob'" in repr(child)
    assert "<private>" in repr(child)


def test_a_server_in_a_text_does_not_show_it() -> None:
    """As what a function of the user returned by mistake."""
    assert "AsData(user='bob', password=<private>)" in str(otp.BadReturn("f", AsData("bob"), "x"))


@pytest.mark.parametrize("value", ["password", ["password"], ("password", 5), None, True])
def test_what_is_no_tuple_of_names_is_refused(value: Any) -> None:
    """A text would be taken letter by letter, and hide nothing."""
    for base in (otp.GenServer, otp.GenStatem, otp.Supervisor, otp.GenEvent):
        with pytest.raises(otp.SpecError, match=r"private=.*: expected a tuple of str, as in"):
            type("Wrong", (base,), {"private": value})
