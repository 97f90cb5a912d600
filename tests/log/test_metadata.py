"""What the log records of a process carry: who wrote them, and what it has set."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import trio
from depth import few
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from log_kit import logging_to

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger("shop.orders")


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """Collect records by a handler with the filter."""
    kept: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    with logging_to(Keeper(), "") as handler:
        handler.addFilter(otp.reports.add_metadata)
        yield kept


class Server(otp.GenServer):
    """Logs what it gets."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        if request == "crash":
            raise ValueError("boom")
        if isinstance(request, dict):
            otp.set_metadata(**request)
        _log.warning("got %s", request)
        return otp.Reply(otp.metadata())


async def test_every_record_of_a_process_says_whose_it_is(
    records: list[logging.LogRecord],
) -> None:
    """Pid, name, label, class and callers, as text (LG-8)."""
    async with otp.open_process(name="client"):
        a = await otp.start(otp.child(Server).having(name="a"))
        await otp.call(a, {"order": 5})

    [record] = [r for r in records if r.name == "shop.orders"]
    assert {
        "otp_pid": repr(a),
        "otp_name": "a",
        "otp_label": "Server",
        "otp_initial_call": f"{__name__}.Server",
        "otp_callers": "()",
        "otp_metadata": {"order": 5},
        "order": 5,
    }.items() <= vars(record).items()


async def test_the_records_of_a_task_say_on_whose_behalf(
    records: list[logging.LogRecord],
) -> None:
    """Nearest first, as text (LG-8)."""

    async def work() -> None:
        _log.warning("done")

    async with otp.open_process() as me:
        await otp.task.start_async(work)
    [record] = [r for r in records if r.name == "shop.orders"]
    assert repr((me,)) == vars(record)["otp_callers"]


async def test_metadata_is_not_inherited(records: list[logging.LogRecord]) -> None:
    """A process starts with none, whoever starts it (LG-8)."""
    async with otp.open_process():
        otp.set_metadata(request="r1")
        a = await otp.start_link(Server)
        assert {} == await otp.call(a, "x")
        assert {"request": "r1"} == otp.metadata()

    [record] = [r for r in records if r.name == "shop.orders"]
    assert {} == record.otp_metadata  # type: ignore[attr-defined]
    assert not hasattr(record, "request")


async def test_helper_tasks_and_threads_share_it(records: list[logging.LogRecord]) -> None:
    """They work for the process."""

    async def helper() -> None:
        otp.set_metadata(more=2)
        _log.warning("task")

    async with otp.open_process() as me:
        otp.set_metadata(request="r1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(helper)
        await trio.to_thread.run_sync(_log.warning, "thread")

    assert [(repr(me), {"request": "r1", "more": 2})] * 2 == [
        (record.otp_pid, record.otp_metadata)  # type: ignore[attr-defined]
        for record in records
    ]


async def test_plain_code_has_none(records: list[logging.LogRecord]) -> None:
    """The fields are there, so that a format can use them; there is nobody to set them."""
    _log.warning("plain")
    assert (None, None) == (records[0].otp_pid, records[0].otp_metadata)  # type: ignore[attr-defined]
    for function in (otp.metadata, otp.set_metadata, otp.reset_metadata):
        with pytest.raises(otp.NotAProcess, match=r"otp\.open_process"):
            function()


async def test_a_report_carries_what_its_process_had_set(
    records: list[logging.LogRecord],
) -> None:
    """Also where the handler has no filter, since the report has it; and the reason as it is."""
    async with otp.open_process():
        a = await otp.start(Server)
        await otp.call(a, {"order": 5})
        with pytest.raises(otp.ServerExited):
            await otp.call(a, "crash")

    [record] = [r for r in records if r.name == "trio_otp.crash"]
    assert {"order": 5} == record.otp_report.metadata  # type: ignore[attr-defined]
    assert 5 == record.order  # type: ignore[attr-defined]
    assert isinstance(record.crash_reason, ValueError)  # type: ignore[attr-defined]
    assert repr(a) == record.otp_pid  # type: ignore[attr-defined]
    assert "Metadata: {'order': 5}" in record.getMessage()


@pytest.mark.parametrize("key", ["name", "message", "args", "levelname", "otp_pid", "exc_info"])
async def test_a_key_that_records_have_is_refused(key: str) -> None:
    """It would hide theirs; nothing is set then."""
    async with otp.open_process():
        for function in (otp.set_metadata, otp.reset_metadata):
            with pytest.raises(ValueError, match=f"{key}=5: log records have a '{key}'"):
                function(fine=1, **{key: 5})
        assert {} == otp.metadata()


async def test_what_is_given_is_a_copy() -> None:
    """Changing it changes nothing."""
    async with otp.open_process():
        otp.set_metadata(a=1)
        otp.metadata()["b"] = 2
        assert {"a": 1} == otp.metadata()


PROGRAM = """
import logging, sys, trio, trio_otp as otp
class Shop(otp.Application):
    def start(self):
        formatter = logging.Formatter("%(otp_label)s %(message)s")
        [handler] = logging.getLogger().handlers
        handler.setFormatter(formatter)
        job = otp.child(work).having(significant=True, restart="temporary")
        return otp.Supervisor.spec([job], auto_shutdown="any_significant")
async def work():
    logging.getLogger("shop").info("hello")
sys.exit(otp.run(Shop))
"""


def test_a_program_has_the_filter() -> None:
    """If `otp.run` sets up logging, its handler tells whose record it is."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True
    )
    assert "work hello" in done.stderr.splitlines()


# -- against a model -------------------------------------------------------------------------------

VALUES = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 0, 1, "", "x"]))


class Metadata(RuleBasedStateMachine):
    """Processes that set metadata, against a dict for each."""

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[str, dict[str, Any]] = {"one": {}, "two": {}}
        self.actions: list[tuple[str, str, dict[str, Any]]] = []

    @rule(who=st.sampled_from(["one", "two"]), values=VALUES)
    def set(self, who: str, values: dict[str, Any]) -> None:
        self.actions.append((who, "set_metadata", values))
        merged = {**self.models[who], **values}
        self.models[who] = {key: value for key, value in merged.items() if value is not None}

    @rule(who=st.sampled_from(["one", "two"]), values=VALUES)
    def reset(self, who: str, values: dict[str, Any]) -> None:
        self.actions.append((who, "reset_metadata", values))
        self.models[who] = {key: value for key, value in values.items() if value is not None}

    @precondition(lambda self: self.actions)
    @invariant()
    def agrees(self) -> None:
        assert self.models == trio.run(replay, self.actions)


class Obedient(otp.GenServer):
    """Sets its metadata as it is told."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        function, values = request
        getattr(otp, function)(**values)
        return otp.Reply(otp.metadata())


async def replay(actions: list[tuple[str, str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Do it for real."""
    result: dict[str, dict[str, Any]] = {"one": {}, "two": {}}
    async with otp.open_supervisor([otp.child(Obedient).having(name=name) for name in result]):
        for who, function, values in actions:
            result[who] = await otp.call(who, (function, values))
    return result


Metadata.TestCase.settings = settings(max_examples=few(20), stateful_step_count=8, deadline=None)
TestMetadata = Metadata.TestCase
