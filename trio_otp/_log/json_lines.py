"""Records of `logging` as JSON, one object in one line each, for programs that collect logs."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Any, Final

from .._util.bounded import bounded, safe_repr
from .._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType

DEPTH: Final = 5  # levels of a value that stay structured
ITEMS: Final = 100  # of a container that stays structured
TEXT: Final = 500  # characters of a value that becomes text
LARGEST: Final = 2**63  # what a reader may expect of a whole number
# Of every record; in a report the reason and the metadata have keys of their own as well.
_SKIPPED: Final = {
    *vars(logging.makeLogRecord({})),
    *("message", "asctime", "taskName", "otp_report", "otp_metadata", "crash_reason"),
}


@public_in("reports")
class JsonFormatter(logging.Formatter):
    r"""A formatter that makes one line of a record: a JSON object, in ASCII.

    Its keys are `time`, in UTC; `level`; `logger`; `message`; `file`, `line` and `function`, where
    it was written; `exception` and `stack`, if there are any; and all further attributes of the
    record: those of reports, what `otp.reports.add_metadata` adds, metadata, the keys of `extra=`.
    One that has such a name gets a `_` at its end. Values that JSON has not are text. It is what
    `trio-otp run --log-format json` uses.

    Follows: the formatters of Erlang's `logger`.

    >>> import logging, json, trio_otp as otp
    >>> record = logging.makeLogRecord({"name": "shop", "msg": "two\nlines", "order": 5})
    >>> said = json.loads(otp.reports.JsonFormatter().format(record))
    >>> said["logger"], said["message"], said["order"]
    ('shop', 'two\nlines', 5)
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line for a record, whatever is in it.

        Args:
            record: what is logged.
        """
        return json_line(self._own(record), self._others(record))

    def _own(self, record: logging.LogRecord) -> dict[str, Any]:
        own = {
            "time": utc(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "file": record.pathname,
            "line": record.lineno,
            "function": record.funcName,
        }
        if record.exc_text is None and record.exc_info:
            record.exc_text = self.formatException(record.exc_info)  # as the formatters of Python
        if record.exc_text:
            own["exception"] = record.exc_text
        if record.stack_info:
            own["stack"] = self.formatStack(record.stack_info)
        return own

    def _others(self, record: logging.LogRecord) -> Iterable[tuple[str, Any]]:
        for key, value in vars(record).items():
            if key not in _SKIPPED and not (value is None and key.startswith("otp_")):
                yield key, value


def utc(seconds: float) -> str:
    """Return a time of `time.time()` as text."""
    milliseconds = int(seconds * 1000) % 1000
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{milliseconds:03}Z"


def import_json() -> ModuleType:
    """Import what most programs, which log text, do without.

    It is called before a signal handler makes lines: the signal may come in the middle of the first
    import, and the handler would find a module that has nothing in it yet.
    """
    import json  # noqa: PLC0415 - see above

    return json


def json_line(own: dict[str, Any], others: Iterable[tuple[str, Any]] = ()) -> str:
    """Return an object in one line; those of the others that have a key of ours get another."""
    json = import_json()
    fields = {key: _plain(value, DEPTH) for key, value in own.items()}
    for key, value in others:
        fields[f"{key}_" if key in own else _text(key)] = _plain(value, DEPTH)
    line: str = json.dumps(fields)
    return line


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as exc:  # arguments that do not fit the text, or a repr that raises
        return f"{record.msg} {safe_repr(record.args)} <{type(exc).__name__}: {exc}>"


def _plain(value: object, depth: int) -> Any:
    """Return a value as JSON has it; what it has not is text."""
    try:
        return _converted(value, depth)
    except Exception as exc:  # a class of a user that is no container after all
        return f"<{type(value).__name__}: {type(exc).__name__}>"


def _converted(value: Any, depth: int) -> Any:
    kind: type[Any] = value.__class__
    if value is None or kind is bool:
        return value
    if isinstance(value, str):
        return _text(value)
    if kind is int and -LARGEST <= value < LARGEST:
        return value
    if kind is float and math.isfinite(value):
        return value
    if depth > 0 and kind in (dict, list, tuple) and len(value) <= ITEMS:
        if kind is dict:
            pairs = list(value.items())
            return {_key(key): _plain(each, depth - 1) for key, each in pairs}
        return [_plain(each, depth - 1) for each in value]
    return _text(bounded(value, TEXT))


def _key(key: object) -> str:
    return _text(key) if isinstance(key, str) else bounded(key)


def _text(text: str) -> str:
    """Return a text that each reader of JSON takes: half a surrogate pair is spelt out."""
    return str.__str__(text).encode("utf-8", "backslashreplace").decode()
