"""The faults of other libraries, by their numbers: those without a test of their own, and a count.

A test whose name begins with `test_fault_NN_` is for the fault of that number; most stand in the
file of what they are about. The tables below hold the rest.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import trio
import trio.testing
from inside import process_of, runtime
from paths import TESTS

import trio_otp as otp

NUMBERS = range(1, 53)
# Tests that are for a fault, and are called after what they are about.
OTHER_NAMES = {
    26: "test_run.py::test_handlers_are_given_back",
}


# -- faults that no other file is about ------------------------------------------------------------


async def test_fault_15_what_is_left_in_a_mailbox_is_counted() -> None:
    """Messages and casts that nobody took when a server ended are counted and told, each once."""

    class Stops(otp.GenServer):
        def handle_cast(self, message: Any) -> Any:
            return otp.Stop("enough") if message == "stop" else None

    told: list[Any] = []
    async with otp.open_process():
        runtime().events.attach("dropped", lambda ref, message, why: told.append(message))
        pid, _ = await otp.start_monitor(Stops)
        before = runtime().dropped
        for message in ("handled", "stop", "left"):
            otp.cast(pid, message)
        otp.send(pid, "left too")
        assert "enough" == (await otp.receive(otp.Down)).reason
        assert before + 2 == runtime().dropped
        assert ["Cast('left')", "'left too'"] == [repr(message) for message in told]


async def test_fault_15_calls_and_notices_of_ends_are_not_counted() -> None:
    """A call that is left is answered instead, and an Exit or Down that is left is no loss."""

    async def ends(me: otp.Pid[Any]) -> None:
        otp.trap_exit()
        otp.monitor("nobody")
        otp.exit(otp.spawn_link(trio.sleep_forever), "over")
        await otp.receive(otp.From)
        await trio.testing.wait_all_tasks_blocked()
        process = process_of(otp.self())
        otp.send(me, len(process.mailbox))

    async with otp.open_process() as me, trio.open_nursery() as nursery:
        answers: list[object] = []
        pid = otp.spawn(ends, me)

        async def ask() -> None:
            try:
                await otp.call(pid, "left", timeout=None)
            except otp.ServerExited as exc:
                answers.append(exc.reason)

        nursery.start_soon(ask)
        nursery.start_soon(ask)
        before = runtime().dropped
        assert 3 == await otp.receive(int)
        await trio.testing.wait_all_tasks_blocked()
        assert before == runtime().dropped
        assert [otp.NORMAL, otp.NORMAL] == answers


async def test_fault_47_subscribers_that_die_are_removed() -> None:
    """A topic has living subscribers only, and publishing to it costs no more than they are."""
    topics = otp.registry("topics")

    async def subscriber(me: otp.Pid[Any]) -> None:
        topics.register("news")
        while True:
            otp.send(me, (otp.self(), await otp.receive(str)))

    async with otp.open_process() as me:
        await otp.start_link(otp.child(otp.Registry, keys="duplicate").having(name="topics"))
        pids = [otp.spawn(subscriber, me) for _ in range(100)]
        await trio.testing.wait_all_tasks_blocked()
        assert 100 == topics.send("news", "first")
        for pid in pids[1:]:
            otp.exit(pid, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [(pids[0], None)] == topics.lookup("news")
        assert 1 == topics.count()
        before = runtime().dropped
        assert 1 == topics.send("news", "second")
        assert before == runtime().dropped
        heard = [await otp.receive(tuple) for _ in range(101)]
        assert (pids[0], "second") == heard[-1]


# -- all of them -----------------------------------------------------------------------------------


FAULT = re.compile(r"^(?:async )?def (test_fault_(\d+)_\w+)\(", re.MULTILINE)


def faults_tested() -> dict[int, list[str]]:
    """List the tests of each number, from the names of all test functions."""
    found: dict[int, list[str]] = defaultdict(list)
    for path in sorted(TESTS.rglob("test_*.py")):
        for name, number in FAULT.findall(path.read_text(encoding="utf-8")):
            found[int(number)].append(f"{path.name}::{name}")
    return found


def test_every_fault_has_a_test() -> None:
    """Of the 52 numbers each is in the name of one, or in the table of those called otherwise."""
    tested = faults_tested().keys()
    assert set(NUMBERS) == tested | OTHER_NAMES.keys()
    assert set() == tested & OTHER_NAMES.keys()


def test_tests_of_other_names_are_there() -> None:
    """Those that are named in the table exist."""
    for place in OTHER_NAMES.values():
        file_name, function = place.split("::")
        texts = [file.read_text(encoding="utf-8") for file in TESTS.rglob(file_name)]
        assert any(f"def {function}(" in text for text in texts)
