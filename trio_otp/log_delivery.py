"""Give a record to the handlers of `logging`; take away a handler or filter that raises.

The handlers of the standard library catch their own errors; one that somebody wrote may not, and
would then raise in the process that reports its end. It is removed and that is told once, as
Erlang's logger does; the other handlers still get the record.
"""

from __future__ import annotations

import logging
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from .bounded import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator

_log: Final = logging.getLogger("trio_otp.reports")
_FILTER: Final = logging.Filterer.filter.__code__


def deliver(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Let the handlers of a logger, and of those above it, have a record; never raise."""
    handlers = list(_handlers_of(logger))
    try:
        logger.handle(record)
    except Exception as exc:
        culprit = _Culprit(exc, handlers)
        culprit.remove(logger)
        if culprit.in_logger:  # then the record has reached nobody
            deliver(logger, record)
        else:
            _give(logger, culprit.rest, record)


def _give(
    logger: logging.Logger, handlers: list[logging.Handler], record: logging.LogRecord
) -> None:
    """Give a record to the handlers that have not got it; if none takes it, show it."""
    taken = False
    while handlers:
        handler, *rest = handlers
        try:
            if record.levelno >= handler.level:
                handler.handle(record)
                taken = True
        except Exception as exc:
            culprit = _Culprit(exc, handlers)
            culprit.remove(logger)
            rest = culprit.rest
        handlers = rest
    if not taken:
        _show(record)


class _Culprit:
    """What raised while a record was on its way through handlers, as the traceback tells."""

    def __init__(self, exc: Exception, handlers: list[logging.Handler]) -> None:
        self.exc = exc
        self.in_logger = False
        self.rest: list[logging.Handler] = []  # handlers that the record has yet to reach
        self._filter: tuple[logging.Filterer, Any] | None = None
        self._handler: logging.Handler | None = None
        for frame, _ in reversed(list(traceback.walk_tb(exc.__traceback__))):
            owner: Any = frame.f_locals.get("self")
            if frame.f_code is _FILTER and self._filter is None:
                self._filter = (owner, frame.f_locals["f"])
                self.in_logger = isinstance(owner, logging.Logger)
            if isinstance(owner, logging.Handler) and owner in handlers:
                self._handler = owner
                self.in_logger = False
                again = self._filter is not None and self._filter[0] is owner
                self.rest = handlers[handlers.index(owner) + (not again) :]
                return

    def remove(self, logger: logging.Logger) -> None:
        """Remove it and report that, once: it is not there any more when the report is written."""
        if self._filter is not None:
            owner, function = self._filter
            owner.removeFilter(function)
            _tell(f"filter {bounded(function)} of {bounded(owner)}", self.exc)
        elif self._handler is not None:
            for each in _loggers(logger):
                each.removeHandler(self._handler)
            _tell(f"handler {bounded(self._handler)}", self.exc)


def _handlers_of(logger: logging.Logger) -> Iterator[logging.Handler]:
    for each in _loggers(logger):
        yield from each.handlers


def _loggers(logger: logging.Logger) -> Iterator[logging.Logger]:
    each: logging.Logger | None = logger
    while each is not None:
        yield each
        each = each.parent if each.propagate else None


def _tell(what: str, exc: Exception) -> None:
    if _log.isEnabledFor(logging.ERROR):
        info = (type(exc), exc, exc.__traceback__)
        text = "%s of logging raised and is removed"
        deliver(_log, _log.makeRecord(_log.name, logging.ERROR, __file__, 0, text, (what,), info))


def _show(record: logging.LogRecord) -> None:
    """Say on stderr what no handler took, as `logging` itself does."""
    if logging.raiseExceptions:
        with suppress(Exception):
            shown = record.getMessage()
            if record.exc_info:
                shown += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip()
            sys.stderr.write(f"no logging handler is left for:\n{shown}\n")
