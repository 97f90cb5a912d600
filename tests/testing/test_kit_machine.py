"""State machines over a real server: they pass when the server is right, and only then."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import trio
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

import trio_otp as otp
from trio_otp.testing import GuestLoop, ServerMachine

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = st.sampled_from("ab")
FAST = settings(max_examples=20, stateful_step_count=12, database=None, derandomize=True)
FINDS = settings(FAST, max_examples=100, phases=[Phase.generate, Phase.shrink], print_blob=False)


@pytest.fixture(autouse=True)
def _without_the_log_of_many_crashes() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Cache(otp.GenServer):
    """A cache whose entries live for ten seconds."""

    def __init__(self) -> None:
        self.data: dict[str, tuple[int, float]] = {}

    @otp.on_call
    def get(self, key: str) -> int | None:
        value, ends = self.data.get(key, (None, 0.0))
        return value if trio.current_time() < ends else None

    @otp.on_cast
    def put(self, key: str, value: int) -> None:
        self.data[key] = (value, trio.current_time() + 10)


class CacheMachine(ServerMachine):
    """The cache beside a dict that is emptied at each restart."""

    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, tuple[int, float]] = {}
        self.restarts = 0

    def child(self) -> Any:
        return otp.child(Cache).having(name="cache")

    def restarted(self) -> None:
        self.model.clear()
        self.restarts += 1

    @rule(key=KEYS, value=st.integers(0, 9))
    def put(self, key: str, value: int) -> None:
        Cache.at(self.pid).put(key, value)
        self.settle()
        self.model[key] = (value, self.loop.clock.current_time() + 10)

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        value, ends = self.model.get(key, (None, 0.0))
        expected = value if self.loop.clock.current_time() < ends else None
        assert expected == self.run(Cache.get, "cache", key)

    @rule(seconds=st.sampled_from([0.5, 4.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.advance(seconds)


def test_a_right_server_passes() -> None:
    """Calls, casts, time and crashes in any order: the model is right all the time."""
    run_state_machine_as_test(CacheMachine, settings=FAST)


def test_a_machine_is_a_test_case_as_well() -> None:
    """`TestCase` is what a test module has of it, as of any machine of hypothesis."""
    case = CacheMachine.TestCase
    case.settings = FAST
    case("runTest").runTest()


class Leaky(Cache):
    """Keeps what it has over a restart, which nobody expects of it."""

    kept: ClassVar[dict[str, tuple[int, float]]] = {}

    def __init__(self) -> None:
        self.data = self.kept


class LeakyMachine(CacheMachine):
    """It has to fail."""

    def __init__(self) -> None:
        super().__init__()
        Leaky.kept.clear()

    def child(self) -> Any:
        return otp.child(Leaky).having(name="cache")


def steps_of(machine: type[ServerMachine]) -> list[str]:
    """Return the smallest steps that make a machine fail, as hypothesis prints them."""
    with pytest.raises(AssertionError) as caught:
        run_state_machine_as_test(machine, settings=FINDS)
    lines = "\n".join(caught.value.__notes__).splitlines()
    return [line for line in lines if line.startswith("state.") and "teardown" not in line]


def test_a_server_that_keeps_too_much_is_found_in_three_steps() -> None:
    """The smallest example is: put something, let it crash, get it."""
    steps = steps_of(LeakyMachine)
    assert "state.put(key='a', value=0)" == steps[0]
    assert steps[1] in (
        "state.kill_between_calls()",
        "state.crash_during_calls(callers=1, kill=False)",
    )
    assert ["state.get(key='a')"] == steps[2:]


# -- crashes ---------------------------------------------------------------------------------------


class Ledger(otp.GenServer):
    """Counts in a place that outlives it."""

    def __init__(self, disk: dict[str, int]) -> None:
        self.disk = disk

    def handle_call(self, request: str, from_: Any) -> Any:
        self.handle_cast(request)
        return otp.Reply(self.disk[request])

    def handle_cast(self, message: str) -> None:
        self.disk[message] = self.disk.get(message, 0) + 1


class LedgerMachine(ServerMachine):
    """What a caller got no answer to is done all the same."""

    requests = KEYS
    lose: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.disk: dict[str, int] = {}
        self.model: dict[str, int] = {}

    def child(self) -> Any:
        return otp.child(Ledger, self.disk)

    def lost(self, request: str) -> None:
        self.model[request] = self.model.get(request, 0) + self.lose

    @rule(key=KEYS)
    def count(self, key: str) -> None:
        self.model[key] = self.model.get(key, 0) + 1
        assert self.model[key] == self.call(key)

    @rule(key=KEYS)
    def count_quietly(self, key: str) -> None:
        self.model[key] = self.model.get(key, 0) + 1
        self.cast(key)

    @invariant()
    def disk_is_the_model(self) -> None:
        assert self.model == self.disk


class ForgetfulMachine(LedgerMachine):
    """A model that takes a lost answer for a request that was not handled."""

    lose = False


def test_a_crash_between_the_handling_and_the_answer() -> None:
    """The request has been handled, which the model is told; one that is not told is wrong."""
    run_state_machine_as_test(LedgerMachine, settings=FAST)
    steps = steps_of(ForgetfulMachine)
    assert "state.crash_before_the_answer(data=data(...))" in steps


class Silent(otp.GenServer, restart="temporary"):
    """Is not started again."""


class SilentMachine(ServerMachine):
    """Fails at the first crash."""

    def child(self) -> Any:
        return Silent


def test_a_server_that_is_not_started_again_is_a_failure() -> None:
    """The text names it."""
    with pytest.raises(AssertionError, match=r"Silent.* has ended and was not restarted"):
        run_state_machine_as_test(SilentMachine, settings=FINDS)


class QuietMachine(ServerMachine):
    """Has no rules of its own."""

    def child(self) -> Any:
        return otp.GenServer


@pytest.mark.parametrize(
    ("at_death", "text"),
    [
        (lambda *_: None, "caller 1 of 1 of the server that crashed waits for ever"),
        (lambda from_, _: from_._answer(5), "caller 1 of 1 of .* that crashed got the answer 5"),
    ],
)
def test_a_caller_that_does_not_learn_of_the_crash_is_a_failure(
    at_death: Any, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Law 2 is checked at each crash: here it is broken, in two ways."""
    monkeypatch.setattr(otp.From, "_server_died", at_death)
    with pytest.raises(AssertionError, match=text):
        run_state_machine_as_test(QuietMachine, settings=FINDS)


class Thorough(otp.GenServer):
    """Takes its time to clean up, or never comes to an end with that."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def terminate(self, reason: object) -> None:
        await trio.sleep(self.seconds)


class ThoroughMachine(QuietMachine):
    """Has a server whose callers learn of a crash a second later."""

    def child(self) -> Any:
        return otp.child(Thorough, 1)


def test_a_server_may_take_its_time_to_clean_up() -> None:
    """Its callers are answered after that, which is soon enough."""
    run_state_machine_as_test(ThoroughMachine, settings=FAST)


def test_a_server_that_does_not_end_is_named_and_is_in_nobodys_way() -> None:
    """It is killed after an hour of virtual time, so that other runs can start."""

    class Endless(QuietMachine):
        def child(self) -> Any:
            return otp.child(Thorough, float("inf")).having(shutdown=None)

    machine = Endless()
    machine.settle()
    with pytest.raises(trio.TooSlowError, match=r"did not end within 3600 s: .*Thorough"):
        machine.teardown()
    GuestLoop().close()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_not_ours_leaves_a_rule_as_it_is(error: type[BaseException]) -> None:
    """It ends the run, and is neither wrapped nor replaced by the news of that."""

    async def leave() -> None:
        raise error

    machine = QuietMachine()
    with pytest.raises(error):
        machine.run(leave)
    machine.teardown()


def test_a_method_that_is_called_inside_of_the_run_is_refused() -> None:
    """The run cannot go on in the middle of itself."""
    machine = QuietMachine()

    async def call() -> None:
        machine.call("x")

    with pytest.raises(RuntimeError, match="called inside of the run, where one can await"):
        machine.run(call)
    machine.teardown()


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_time_that_cannot_pass_is_refused(seconds: float) -> None:
    """That it did not pass would not be noticed."""
    machine = QuietMachine()
    with pytest.raises(ValueError, match="expected a finite number of seconds >= 0"):
        machine.advance(seconds)
    machine.teardown()


# -- starts ----------------------------------------------------------------------------------------


def test_an_error_in_others_is_told() -> None:
    """It is that of the test, not that nothing has started."""

    class Broken(QuietMachine):
        def others(self) -> Any:
            raise ZeroDivisionError

    machine = Broken()
    with pytest.raises(ZeroDivisionError):
        machine.settle()
    machine.teardown()


def test_a_server_whose_start_takes_for_ever_is_named() -> None:
    """An hour of virtual time is enough for any start."""

    class Stuck(otp.GenServer):
        async def init(self) -> None:
            await trio.sleep_forever()

    class StuckMachine(ServerMachine):
        def child(self) -> Any:
            return Stuck

    machine = StuckMachine()
    with pytest.raises(trio.TooSlowError, match=r"Stuck.* did not start within 3600 s"):
        machine.settle()
    machine.teardown()


def test_a_supervisor_is_no_server() -> None:
    """It has no callback that could crash."""

    class SupervisorMachine(ServerMachine):
        def child(self) -> Any:
            return otp.child(otp.Supervisor, [])

    machine = SupervisorMachine()
    with pytest.raises(TypeError, match="expected a server"):
        machine.settle()
    machine.teardown()


class Slow(otp.GenServer):
    """Starts slowly, and needs another server."""

    async def init(self) -> None:
        await trio.sleep(3)
        self.value = await otp.Agent.get("config", int)

    def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.Reply(self.value)


class SlowMachine(ServerMachine):
    """Has another child, and starts that take time."""

    def others(self) -> Any:
        return [otp.child(otp.Agent, lambda: 42).having(name="config")]

    def child(self) -> Any:
        return Slow

    @rule()
    def ask(self) -> None:
        assert self.call("value") == 42

    @rule()
    def look(self) -> None:
        assert "idle" == otp.process_info(self.pid).status
        assert () != otp.process_info(self.pid).stack
        assert "Slow" in otp.tree()


def test_a_start_may_take_time_and_others_may_be_needed() -> None:
    """Rules find the server started; plain code of a rule can look at the processes."""
    run_state_machine_as_test(SlowMachine, settings=FAST)


class Refusing(ServerMachine):
    """Its server does not start."""

    def child(self) -> Any:
        return otp.child(otp.Agent, lambda: 1 / 0)


class NoChild(ServerMachine):
    """Has no server."""


class NoServer(ServerMachine):
    """Has a plain function."""

    def child(self) -> Any:
        return otp.child(trio.sleep_forever)


@pytest.mark.parametrize(
    ("machine", "error", "text"),
    [
        (Refusing, otp.StartError, r"did not start: .*ZeroDivisionError"),
        (NoChild, NotImplementedError, r"NoChild has no server; write def child\(self\): return"),
        (NoServer, TypeError, r"child\(\) returned .*sleep_forever.*; expected a server"),
    ],
)
def test_wrong_machines_are_refused(machine: Any, error: type[Exception], text: str) -> None:
    """What is wrong is said at the first step."""
    with pytest.raises(error, match=text):
        run_state_machine_as_test(machine, settings=FINDS)


async def test_a_machine_is_for_plain_functions() -> None:
    """Inside of a run there can be no other one."""
    with pytest.raises(RuntimeError, match="make it in a plain `def test_"):
        GuestLoop()


# -- the loop --------------------------------------------------------------------------------------


@pytest.fixture
def loop() -> Iterator[GuestLoop]:
    """A loop, closed at the end."""
    with GuestLoop() as guest:
        yield guest


def test_the_loop_stands_still_between_two_calls(loop: GuestLoop) -> None:
    """Time passes only where a function waits for it, or as it is told."""
    done: list[float] = []

    async def every_second() -> None:
        while True:
            await trio.sleep(1)
            done.append(trio.current_time())

    pending = loop.begin(every_second)
    assert [] == done
    loop.advance(2.5)
    assert [1, 2] == done
    assert 2.5 == loop.clock.current_time()
    loop.run(trio.sleep, 1)
    loop.settle()
    assert [1, 2, 3] == done
    assert not pending.done
    with pytest.raises(RuntimeError, match=r"every_second.* is not over"):
        pending.result()


def test_a_result_is_what_the_function_returned_or_raised(loop: GuestLoop) -> None:
    """Both can be had more than once, and hurt nobody else."""

    async def divide(by: int) -> float:
        await trio.sleep(1)
        return 6 / by

    assert 3 == loop.run(divide, 2)
    pending = loop.begin(divide, 0)
    loop.advance(1)
    assert pending.done
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            pending.result()
    assert 6 == loop.run(divide, 1)


def test_a_call_in_the_place_of_its_function_is_refused(loop: GuestLoop) -> None:
    """The error says how it is written; Python does not warn of the call as well."""

    async def server_is_there() -> None:
        await trio.sleep(1)

    for method in (loop.run, loop.begin):
        with pytest.raises(TypeError, match=r"fn=<coro.*: expected an async function; write fn"):
            method(server_is_there())  # type: ignore[operator]


def test_a_function_that_waits_for_ever_is_given_up(loop: GuestLoop) -> None:
    """An hour of virtual time is enough for anything."""
    with pytest.raises(trio.TooSlowError):
        loop.run(trio.sleep_forever)


def test_a_thread_is_not_waited_for_for_ever(
    loop: GuestLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Virtual time does not hurry threads: after a minute the test is told so."""
    leave = threading.Event()
    loop.begin(trio.sleep, 1)
    with monkeypatch.context() as patch:
        patch.setattr("trio_otp.testing.guest_loop.PATIENCE", 0.05)
        with pytest.raises(RuntimeError, match=r"0.05 s of real time were not enough; virtual"):
            loop.run(trio.to_thread.run_sync, leave.wait)
    leave.set()


def test_a_loop_is_closed_after_an_error() -> None:
    """So that the next test can have a run."""
    with pytest.raises(ZeroDivisionError), GuestLoop():
        1 / 0  # noqa: B018
    trio.run(trio.lowlevel.checkpoint)


def test_a_run_that_has_ended_takes_nothing_more() -> None:
    """What ends the run is raised where it is noticed; a closed loop says so."""
    loop = GuestLoop()

    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        loop.run(leave)
    loop.close()
    with pytest.raises(RuntimeError, match="the run has ended"):
        loop.settle()


def test_what_is_no_function_is_refused() -> None:
    """A value in place of the function to be called."""
    with GuestLoop() as loop, pytest.raises(TypeError, match="fn=5: expected an async function"):
        loop.run(5)  # type: ignore[arg-type]  # it is wrong


class CastsFirstMachine(LedgerMachine):
    """Whose requests send something before they call."""

    async def request(self, request: str) -> Any:
        otp.cast(self.pid, "note")
        return await super().request(request)

    @invariant()
    def disk_is_the_model(self) -> None:
        notes = self.disk.pop("note", 0)
        super().disk_is_the_model()
        self.disk.update(note=notes) if notes else None


def test_what_is_sent_before_a_call_whose_answer_is_lost_is_handled() -> None:
    """It is the answer of the call that does not come, and nothing else."""
    run_state_machine_as_test(CastsFirstMachine, settings=FAST)
