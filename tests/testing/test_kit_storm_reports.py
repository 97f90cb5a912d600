"""What pytest shows of a test that fails in a storm, in an order of tasks, or in a machine."""

from __future__ import annotations

import re

import pytest
from testing_kit import run, section

START = """
    await start_supervised(otp.child(Counter).having(name="counter"))
"""


def test_a_storm_that_a_test_bears_leaves_nothing_behind(pytester: pytest.Pytester) -> None:
    """Timers, gates and the crashes of a storm are no news at the end of the test."""
    outcomes, text = run(
        pytester,
        f"""
@pytest.mark.parametrize("seed", range(5))
async def test_bears(seed, otp_system, start_supervised, virtual_time):
    {START}
    with chaos(otp_system.supervisor, seed=seed, rate=1.0) as storm:
        for _ in range(20):
            try:
                await otp.call("counter", "hello", timeout=None)
            except otp.CallError:
                pass
            await trio.sleep(1)
    assert len(storm.hits) > 5
""",
    )
    assert {"passed": 5} == outcomes, text


def test_a_storm_that_a_test_does_not_bear_is_shown_as_code(pytester: pytest.Pytester) -> None:
    """The note of the error stands below it, ready to be copied into the test."""
    outcomes, text = run(
        pytester,
        f"""
async def test_sinks(otp_system, start_supervised, virtual_time):
    {START}
    with chaos(otp_system.supervisor, seed=1, rate=0.5, actions=["kill", "drop_reply"]):
        while True:
            await trio.sleep(1)
            await otp.call("counter", "hello", timeout=0.5)
""",
    )
    assert {"failed": 1} == outcomes
    shown = re.sub(r"^E +", "E ", section(text, "test_sinks"), flags=re.MULTILINE)
    assert "CallTimeout: 'counter' did not answer within 0.5 s (request 'hello')" in shown
    assert "E chaos(seed=1, rate=0.5); to repeat it write\nE with replay(tree, [\n" in shown
    assert "E Fault(0.289, 'kill', 15),  # <Pid " in shown
    assert "E Fault(1.657, 'drop_reply', 83),  # <Pid " in shown
    assert "E ]):\n" in shown


def test_an_order_that_fails_is_shown_with_its_seed(pytester: pytest.Pytester) -> None:
    """The line that repeats it stands below the error."""
    outcomes, text = run(
        pytester,
        """
async def races():
    done = []
    async def put(number):
        done.append(number)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(put, 1)
        nursery.start_soon(put, 2)
    assert [1, 2] == done

def test_order():
    explore(races, runs=20)

def test_one_order():
    explore(races, seeds=[1])
""",
    )
    assert {"failed": 1, "passed": 1} == outcomes
    shown = section(text, "test_order")
    assert "E       assert [1, 2] == [2, 1]" in shown
    assert (
        "E       explore: failed with seed 0, after 0 of 20 runs that passed; to repeat it write\n"
        "E           explore(races, seeds=[0])"
    ) in shown
    assert "orders.py" not in shown  # the code of the kit is not what is wrong


@pytest.mark.slow
def test_a_state_machine_that_fails_is_shown_as_steps(pytester: pytest.Pytester) -> None:
    """hypothesis shows the fewest steps that fail, crashes among them."""
    outcomes, text = run(
        pytester,
        """
from hypothesis.stateful import rule

class Machine(ServerMachine):
    total = 0

    def child(self):
        return otp.child(Counter).having(name="counter")

    @rule()
    def add(self):
        Counter.at("counter").add("tea")
        self.settle()
        self.total += 1

    @rule()
    def count(self):  # it forgets that a restart begins at zero
        counts = self.run(otp.sys.get_state, "counter").counts
        assert self.total == counts.get("tea", 0)

TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=50, stateful_step_count=10, database=None, derandomize=True, deadline=None
)
""",
    )
    assert {"failed": 1} == outcomes
    steps = [line.split("state.")[1] for line in text.splitlines() if "    state." in line]
    assert steps[0] == "add()"
    assert steps[1] in ("kill_between_calls()", "crash_during_calls(callers=1, kill=False)")
    assert steps[2:] in (["count()", "teardown()"], ["add()", "count()", "teardown()"])
