"""Which process wrote a record of `logging`: a filter for handlers, and the fields it adds.

    handler.addFilter(otp.reports.add_metadata)

Follows: the metadata of Erlang's `logger`, which every event of a process carries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .._process.crash_facts import initial_call
from .._process.runtime import current_process
from .._util.bounded import bounded, shown_text
from .._util.public import public_in

ATTRIBUTE: Final = 2000  # characters of an attribute of a record

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping

    from .._process.process import Process


@public_in("reports")
def add_metadata(record: logging.LogRecord) -> bool:
    """Add to a record which process wrote it, and what that has set by `otp.set_metadata`.

    The fields are `otp_pid`, `otp_name`, `otp_label`, `otp_initial_call`, `otp_callers` and
    `otp_metadata`; keys of the metadata are attributes of the record as well. Records of helper
    tasks and of worker threads of a process have them too; of plain Trio code they are None.

    Args:
        record: what a handler is about to write.

    Returns:
        True: no record is kept out.

    >>> import logging
    >>> record = logging.makeLogRecord({})
    >>> add_metadata(record), record.otp_pid
    (True, None)
    """
    process = current_process.get(None)
    put(record, fields_of(process))
    put(record, flat((None if process is None else process.extras.metadata) or {}))
    return True


def fields_of(process: Process | None) -> dict[str, object]:
    """Describe a process in text and numbers."""
    if process is None:
        names = ("pid", "name", "label", "initial_call", "callers", "metadata")
        return {f"otp_{name}": None for name in names}
    return {
        "otp_pid": repr(process.pid),
        "otp_name": None if process.name is None else shown(process.name),
        "otp_label": shown_text(process.label, ATTRIBUTE),
        "otp_initial_call": initial_call(process),
        "otp_callers": bounded(process.callers),
        "otp_metadata": flat(process.extras.metadata or {}),
    }


def flat(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as attributes of a record: text from outside stays in its line."""
    return {
        key: shown_text(value, ATTRIBUTE) if isinstance(value, str) else value
        for key, value in metadata.items()
    }


def put(record: logging.LogRecord, fields: Mapping[str, Any]) -> None:
    """Set attributes that a record does not have; those of a report are not replaced."""
    for key, value in fields.items():
        record.__dict__.setdefault(key, value)


def shown(value: object) -> str:
    """Return a name as text, a str without quotes."""
    return shown_text(value, ATTRIBUTE) if isinstance(value, str) else bounded(value)
