"""What goes to the standard `logging`: crashes, supervisor reports, progress, notices.

By logger and level:

* `trio_otp.crash`, error: a process ended badly: reason with traceback, last message, state
* `trio_otp.supervisor`, error: a child ended, did not start or stop; a supervisor gave up
* `trio_otp.progress`, debug: a supervisor started a child
* `trio_otp.application`, info or error: an application started, stopped, or ended by itself
* `trio_otp.notice`, its own: what a person should know: a stuck child, an unknown message
* `trio_otp.dropped`, debug: a message reached nobody, and why
* `trio_otp.reports`, warning or error: what became of the log itself: a storm, a broken handler

>>> import trio, trio_otp as otp
>>> async def fail():
...     raise ValueError("boom")
>>> def in_one_line(report):
...     print(report.kind, otp.reports.reason_text(report.reason))
...     return otp.reports.SKIP
>>> async def main():
...     otp.reports.add_translator(in_one_line)
...     child = otp.child(fail).having(name="worker", restart="temporary")
...     async with otp.open_supervisor([child]):
...         await trio.sleep(0.1)
>>> trio.run(main)
crash ValueError: boom
supervisor.child_terminated ValueError: boom

Nothing is configured here: without a handler of yours Python prints warnings and errors. A record
carries its report as `record.otp_report`, one of the dataclasses of `trio_otp.events`, and its
parts as text: `otp_kind`, `otp_domain`, `otp_pid`, `otp_name`, `otp_reason`, `otp_supervisor` and
so on; the reason itself is `record.crash_reason`.

The listeners stand in `events.defaults`, so every run logs;
`otp.events.detach("progress", log_progress)` stops one in the run that is going on. A handler or
filter of yours that raises is skipped for that record, and hurts neither the process nor others.

Follows: Erlang's SASL reports, the messages of Elixir's `Logger` for a GenServer that terminates.
"""

from __future__ import annotations

from ._exits.reasons import reason_text
from ._log.add_metadata import add_metadata
from ._log.dropped import log_dropped
from ._log.json_lines import JsonFormatter
from ._log.reports import (
    log_application,
    log_crash,
    log_notice,
    log_progress,
    log_supervisor,
    set_limit,
)
from ._log.translators import SKIP, add_translator, remove_translator

__all__ = [
    "SKIP",
    "JsonFormatter",
    "add_metadata",
    "add_translator",
    "log_application",
    "log_crash",
    "log_dropped",
    "log_notice",
    "log_progress",
    "log_supervisor",
    "reason_text",
    "remove_translator",
    "set_limit",
]


def __dir__() -> list[str]:
    return __all__
