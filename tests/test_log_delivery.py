"""Handlers and filters of `logging` that raise: removed, told once, and nothing is lost."""

from __future__ import annotations

import logging
from logging.handlers import MemoryHandler
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import trio_otp as otp
from trio_otp.events import NoticeReport
from trio_otp.log_delivery import deliver
from trio_otp.runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

LOGGERS = ["trio_otp.notice", "trio_otp"]


class Keeper(logging.Handler):
    """Keeps the texts it gets, or raises at the n-th."""

    def __init__(self, raises_at: int | None = None) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.raises_at = raises_at

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == "trio_otp.reports":
            return
        if self.raises_at == len(self.texts):
            raise ZeroDivisionError
        self.texts.append(record.getMessage())


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


def removed(caplog: pytest.LogCaptureFixture) -> list[str]:
    """List what the log says was removed."""
    return [r.getMessage() for r in caplog.records if r.name == "trio_otp.reports"]


async def test_a_filter_that_raises_is_removed(caplog: pytest.LogCaptureFixture) -> None:
    """That of a handler: the handler stays, and gets this record too (LG-7)."""

    def broken(record: logging.LogRecord) -> bool:
        raise LookupError

    keeper = Keeper()
    keeper.addFilter(broken)
    logging.getLogger("trio_otp").addHandler(keeper)
    tell("one")
    tell("two")

    assert ["one", "two"] == keeper.texts
    assert [] == keeper.filters
    [told] = removed(caplog)
    assert told.startswith(f"filter {broken!r} of ")
    assert ["one", "two"] == [r.getMessage() for r in caplog.records if "notice" in r.name]


async def test_a_filter_that_cannot_be_shown_is_removed_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is told as what it is, and does not end the log of the run."""

    class Broken:
        def __call__(self, record: logging.LogRecord) -> bool:
            raise LookupError

        def __repr__(self) -> str:
            raise ValueError("repr")

    keeper = Keeper()
    keeper.addFilter(Broken())
    logging.getLogger("trio_otp").addHandler(keeper)
    tell("one")
    tell("two")

    assert ["one", "two"] == keeper.texts
    [told] = removed(caplog)
    assert "repr raised ValueError" in told


async def test_a_filter_of_a_logger_that_raises_is_removed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every handler gets the record, once."""

    class Broken(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            raise LookupError

    logger, keeper = logging.getLogger("trio_otp.notice"), Keeper()
    logger.addHandler(keeper)
    logger.addFilter(Broken())
    tell("one")
    tell("two")

    assert ["one", "two"] == keeper.texts
    assert [] == logger.filters
    assert 1 == len(removed(caplog))


async def test_a_handler_behind_another_is_not_reached_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What is attached to the logger is removed, not what that passes records to."""
    inner = Keeper(raises_at=0)
    outer = MemoryHandler(1, target=inner)
    logging.getLogger("trio_otp").addHandler(outer)
    tell("one")
    outer.buffer.clear()

    assert [] == logging.getLogger("trio_otp").handlers
    assert [f"handler {outer!r} of logging raised and is removed"] == removed(caplog)


async def test_a_formatter_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """A handler that does not catch the error of its formatter is removed like any other."""

    class Formatting(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            self.format(record)

    handler = Formatting()
    handler.setFormatter(logging.Formatter("%(nothing)s"))
    logging.getLogger("trio_otp").addHandler(handler)
    tell("one")

    assert 1 == len(removed(caplog))
    assert [] == logging.getLogger("trio_otp").handlers


def test_a_record_that_no_handler_takes_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last handler raised: then standard error has it, unless logging is told to be silent."""
    logger = logging.getLogger("trio_otp_alone")
    logger.propagate = False
    record = logger.makeRecord("alone", 40, "", 0, "lost %s", ("text",), None)
    for shown in (True, False):
        monkeypatch.setattr(logging, "raiseExceptions", shown)
        logger.addHandler(Keeper(raises_at=0))
        deliver(logger, record)
        assert [] == logger.handlers
        expected = "no logging handler is left for:\nlost text\n" if shown else ""
        assert expected == capsys.readouterr().err


def test_a_logger_that_is_broken_itself_hurts_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """If neither handler nor filter is to blame nothing is removed, and the record is shown."""

    class Odd(logging.Logger):
        def handle(self, record: logging.LogRecord) -> None:
            raise ZeroDivisionError

    logger, keeper = Odd("odd"), Keeper()
    logger.addHandler(keeper)
    deliver(logger, logger.makeRecord("odd", 40, "", 0, "text", (), None))

    assert [keeper] == logger.handlers
    assert "no logging handler is left for:\ntext\n" == capsys.readouterr().err


async def test_a_server_goes_on() -> None:
    """A call answers though every handler raises; the crash of another server is still one."""

    class Server(otp.GenServer):
        def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
            return otp.Reply(request)

    for name in LOGGERS:
        logging.getLogger(name).addHandler(Keeper(raises_at=0))
    async with otp.open_process():
        a = await otp.start(Server)
        otp.send(a, "unknown")
        assert 5 == await otp.call(a, 5)


@given(
    st.lists(st.tuples(st.sampled_from(LOGGERS), st.none() | st.integers(0, 3)), max_size=6),
    st.integers(1, 5),
)
def test_every_handler_gets_every_record_once(
    handlers: list[tuple[str, int | None]], count: int
) -> None:
    """Whichever handlers raise at whichever record: the others get all of them, in order."""
    keepers = [Keeper(raises_at) for _, raises_at in handlers]
    for (name, _), keeper in zip(handlers, keepers, strict=True):
        logging.getLogger(name).addHandler(keeper)
    logger = logging.getLogger("trio_otp.notice")
    logger.addHandler(last := Keeper())
    logging.getLogger("trio_otp").propagate = False
    try:
        for number in range(count):
            deliver(logger, logger.makeRecord("trio_otp.notice", 40, "", 0, f"{number}", (), None))
    finally:
        logging.getLogger("trio_otp").propagate = True
        attached = {h for name in LOGGERS for h in logging.getLogger(name).handlers}
        for name in LOGGERS:
            logging.getLogger(name).handlers[:] = []

    for keeper in (*keepers, last):
        expected = count if keeper.raises_at is None else min(count, keeper.raises_at)
        assert [f"{number}" for number in range(expected)] == keeper.texts
        assert (keeper in attached) == (keeper.raises_at is None or keeper.raises_at >= count)
