"""A translator of reports: the log in the words of Elixir's `Logger`.

`otp.reports.add_translator` takes a function that returns the text of a report, for one run; one
for JSON would look alike. What comes from outside is shown by `otp.reports.reason_text` or `repr`,
so that it can begin no line of its own and what a `format_status` hides stays hidden.
"""

import logging
import traceback
from contextlib import suppress
from typing import Any

import trio

import trio_otp as otp

CONTEXTS = {
    "child_terminated": "terminated",
    "start_error": "failed to start",
    "shutdown_error": "shut down abnormally",
    "shutdown": "caused shutdown",
}


def elixir_text(report: otp.events.Report) -> str | None:
    """Return a report as Elixir words it; None leaves it to the wording of the library."""
    told: Any = report.as_dict()
    match report:
        case otp.events.CrashReport():
            return "\n".join(crash(report))
        case otp.events.SupervisorReport():
            what = CONTEXTS[report.context]
            return f"{child(told, told['offender'], what)}\n{reason_text(told['reason'])}"
        case otp.events.ProgressReport():
            return child(told, told["started"], "started")
        case otp.events.ApplicationReport(phase="started"):
            return f"Application {report.application} started"
        case otp.events.ApplicationReport():
            exited = otp.reports.reason_text(told["exited"])
            return f"Application {report.application} exited: {exited}"
        case _:
            return None


def crash(report: otp.events.CrashReport) -> list[str]:
    sender = "" if report.client is None else f" (from {report.client})"
    lines = [f"{report.behaviour} {report.name or report.label!r} terminating"]
    lines += [reason_text(report.reason), f"Last message{sender}: {report.last_message}"]
    return [*lines, f"State: {report.state}"]


def child(told: dict[str, Any], about: dict[str, Any], what: str) -> str:
    return f"Child {about['id']!r} of Supervisor {told['supervisor']!r} {what}\nPid: {about['pid']}"


def reason_text(reason: object) -> str:
    frames = traceback.extract_tb(getattr(reason, "__traceback__", None))
    place = [f"\n    in {frame.name}: {frame.line}" for frame in frames[-1:]]
    return f"** (exit) {otp.reports.reason_text(reason)}{''.join(place)}"


class Counter(otp.GenServer):
    @otp.on_call
    async def divide(self, number: int) -> int:
        return 12 // number


async def main() -> None:
    otp.reports.add_translator(elixir_text)
    async with otp.open_supervisor([otp.child(Counter).having(name="counter")]):
        with suppress(otp.ServerExited):
            await Counter.at("counter").divide(0)


if __name__ == "__main__":
    log = logging.getLogger("trio_otp")
    log.addHandler(handler := logging.Handler())
    handler.emit = lambda record: print(record.getMessage())  # type: ignore[method-assign]  # short
    trio.run(main)
    log.removeHandler(handler)
