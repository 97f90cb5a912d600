"""Return a record to the handlers of `logging`, each by itself: one that raises hurts nobody else.

The handlers of the standard library catch their own errors; one that somebody wrote may not, and
would then raise in the process that reports its end. It is skipped for that record, which is told
once, and gets the next one: a log server that is restarted is back a moment later. Only one that
has failed `MANY` times in a row is removed. The same holds for filters.

The record goes through the methods of `logging` that others may have replaced (`Logger.handle`,
`Logger.callHandlers`), with a twin of the logger that has guarded handlers.
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from .._exits.log_text import hides, place_of_crash, traceback_text
from .._util.bounded import bounded, visible_lines
from .._util.copies import pickled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._exits.log_text import Place

MANY: Final = 100  # failures in a row, after which a handler or filter is removed
_log: Final = logging.getLogger("trio_otp.reports")
_failures: WeakKeyDictionary[Any, int] = WeakKeyDictionary()  # {handler or filter: in a row}


class _Busy(threading.local):
    """The handlers and filters that run in this thread: none is entered again by what it does."""

    def __init__(self) -> None:
        self.running: list[Any] = []


_busy: Final = _Busy()


def deliver(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Hand a record to the handlers of a logger, and of those above it; never raise."""
    delivery = _Delivery(logger)
    try:
        delivery.twin.handle(record)
    except Exception:
        delivery.failed = True
    if delivery.failed and not delivery.taken:
        _show(record)


class _Delivery:
    """One record on its way."""

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self.taken = False  # by a handler
        self.failed = False
        self.twin: logging.Logger = logging.Logger.__new__(type(logger))
        vars(self.twin).update(vars(logger))
        # A `_Guarded` has of a handler all that `Logger.callHandlers` uses.
        handlers: list[Any] = [_Guarded(self, each) for each in _handlers_of(logger)]
        self.twin.handlers = handlers
        self.twin.filters = [_Guarded(self, each) for each in logger.filters]
        self.twin.parent = None

    def fail(self, what: Any, exc: Exception) -> None:
        """Record that a handler or filter has raised; remove it if it does nothing else."""
        self.failed = True
        try:
            count = _failures[what] = _failures.get(what, 0) + 1
        except TypeError:  # it cannot be a key: then it is told each time, and stays
            count = 1
        kind = "handler" if isinstance(what, logging.Handler) else "filter"
        if count == 1:
            _tell(f"{kind} {bounded(what)} of logging raised; it is skipped for this record", exc)
        elif count >= MANY:
            del _failures[what]
            for each in _loggers(self.logger):
                each.removeHandler(what)
                each.removeFilter(what)
            _tell(f"{kind} {bounded(what)} of logging raised {MANY} times; it is removed", exc)


class _Guarded:
    """A handler or filter that does not raise, and is not entered while it runs."""

    def __init__(self, delivery: _Delivery, what: Any) -> None:
        self._delivery = delivery
        self._what = what

    @property
    def level(self) -> int:
        """Return that of the handler."""
        level: int = self._what.level
        return level

    def handle(self, record: logging.LogRecord) -> Any:
        """Hand the record to a handler."""
        return self._run(self._what.handle, record, None)

    def filter(self, record: logging.LogRecord) -> Any:
        """Ask a filter about the record; one that raises lets it pass."""
        return self._run(getattr(self._what, "filter", self._what), record, True)

    def _run(self, function: Any, record: logging.LogRecord, otherwise: Any) -> Any:
        what, running = self._what, _busy.running
        if any(each is what for each in running):
            return otherwise
        running.append(what)
        try:
            result = function(record)
        except Exception as exc:
            self._delivery.fail(what, exc)
            return otherwise
        finally:
            running.pop()
        if isinstance(what, logging.Handler):
            self._delivery.taken = True
        if _failures:
            with suppress(TypeError):
                _failures.pop(what, None)
        return result


def _handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    for each in _loggers(logger):
        yield from each.handlers


def _loggers(logger: logging.Logger) -> Iterator[logging.Logger]:
    each: logging.Logger | None = logger
    while each is not None:
        yield each
        each = each.parent if each.propagate else None


def _tell(text: str, exc: Exception) -> None:
    if _log.isEnabledFor(logging.ERROR):
        place = place_of_crash(exc) or (__file__, 1, "deliver")
        deliver(_log, new_record(_log, logging.ERROR, text, exc, place))


def new_record(
    logger: logging.Logger,
    level: int,
    text: str,
    exc: BaseException | None,
    place: Place,
) -> logging.LogRecord:
    """Make a record whose traceback is rendered, for all handlers, within bounds."""
    shows = exc is not None and not hides(exc)
    info = (type(exc), exc, exc.__traceback__) if exc is not None and shows else None
    text = visible_lines(text)
    path, line, function = place
    record = logger.makeRecord(logger.name, level, path, line, "%s", (text,), info, function)
    if exc is not None:
        record.exc_text = traceback_text(exc)
    if record.__class__ is logging.LogRecord:
        record.__class__ = _Record
    return record


class _Record(logging.LogRecord):
    """A record that comes through a queue to another process, whatever its report tells of.

    There it is an ordinary one: of the traceback it has the text.
    """

    def __copy__(self) -> _Record:
        copy = _Record.__new__(_Record)
        copy.__dict__.update(self.__dict__)
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        import pickle  # noqa: PLC0415 - most programs never need it

        data = pickled(self, {**vars(self), "exc_info": None}, protocol)
        assert data is not None  # a record does not tell of itself
        return logging.makeLogRecord, (pickle.loads(data),)  # noqa: S301 - just made


def _show(record: logging.LogRecord) -> None:
    """Print on stderr what no handler took, as `logging` itself does."""
    if logging.raiseExceptions:
        with suppress(Exception):
            shown = record.getMessage()
            if record.exc_text:
                shown += f"\n{record.exc_text}"
            sys.stderr.write(f"no logging handler has taken:\n{shown}\n")
