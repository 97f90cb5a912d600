"""Records as JSON: a line each, whatever they hold, with their metadata as keys."""

from __future__ import annotations

import enum
import io
import json
import logging
import math
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio.testing
from log_kit import logging_to

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator


class Lines:
    """What a handler with the formatter has written."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(otp.reports.JsonFormatter())
        self.handler.addFilter(otp.reports.add_metadata)

    def read(self) -> list[dict[str, Any]]:
        """Return the objects, each from a line of its own."""
        text = self.stream.getvalue()
        assert text.isascii()
        return [json.loads(line, parse_constant=_refuse) for line in text.splitlines()]


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@pytest.fixture
def lines() -> Iterator[Lines]:
    found = Lines()
    with logging_to(found.handler, "", logging.INFO):
        yield found


log = logging.getLogger("shop")


def test_a_record(lines: Lines) -> None:
    """Time in UTC, level, logger, text, place, and what `extra` gives."""
    log.warning("sold %s", "tea\nand more", extra={"order": {"id": 5, "paid": True}})
    [said] = lines.read()
    assert said.pop("time").endswith("Z")
    assert said.pop("file").endswith("test_json_lines.py")
    assert isinstance(said.pop("line"), int)
    assert {
        "level": "WARNING",
        "logger": "shop",
        "message": "sold tea\nand more",
        "function": "test_a_record",
        "order": {"id": 5, "paid": True},
    } == said


def test_an_exception_that_no_other_formatter_has_seen() -> None:
    """Its traceback is kept for the next one, as the formatters of Python do."""
    try:
        raise ValueError("no tea")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    said = json.loads(otp.reports.JsonFormatter().format(record))
    assert said["exception"].endswith("ValueError: no tea")
    assert record.exc_text == said["exception"]


def test_an_exception(lines: Lines) -> None:
    """Its traceback is a text in the same line."""
    try:
        raise ValueError("no\ntea")
    except ValueError:
        log.exception("failed", stack_info=True)
    [said] = lines.read()
    assert said["exception"].startswith("Traceback (most recent call last):\n")
    assert said["exception"].endswith("ValueError: no\ntea")
    assert said["stack"].startswith("Stack (most recent call last):\n")


class Till(otp.GenServer, restart="temporary"):
    """Crashes, after it has set metadata about its request."""

    def handle_cast(self, message: Any) -> None:
        otp.set_metadata(request="r1", amount=7, time="noon")
        log.info("at work")
        raise ValueError("two\nlines")


async def test_reports_and_metadata(lines: Lines) -> None:
    """A crash, with its traceback and its many lines of text, is one line as well."""
    async with otp.open_supervisor([otp.child(Till).having(name="till")]):
        otp.cast("till", "go")
        await trio.testing.wait_all_tasks_blocked()
    work, crash, _ = lines.read()
    for said in (work, crash):
        assert ("r1", 7, "noon") == (said["request"], said["amount"], said["time_"])
        assert "till" == said["otp_name"]
    assert "at work" == work["message"]
    assert "\n  Last message: cast 'go'\n" in crash["message"]
    assert "ValueError('two\\nlines')" == crash["otp_reason"]
    assert "ValueError: two" in crash["exception"]
    assert {"otp_report", "crash_reason", "otp_metadata"}.isdisjoint(crash)
    assert "otp_child_id" not in work


class Rude:
    """Has no repr."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Colour(enum.IntEnum):
    RED = 1


class Liar:
    """Raises when its class is asked for."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (1e300, 1e300),
        (2**70, str(2**70)),
        ("\udc80 \u2028 tea", "\\udc80 \u2028 tea"),
        (b"\xff", "b'\\xff'"),
        ({1: {2}, "\udc80": (1, [2])}, {"1": "{2}", "\\udc80": [1, [2]]}),
        ([[[[[[1]]]]]], [[[[["[1]"]]]]]),
        (list(range(101)), str(list(range(101)))),
        (Colour.RED, "<Colour.RED: 1>"),
        (Rude(), "<Rude: repr raised RuntimeError>"),
        ([Rude()], ["<Rude: repr raised RuntimeError>"]),
    ],
)
def test_values(value: Any, expected: Any, lines: Lines) -> None:
    """What JSON has stays what it is; all else is text, within bounds."""
    log.info("x", extra={"value": value})
    [said] = lines.read()
    assert expected == said["value"]


def test_what_is_hostile_costs_no_record() -> None:
    """A value that raises, a circle, a number too long for text, arguments that do not fit."""
    circle: list[Any] = []
    circle.append(circle)
    one, two, three = (
        json.loads(otp.reports.JsonFormatter().format(logging.makeLogRecord(fields)))
        for fields in (
            {"msg": "a %d", "args": ("text",)},
            {"msg": "b", "liar": Liar(), "circle": circle, "long": 10**10_000},
            {"msg": "c %s", "args": (Rude(),)},
        )
    )
    assert one["message"].startswith("a %d ('text',) <TypeError: ")
    assert "<Liar: RuntimeError>" == two["liar"]
    assert {"circle", "long"} <= two.keys()
    assert three["message"].endswith("<RuntimeError: no>")


def test_a_storm_of_text_stays_one_line(lines: Lines) -> None:
    """Nothing that is logged can begin a record of its own."""
    log.info('}\n{"level": "CRITICAL"}\r\x00\x1b[2J')
    [said] = lines.read()
    assert "INFO" == said["level"]
