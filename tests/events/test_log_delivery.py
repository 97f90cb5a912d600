"""Handlers and filters of `logging` that raise: skipped for that record, and nothing is lost."""

from __future__ import annotations

import logging
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inside import runtime

import trio_otp as otp
from trio_otp.events import NoticeReport
from trio_otp.events.delivery import MANY, deliver, new_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOGGERS = ["trio_otp.notice", "trio_otp"]


class Keeper(logging.Handler):
    """Keeps the texts it gets, or raises at those of some numbers."""

    def __init__(self, raises_at: Iterable[int] = ()) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.raises_at = raises_at
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "trio_otp.reports":
            return
        self.count += 1
        if self.count - 1 in self.raises_at:
            raise ZeroDivisionError
        self.texts.append(record.getMessage())


ALWAYS = range(10**9)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """Leave no handlers behind."""
    yield
    for name in LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.filters[:] = []


def tell(text: str) -> None:
    """Report something."""
    runtime().events.emit("notice", NoticeReport(None, text))


def record_of(number: int) -> logging.LogRecord:
    """Make a record with a number as its text."""
    logger = logging.getLogger("trio_otp.notice")
    return logger.makeRecord(logger.name, 40, "", 0, f"{number}", (), None)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """List what the log says of itself."""
    return [r.getMessage() for r in caplog.records if r.name == "trio_otp.reports"]


def test_a_bad_moment_is_told_and_over(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that raises once gets the next record, whoever writes it."""
    logger, keeper = logging.getLogger("trio_otp.notice"), Keeper([0])
    logger.addHandler(keeper)
    for number in range(3):
        deliver(logger, record_of(number))

    assert ["1", "2"] == keeper.texts
    assert [keeper] == logger.handlers
    skipped = f"handler {keeper!r} of logging raised; it is skipped for this record"
    assert [skipped] == told(caplog)
    assert ["0", "1", "2"] == [r.getMessage() for r in caplog.records if "notice" in r.name]


def test_one_that_fails_again_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    """What counts is failures in a row."""
    logger, keeper = logging.getLogger("trio_otp.notice"), Keeper([0, 1, 3])
    logger.addHandler(keeper)
    for number in range(5):
        deliver(logger, record_of(number))

    assert ["2", "4"] == keeper.texts
    assert 2 == len(told(caplog))


def test_one_that_never_works_is_removed(caplog: pytest.LogCaptureFixture) -> None:
    """After many failures in a row, and that is told; nobody else misses a record."""
    logger, broken, keeper = logging.getLogger("trio_otp"), Keeper(ALWAYS), Keeper()
    logger.addHandler(broken)
    logger.addHandler(keeper)
    for number in range(MANY - 1):
        deliver(logger, record_of(number))
    assert [broken, keeper] == logger.handlers
    deliver(logger, record_of(MANY - 1))

    assert [keeper] == logger.handlers
    assert MANY == len(keeper.texts)
    assert [
        f"handler {broken!r} of logging raised; it is skipped for this record",
        f"handler {broken!r} of logging raised {MANY} times; it is removed",
    ] == told(caplog)


class Lookup(logging.Filter):
    """A filter that raises, and may be hard to show."""

    def __init__(self, shown: str | None = None) -> None:
        super().__init__()
        self.shown = shown

    def filter(self, record: logging.LogRecord) -> bool:
        raise LookupError

    def __repr__(self) -> str:
        if self.shown is None:
            raise ValueError("repr")
        return self.shown


@pytest.mark.parametrize("shown", ["a filter", None])
def test_a_filter_of_a_logger_that_raises_lets_pass(
    shown: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Every handler gets the record, once; the filter is removed if it never works."""
    logger, keeper = logging.getLogger("trio_otp.notice"), Keeper()
    logger.addHandler(keeper)
    logger.addFilter(Lookup(shown))
    for number in range(MANY):
        deliver(logger, record_of(number))

    assert MANY == len(keeper.texts)
    assert [] == logger.filters
    first, second = told(caplog)
    assert (shown or "repr raised ValueError") in first
    assert second.endswith(f"raised {MANY} times; it is removed")


def test_a_filter_of_a_handler_that_raises_is_a_failure_of_the_handler(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is skipped for that record; the others get it."""
    logger, keeper = logging.getLogger("trio_otp"), Keeper()
    keeper.addFilter(Lookup("a filter"))
    logger.addHandler(keeper)
    deliver(logger, record_of(0))

    assert [] == keeper.texts
    assert [f"handler {keeper!r} of logging raised; it is skipped for this record"] == told(caplog)


def test_a_filter_decides(caplog: pytest.LogCaptureFixture) -> None:
    """One that works keeps a record out, as everywhere in `logging`."""
    logger, keeper = logging.getLogger("trio_otp.notice"), Keeper()
    logger.addHandler(keeper)
    logger.addFilter(lambda record: record.getMessage() != "0")
    deliver(logger, record_of(0))
    deliver(logger, record_of(1))
    assert ["1"] == keeper.texts


async def test_a_handler_behind_another_is_not_reached_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is attached to the logger is told of, not what that passes records to."""
    outer = MemoryHandler(1, target=Keeper([0]))
    logging.getLogger("trio_otp").addHandler(outer)
    tell("one")
    outer.buffer.clear()

    assert [f"handler {outer!r} of logging raised; it is skipped for this record"] == told(caplog)


class Formatting(logging.Handler):
    """Does not catch the error of its formatter."""

    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


async def test_a_formatter_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """It is a failure of the handler, like any other."""
    handler = Formatting()
    handler.setFormatter(logging.Formatter("%(nothing)s"))
    logging.getLogger("trio_otp").addHandler(handler)
    tell("one")
    assert 1 == len(told(caplog))


class Reporting(logging.Handler):
    """Reports something itself, for each record it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
        tell("while it handles a record")


async def test_a_handler_that_reports_is_not_entered_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The others get both records; nothing goes round in circles."""
    reporting, keeper = Reporting(), Keeper()
    for handler in (reporting, keeper):
        logging.getLogger("trio_otp").addHandler(handler)
    tell("one")

    assert 1 == reporting.count
    assert ["while it handles a record", "one"] == keeper.texts
    assert [] == told(caplog)


def test_several_that_raise_do_not_tell_of_each_other_for_ever() -> None:
    """Each is skipped when the failure of another is told."""
    logger = logging.getLogger("trio_otp.reports")
    broken = [Formatting() for _ in range(3)]
    for handler in broken:
        handler.setFormatter(logging.Formatter("%(nothing)s"))
        logger.addHandler(handler)
    try:
        deliver(logger, record_of(0))
        assert broken == logger.handlers
    finally:
        logger.handlers[:] = []


def test_what_others_have_put_in_place_of_logging_gets_the_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Services that collect errors replace `Logger.callHandlers`; they see each record once."""
    seen: list[str] = []
    usual = logging.Logger.callHandlers

    def watched(self: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        usual(self, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", watched)
    logger, keeper = logging.getLogger("trio_otp.notice"), Keeper()
    logger.addHandler(keeper)
    deliver(logger, record_of(0))
    assert (["0"], ["0"]) == (seen, keeper.texts)


def test_a_record_that_no_handler_takes_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last handler raised: then standard error has it, unless logging is told to be silent."""
    logger = logging.getLogger("trio_otp_alone")
    logger.propagate = False
    record = logger.makeRecord("alone", 40, "", 0, "lost %s", ("text",), None)
    for shown in (True, False):
        monkeypatch.setattr(logging, "raiseExceptions", shown)
        logger.addHandler(Keeper(ALWAYS))
        deliver(logger, record)
        logger.handlers[:] = []
        expected = "no logging handler has taken:\nlost text\n" if shown else ""
        assert expected == capsys.readouterr().err


def test_a_logger_that_is_broken_itself_hurts_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """If neither handler nor filter is to blame, the record is shown."""

    class Odd(logging.Logger):
        def handle(self, record: logging.LogRecord) -> None:
            raise ZeroDivisionError

    logger, keeper = Odd("odd"), Keeper()
    logger.addHandler(keeper)
    deliver(logger, logger.makeRecord("odd", 40, "", 0, "text", (), None))

    assert [keeper] == logger.handlers
    assert "no logging handler has taken:\ntext\n" == capsys.readouterr().err


async def test_a_server_goes_on() -> None:
    """A call answers though every handler raises; the crash of another server is still one."""

    class Server(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply(request)

    for name in LOGGERS:
        logging.getLogger(name).addHandler(Keeper(ALWAYS))
    async with otp.open_process():
        a = await otp.start(Server)
        otp.send(a, "unknown")
        assert 5 == await otp.call(a, 5)


@given(
    st.lists(st.tuples(st.sampled_from(LOGGERS), st.sets(st.integers(0, 5))), max_size=6),
    st.integers(1, 5),
)
def test_every_handler_gets_every_record_once(
    handlers: list[tuple[str, set[int]]], count: int
) -> None:
    """Whichever handlers raise at whichever records: they get all others, and so does everybody."""
    keepers = [Keeper(raises_at) for _, raises_at in handlers]
    for (name, _), keeper in zip(handlers, keepers, strict=True):
        logging.getLogger(name).addHandler(keeper)
    logger = logging.getLogger("trio_otp.notice")
    logger.addHandler(last := Keeper())
    logging.getLogger("trio_otp").propagate = False
    try:
        for number in range(count):
            deliver(logger, record_of(number))
    finally:
        logging.getLogger("trio_otp").propagate = True
        attached = {h for name in LOGGERS for h in logging.getLogger(name).handlers}
        for name in LOGGERS:
            logging.getLogger(name).handlers[:] = []

    assert {*keepers, last} == attached
    for keeper in (*keepers, last):
        expected = [f"{number}" for number in range(count) if number not in keeper.raises_at]
        assert expected == keeper.texts


class Nameless:
    """A filter that cannot be the key of a dict, and always raises."""

    __hash__ = None  # type: ignore[assignment]  # as that of a dataclass

    def filter(self, record: logging.LogRecord) -> bool:
        raise ZeroDivisionError


async def test_a_filter_that_cannot_be_counted_is_told_each_time(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It stays, since nobody knows how often it has raised."""
    logger = logging.getLogger("trio_otp.notice")
    logger.filters[:] = [Nameless()]
    for _ in range(MANY + 1):
        tell("one")
    assert len(told(caplog)) == MANY + 1
    assert len(logger.filters) == 1


async def test_a_record_factory_of_the_user_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    """What makes the records of the program makes those of the library."""

    class Own(logging.LogRecord):
        pass

    logging.setLogRecordFactory(Own)
    try:
        tell("one")
    finally:
        logging.setLogRecordFactory(logging.LogRecord)
    assert [Own] == [type(record) for record in caplog.records]


async def test_what_no_handler_has_taken_is_shown_with_its_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As `logging` does if there is no handler."""
    logger = logging.getLogger("trio_otp.crash")
    logger.handlers, logger.propagate = [Keeper(ALWAYS)], False
    crash = ZeroDivisionError("lost")
    try:
        deliver(logger, new_record(logger, logging.ERROR, "crash", crash, ("here.py", 1, "f")))
    finally:
        logger.handlers, logger.propagate = [], True
    shown = capsys.readouterr().err
    assert "no logging handler has taken:\ncrash\n" in shown
    assert "ZeroDivisionError: lost" in shown
