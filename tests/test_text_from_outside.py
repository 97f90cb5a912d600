"""Text from outside is shown in its place: it begins no line, moves no cursor, and has bounds."""

from __future__ import annotations

import dataclasses
import io
import json
import linecache
import logging
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from inside import bounded, explain, runtime, shown_text, traceback_text, visible
from log_kit import logging_to

import trio_otp as otp
from trio_otp.observer.screen import pictures, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

NASTY = {
    "escape": "\x1b]0;title\x07\x1b[2J",
    "line": "\nCRITICAL root: forged",
    "return": "\rCRITICAL root: forged",
    "c1": "\x9b31m",
    "delete": "\x7f",
    "bidi": "\u202egnp.exe\u2066",
    "separators": "\u2028\u2029\x85\x0b\x0c\x1c",
    "invisible": "\u200b\ufeff\U000e0041",
    "surrogate": "\ud800",
    "nul": "\0",
}
ALL = "".join(NASTY.values())
each = pytest.mark.parametrize("text", [*NASTY.values(), ALL], ids=[*NASTY, "all"])


def shown(text: str) -> bool:
    """Check whether a text has only printable characters, and no line that is not its own."""
    return all(line.isprintable() for line in text.split("\n")) and "\nCRITICAL" not in text


class Formatted(logging.Handler):
    """Formats each record, as a file or a terminal gets it."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = io.StringIO()
        self.records: list[logging.LogRecord] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.stream.write(f"{self.format(record)}\n")


@pytest.fixture
def log() -> Iterator[Formatted]:
    """What the log of the library looks like."""
    with logging_to(Formatted(), level=logging.DEBUG) as handler:
        yield handler


# -- values ----------------------------------------------------------------------------------------


class Rude:
    """Its repr is what somebody has sent."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


@each
def test_whatever_is_rendered_is_printable(text: str) -> None:
    """Text, bytes, reprs of users, names of classes and fields, exceptions."""
    kind = type(text.replace("\0", "").replace("\ud800", ""), (Exception,), {})
    for value in (text, [text], {text: text}, Rude(text), ValueError(text), Rude, kind(text), kind):
        assert shown(bounded(value, 1000))
        assert "\n" not in bounded(value, 1000)
    assert "\n" not in shown_text(text)
    assert shown(shown_text(text))


def test_plain_text_is_left_alone() -> None:
    """Letters of any script, and what belongs to them, are no danger."""
    for text in ("plain", "Grüße, שלום, こんにちは", 'a "b" \\ c', ""):
        assert text == visible(text)
    assert r"a\x1b[2Jb\u202e\ud800" == visible("a\x1b[2Jb\u202e\ud800")


# -- a process whose label, name and reason come from outside --------------------------------------


class Session(otp.GenServer, restart="temporary"):
    """Has a label that its client has chosen."""

    def __init__(self, text: str) -> None:
        self.text = text
        otp.set_label(f"session of {text}")
        otp.set_metadata(user=text)

    def handle_cast(self, message: Any) -> None:
        raise ValueError(message)

    def handle_info(self, message: Any) -> Any:
        return otp.Stop(message)


@each
async def test_one_crash_is_one_record(text: str, log: Formatted) -> None:
    """The label, the message, the state, the reason: none of them can add a line of its own."""
    names = (text, text + "2")
    children = [otp.child(Session, text).having(name=name, id=("id", name)) for name in names]
    async with otp.open_supervisor(children, name=f"sup {text}"):
        otp.cast(text, text)
        otp.send(text + "2", text)
        await trio.testing.wait_all_tasks_blocked()
    written = log.stream.getvalue()
    assert shown(written)
    assert 4 == sum(line.startswith("ERROR ") for line in written.splitlines())
    for record in log.records:
        flat = [v for k, v in vars(record).items() if k.startswith("otp_") and isinstance(v, str)]
        assert all(value.isprintable() for value in flat if "\n  " not in value)
        assert getattr(record, "user", "").isprintable()


@each
async def test_a_pid_and_the_tree_in_every_format(text: str) -> None:
    """The formats for machines stay readable to them."""
    async with otp.open_supervisor([otp.child(Session, text).having(name=text)]):
        pid = otp.whereis(text)
        assert repr(pid).isprintable()
        assert otp.process_info(pid).label == f"session of {text}"  # type: ignore[union-attr]  # it lives
        assert shown(otp.tree())
        for output in ("svg", "mermaid", "dot", "json"):
            assert shown(otp.tree(output=output))  # type: ignore[call-overload]  # each is accepted
        [top] = json.loads(otp.tree(output="json"))["processes"]
        [below] = top["children"]
        assert shown(below["label"])
        assert shown(below["name"])


async def test_quotes_and_backslashes_end_no_text_of_a_graph() -> None:
    """What a label holds cannot close it, nor be a directive."""
    text = 'a"]; evil [label="\\" %%{init: {}}%% `b` \\n<img>&amp;'
    async with otp.open_supervisor([otp.child(Session, text).having(name="s")]):
        dot, mermaid = otp.tree(output="dot"), otp.tree(output="mermaid")
    [line] = [line for line in dot.splitlines() if "session of" in line]
    assert line.count('"') - line.count('\\"') - line.count('\\\\\\"') == 2 - line.count('\\\\\\"')
    [line] = [line for line in mermaid.splitlines() if "session of" in line]
    assert 2 == line.count('"')
    assert not any(word in line for word in ("%%{", "`", "\\", "<img", "&amp;"))


@each
async def test_the_observer_shows_it_escaped(text: str) -> None:
    """The picture in the terminal has no line that a label begins."""
    async with otp.open_supervisor([otp.child(Session, text).having(id="s")]):
        taken = snapshot.take(runtime(), trio.current_time(), None)
        lines = pictures.plain(taken, 300, 40)
        assert all(map(str.isprintable, lines))
        assert any("session of" in line for line in lines)


@each
async def test_texts_of_errors_are_printable(text: str) -> None:
    """Names, requests and reasons in what a caller is told."""
    async with otp.open_supervisor([otp.child(Session, text).having(name=text)]):
        with pytest.raises(otp.NoProcess) as nobody:
            await otp.call(text + "2", text)
        with pytest.raises(otp.CallTimeout) as late:
            await otp.call(text, text, timeout=0)
        with pytest.raises(TypeError) as refused:
            otp.child(text)  # type: ignore[call-overload]  # on purpose
    for caught in (nobody, late, refused):
        assert str(caught.value).isprintable()


# -- tracebacks ------------------------------------------------------------------------------------


def raised(exc: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise exc from cause
    except BaseException as caught:
        return caught


def test_a_traceback_is_that_of_python() -> None:
    """Frames, causes, notes and groups are there."""
    cause = raised(KeyError("key"))
    exc = raised(ValueError("bad"), cause)
    exc.add_note("a note")
    usual = "".join(traceback.format_exception(exc)).rstrip()
    assert usual.replace("\na note", "\n    a note") == traceback_text(exc)
    group = traceback_text(raised(ExceptionGroup("several", [exc, KeyError("two")])))
    assert all(text in group for text in ("several (2 sub", "ValueError: bad", "KeyError: 'two'"))


@each
def test_the_text_of_an_exception_begins_no_line(text: str) -> None:
    """A message of several lines stays one, set in; notes alike; the rest is escaped."""
    exc = raised(ValueError(f"one{text}"), raised(KeyError(text)))
    exc.add_note(text)
    written = traceback_text(exc)
    assert shown(written)
    assert "ValueError: one" in written
    assert "one\n    two" in traceback_text(raised(ValueError("one\ntwo")))


def deep(depth: int) -> None:
    if depth:
        deeper(depth - 1)
    raise ValueError("x" * 5_000_000)


def deeper(depth: int) -> None:
    deep(depth)


def test_a_traceback_has_bounds() -> None:
    """However long the text, deep the stack, long the chain and large the group."""
    exc: BaseException = ValueError("first")
    for _ in range(100):
        exc = raised(ValueError("x" * 5000), exc)
    many = [raised(ValueError("y" * 10_000)) for _ in range(1000)]
    group = ExceptionGroup("z" * 10_000, many)
    for one in (exc, group, raised(ExceptionGroup("nested", [group] * 50))):
        assert len(traceback_text(one)) < 50_000
    with pytest.raises(ValueError, match="xxx") as caught:
        deep(400)
    text = traceback_text(caught.value)
    assert len(text) < 20_000
    assert "test_a_traceback_has_bounds" in text
    assert "frames ..." in text
    assert text.endswith("xxx...")


class Counted:
    """Counts how often it is rendered."""

    count = 0

    def __repr__(self) -> str:
        Counted.count += 1
        return "<counted>"


async def test_each_record_renders_a_value_once(log: Formatted) -> None:
    """However many handlers format it; state and message are text from then on."""
    Counted.count = 0
    others = [Formatted() for _ in range(5)]
    for other in others:
        logging.getLogger("trio_otp").addHandler(other)
    value: Any = Counted()
    async with otp.open_supervisor([otp.child(Session, value).having(name="s")]):
        await trio.testing.wait_all_tasks_blocked()
        Counted.count = 0
        otp.cast("s", [1])
        await trio.testing.wait_all_tasks_blocked()
    for other in others:
        logging.getLogger("trio_otp").removeHandler(other)
    assert 2 >= Counted.count  # in the state, and in the metadata


async def test_a_reason_of_megabytes_makes_small_records(log: Formatted) -> None:
    """The text, the traceback and every attribute, of the crash and of what the supervisor says."""
    async with otp.open_supervisor([otp.child(Session, "s").having(name="s")]):
        otp.cast("s", "x" * 5_000_000)
        await trio.testing.wait_all_tasks_blocked()
    assert 2 == len([record for record in log.records if record.levelno == logging.ERROR])
    assert len(log.stream.getvalue()) < 20_000
    for record in log.records:
        assert all(len(v) < 10_000 for v in vars(record).values() if isinstance(v, str))


# -- where it happened -----------------------------------------------------------------------------


async def test_a_record_has_the_place_of_the_crash(log: Formatted) -> None:
    """File, line and function of the innermost frame of a user's code, not of this library."""
    async with otp.open_supervisor([otp.child(Session, "s").having(name="s")]):
        otp.cast("s", "boom")
        await trio.testing.wait_all_tasks_blocked()
    crash, supervisor = [record for record in log.records if record.levelno == logging.ERROR]
    for record in (crash, supervisor):
        assert (__file__, "handle_cast") == (record.pathname, record.funcName)
        assert "raise ValueError(message)" == linecache.getline(__file__, record.lineno).strip()


async def test_a_crash_inside_a_module_of_python_is_told_where_it_was_called(
    log: Formatted,
) -> None:
    """`json` raises far from what has called it; what one looks for is one's own line."""

    async def reads() -> None:
        json.loads("{")

    async with trio.open_nursery() as nursery:
        otp.spawn(reads, nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()
    [record] = log.records
    assert (__file__, "reads") == (record.pathname, record.funcName)


async def test_a_record_without_a_traceback_has_the_place_of_the_child(log: Formatted) -> None:
    """There is no frame to show: the code that ended is the next best."""
    async with otp.open_supervisor([otp.child(Session, "s").having(name="s")]):
        otp.exit("s", "reason")
        await trio.testing.wait_all_tasks_blocked()
    [record] = [record for record in log.records if record.levelno == logging.ERROR]
    assert (__file__, "__init__") == (record.pathname, record.funcName)
    assert record.lineno > 0


# -- what a terminal shows -------------------------------------------------------------------------


@each
def test_an_explanation_is_printable(text: str) -> None:
    """Why an application did not start or ended, as `otp.run` writes it on standard error."""
    for error in (
        otp.ApplicationStartError("shop", raised(ValueError(text))),
        otp.ApplicationExited("shop", otp.SHUTDOWN, [(0.0, text, raised(ValueError(text)))]),
    ):
        assert shown(explain(error))


async def test_a_line_of_a_program_is_one_record(log: Formatted) -> None:
    """Output of a program that is logged."""
    line = ALL.replace("\n", " ").encode("utf-8", "replace")
    script = f"import sys; sys.stdout.buffer.write({line!r} + bytes([10]))"
    program = otp.child(otp.Port, [sys.executable, "-c", script])
    async with otp.open_process():
        otp.monitor(await otp.start(program))
        await otp.receive(otp.Down, timeout=20)
    assert "gnp.exe" in log.stream.getvalue()
    assert shown(log.stream.getvalue())


class Shown:
    """Has the repr that it is given; None raises."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def __repr__(self) -> str:
        if self.text is None:
            raise RuntimeError("no repr")
        return self.text


USES: list[Any] = [
    otp.child,
    otp.whereis,
    otp.send_end,
    otp.process_info,
    otp.registry,
    otp.template,
    otp.on_info,
    otp.on_state,
    otp.GenServer.at,
    otp.Supervisor.spec,
    lambda value: otp.register(value, otp.self()),
    lambda value: otp.reply(value, 1),
    lambda value: otp.child(otp.GenServer).having(restart=value),
    lambda value: otp.child(otp.GenServer).having(significant=value),
    lambda value: otp.child(otp.GenServer).having(debug=value),
    lambda value: otp.events.attach(value, print),
    lambda value: otp.events.attach("crash", value),
    lambda value: otp.spawn(trio.sleep_forever, label=value),
    otp.StateTimeout,
    lambda value: otp.Supervisor.spec([], strategy=value),
    lambda value: type("App", (otp.Application,), {"name": value}),
    lambda value: type("App", (otp.Application,), {"environment": value}),
    lambda value: type("App", (otp.Application,), {"dependencies": value}),
]


@pytest.mark.parametrize("use", USES)
async def test_errors_of_arguments_are_printable(use: Any) -> None:
    """Whatever the repr of the argument does: it may raise, and has bounds."""
    async with otp.open_process():
        for text in (*NASTY.values(), "x" * 100_000, None):
            with pytest.raises((TypeError, ValueError)) as caught:
                use(Shown(text))
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 1000


@each
async def test_reprs_of_records_and_children_are_printable(text: str) -> None:
    """They are printed as they are, as by `which_children`."""
    child = otp.child(trio.sleep_forever).having(id=Shown(text))
    async with otp.open_supervisor([child]) as sup:
        info = await otp.which_children(sup)
        assert repr(info).isprintable()
        assert repr(child).isprintable()
        assert repr(otp.Exit(None, Shown(text))).isprintable()
        assert "Exit(pid=None, reason=<Shown: repr raised RuntimeError>)" == repr(
            otp.Exit(None, Shown(None))
        )


def test_reprs_of_public_records_are_printable() -> None:
    """Of each dataclass that holds what users give, whatever the repr of that does."""
    spaces = (otp, otp.events, otp.task, otp.pg, otp.gen_event, otp.alarm_handler, otp.sys)
    found = [getattr(space, name) for space in spaces for name in space.__all__]
    kinds = {kind for kind in found if isinstance(kind, type)}
    records = {kind for kind in kinds if dataclasses.is_dataclass(kind)} - NUMBERS
    assert len(records) > 30
    for kind in records:
        for text in ("\x1b[2J\n", None):
            record = object.__new__(kind)
            for field in dataclasses.fields(kind):
                object.__setattr__(record, field.name, (Shown(text),))
            assert repr(record).isprintable()


NUMBERS = {
    otp.Backoff,
    otp.ConnectionCounts,
    otp.Counts,
    otp.MailboxStatistics,
    otp.ExitStatus,
    otp.PoolStatus,
    otp.PortLine,
    otp.sys.Statistics,
    otp.Child,
}


def test_a_record_that_contains_itself_has_a_repr() -> None:
    """A circle ends in three dots."""
    held: list[object] = []
    record = otp.Exit(None, held)
    held.append(record)

    assert "Exit(pid=None, reason=[...])" == repr(record)
