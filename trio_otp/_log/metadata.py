"""What a process wants to have in every log record it writes: who asked, for which order.

It belongs to the process: what that starts has none, and helper tasks and worker threads of it
share it. Records get it by `otp.reports.add_metadata`. Follows: Elixir's `Logger.metadata/1`.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from .._process.runtime import need_process
from .._util.bounded import bounded
from .._util.public import public

# Attributes of a record that metadata must not hide.
_TAKEN: Final = {*vars(logging.makeLogRecord({})), "message", "asctime", "crash_reason"}


@public
def set_metadata(**values: Any) -> None:
    """Add to what this process has in its log records; None takes a key away.

    Args:
        **values: what to add. A key may not be one that records have already, as `name`.

    Raises:
        NotAProcess: in plain Trio code.
        ValueError: a key is one that log records have already.

    >>> import trio, trio_otp as otp
    >>> async def main():
    ...     async with otp.open_process():
    ...         otp.set_metadata(request_id="r1", user=7)
    ...         otp.set_metadata(user=None)
    ...         print(otp.metadata())
    >>> trio.run(main)
    {'request_id': 'r1'}

    Follows: `Logger.metadata/1`.
    """
    process = need_process("otp.set_metadata")
    merged = {**(process.extras.metadata or {}), **_checked(values)}
    process.own_extras().metadata = {
        key: value for key, value in merged.items() if value is not None
    } or None


@public
def reset_metadata(**values: Any) -> None:
    """Put this in place of what this process has in its log records.

    Args:
        **values: as of `set_metadata`.

    Raises:
        NotAProcess: in plain Trio code.
        ValueError: as of `set_metadata`.

    Follows: `Logger.reset_metadata/1`.
    """
    process = need_process("otp.reset_metadata")
    kept = {key: value for key, value in _checked(values).items() if value is not None}
    process.own_extras().metadata = kept or None


@public
def metadata() -> dict[str, Any]:
    """Return what this process has in its log records, in a dict of your own.

    Raises:
        NotAProcess: in plain Trio code.

    Follows: `Logger.metadata/0`.
    """
    return dict(need_process("otp.metadata").extras.metadata or {})


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    for key, value in values.items():
        if key in _TAKEN or key.startswith("otp_"):
            raise ValueError(f"{key}={bounded(value)}: log records have a {key!r} of their own")
    return values
