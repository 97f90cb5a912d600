"""What is said to be wrong: each rule, on real processes and alone."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import trio
import trio.testing
from observer_kit import LIMIT, Blocked, Server, client_here
from supervision_kit import Reports

import trio_otp as otp
from trio_otp.observer.diagnosis.rules import Sight, Supervised, problems_in
from trio_otp.observer.reading.sampler import Seen
from trio_otp.observer.socket.client import Client as BlockingClient

if TYPE_CHECKING:
    from pathlib import Path

SHOP = [otp.child(Server).having(name="shop"), otp.child(Server).having(name="till")]


async def kinds() -> list[str]:
    found = await otp.observer.problems()
    return [problem.kind for problem in found]


async def test_nothing_is_wrong_with_a_quiet_program(autojump_clock: Any) -> None:
    async with otp.open_supervisor(SHOP):
        await Server.at("shop").ask("till", _set())
        assert [] == await kinds()


async def test_a_handler_that_waits_for_ever_is_one_problem(autojump_clock: Any) -> None:
    """With its line, however many wait for it; and none when it answers."""
    event = trio.Event()
    callers = [otp.child(Server).having(name=f"caller {number}") for number in range(12)]
    async with (
        otp.open_supervisor([*SHOP, *callers]),
        trio.open_nursery() as nursery,
        client_here() as client,
    ):
        for number in range(12):
            asks = Server.at(f"caller {number}", timeout=None).ask
            nursery.start_soon(asks, "till", event)
        await trio.sleep(1.5)
        [problem] = await otp.observer.problems()
        assert ("handler_stuck", "warning") == (problem.kind, problem.severity)
        assert problem.text.startswith("'till' has been in call wait for 1")
        assert "12 processes wait for it; its mailbox has 11" in problem.text
        assert problem.where is not None
        assert problem.where.endswith(" in wait")
        assert (otp.whereis("till"),) == problem.pids
        await trio.sleep(5)
        [shown] = (await client.ask("problems"))["problems"]
        assert ("error", "handler_stuck") == (shown["severity"], shown["kind"])
        assert [{"pid": problem.pids[0]._number, "name": "'till'"}] == shown["pids"]
        event.set()
        await trio.testing.wait_all_tasks_blocked()
        assert [] == (await client.ask("problems"))["problems"]


async def test_callers_that_wait_for_an_answer_that_was_put_off(autojump_clock: Any) -> None:
    """Is told with whom it waits for, who does nothing."""

    class Later(otp.GenServer):
        @otp.on_call_deferred
        def fetch(self, from_: otp.From[int]) -> None:
            self.from_ = from_

    class Asker(otp.GenServer):
        @otp.on_call
        async def go(self) -> int:
            return await Later.at("later", timeout=None).fetch()

    children = [otp.child(Later).having(name="later"), otp.child(Asker).having(name="asker")]
    async with otp.open_supervisor(children), trio.open_nursery() as nursery:
        nursery.start_soon(Asker.at("asker", timeout=None).go)
        await trio.sleep(2)
        [problem] = await otp.observer.problems()
        assert "'asker' waits for 'later', which is idle, for 2" in problem.text
        nursery.cancel_scope.cancel()


async def test_a_circle_over_answers_that_were_put_off(autojump_clock: Any) -> None:
    """No call closes it, so no call is refused: each waits for an answer that was deferred."""

    class Both(otp.GenServer):
        @otp.on_call_deferred
        def fetch(self, from_: otp.From[int]) -> None:
            self.from_ = from_

        @otp.on_call
        async def go(self, other: str) -> int:
            return await Both.at(other, timeout=None).fetch()

    children = [otp.child(Both).having(name=each) for each in "ab"]
    async with otp.open_supervisor(children), trio.open_nursery() as nursery:
        one, two = (Both.at(each, timeout=None) for each in "ab")

        async def begin() -> None:
            nursery.start_soon(one.go, "b")
            await trio.testing.wait_all_tasks_blocked()  # b has put the call off
            nursery.start_soon(two.go, "a")  # a is in its call: it waits in its mailbox

        await begin()
        await trio.sleep(2)
        [problem] = await otp.observer.problems()
        assert ("circle", "error", 2) == (problem.kind, problem.severity, problem.count)
        assert "'a' → 'b' → 'a'" in problem.text or "'b' → 'a' → 'b'" in problem.text
        nursery.cancel_scope.cancel()


async def test_a_mailbox_that_is_full_or_has_an_old_message(autojump_clock: Any) -> None:
    """Of a plain process, which takes none."""

    async def deaf() -> None:
        await trio.sleep_forever()

    class Bounded(otp.GenServer, mailbox=otp.BoundedMailbox(2, on_full="drop_newest")):
        @otp.on_cast
        async def wait(self, event: trio.Event) -> None:
            await event.wait()

    event = trio.Event()
    children = [otp.child(deaf).having(name="deaf"), otp.child(Bounded).having(name="bounded")]
    async with otp.open_supervisor(children):
        otp.send("deaf", "hello")
        assert [] == await kinds()
        await trio.sleep(6)
        client = Bounded.at("bounded")
        for _ in range(5):
            client.wait(event)
            await trio.testing.wait_all_tasks_blocked()
        found = {problem.kind: problem for problem in await otp.observer.problems()}
        assert {"mailbox_full"} == found.keys()  # it was first seen just now: it is not old yet
        assert "the mailbox of 'bounded' is full: 2 messages" == found["mailbox_full"].text
        event.set()
    async with otp.open_supervisor(children), client_here() as viewer:
        otp.send("deaf", "hello")
        number = await viewer.say("problems", every=1.0)
        with trio.fail_after(10):
            while not (found := (await viewer.answer(number))["result"]["problems"]):
                pass
        assert "message_old" == found[0]["kind"]
        assert found[0]["text"].startswith("a message for 'deaf', the oldest since 6.")


async def test_one_message_sent_again_and_again_is_not_old(autojump_clock: Any) -> None:
    """A plain process counts nothing, and the oldest is the same object; but some are taken."""

    async def plain() -> None:
        while True:
            await trio.sleep(1)
            for _ in range(3):
                await otp.receive()

    async def tick() -> None:
        await trio.sleep(0.5)  # so that the queue is seen to become shorter
        while True:
            for _ in range(3):
                otp.send("plain", "tick")
            await trio.sleep(1)

    async with (
        otp.open_supervisor([otp.child(plain).having(name="plain")]),
        trio.open_nursery() as nursery,
        client_here() as viewer,
    ):
        for _ in range(20):
            otp.send("plain", "tick")
        nursery.start_soon(tick)
        number = await viewer.say("problems", every=0.3)
        until = trio.current_time() + 20
        while trio.current_time() < until:
            assert [] == (await viewer.answer(number))["result"]["problems"]
        nursery.cancel_scope.cancel()


async def test_a_mailbox_that_grows(autojump_clock: Any) -> None:
    """In three samples, and above some length."""
    event = trio.Event()
    async with (
        otp.open_supervisor(SHOP),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(Server.at("shop", timeout=None).wait, event)

        async def flood() -> None:
            while True:
                for number in range(10):
                    Server.note("shop", number)
                await trio.sleep(0.1)

        nursery.start_soon(flood)
        await trio.sleep(0.3)
        [problem] = await otp.observer.problems()
        assert "mailbox_growing" == problem.kind
        assert problem.text.startswith("the mailbox of 'shop' grows: ")
        nursery.cancel_scope.cancel()


async def test_restarts_and_their_limit(autojump_clock: Any) -> None:
    """A child that ends again and again, and the supervisor that has one restart left, or none."""
    async with otp.open_supervisor(SHOP, name="top", max_restarts=3, max_seconds=60):

        async def end(times: int) -> list[tuple[str, str]]:
            for _ in range(times):
                otp.exit("shop", ValueError("burnt"))
                await trio.testing.wait_all_tasks_blocked()
            found = await otp.observer.problems()
            return [(problem.kind, problem.text) for problem in found]

        assert [] == await end(1)
        limit = "2 of 3 restarts in 60 s"
        assert [("restart_limit", f"'top' has one restart left: {limit}")] == await end(1)
        loop = "child 'shop' of 'top' has ended 3 times in 10 s: ValueError: burnt"
        last = "'top' gives up at the next end of a child: 3 of 3 restarts in 60 s"
        assert [("restart_loop", loop), ("restart_limit", last)] == await end(1)
        await trio.sleep(11)
        assert [("restart_limit", last)] == await end(0)
        await trio.sleep(61)
        assert [] == await end(0)


async def test_children_that_do_not_come_back_are_no_restart_loop(autojump_clock: Any) -> None:
    """Each has ended once, as connections and tasks do, though they have one id."""
    child = otp.child(Server).having(restart="temporary")
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="many")]):
        for _ in range(5):
            pid = await otp.start_child("many", child)
            otp.exit(pid, ValueError("burnt"))
            await trio.testing.wait_all_tasks_blocked()
        assert 5 == len(otp.process_info("many").history)
        assert () == await otp.observer.problems()


async def test_calls_without_an_answer_and_messages_to_nobody(autojump_clock: Any) -> None:
    """For a minute after the last one."""
    event = trio.Event()
    async with otp.open_supervisor(SHOP), client_here() as client:
        for _ in range(2):
            with suppress(otp.CallTimeout):
                await Server.at("shop", timeout=0.5).wait(event)
        event.set()
        await trio.testing.wait_all_tasks_blocked()
        [problem] = await otp.observer.problems()
        assert ("call_timeouts", 2) == (problem.kind, problem.count)
        assert problem.text.startswith("2 calls to 'shop' got no answer in time, the last 0.")
        await trio.sleep(61)
        assert [] == (await client.ask("problems"))["problems"]


async def test_calls_to_one_name_are_one_problem(autojump_clock: Any) -> None:
    """However often its process was started again meanwhile; without a name each is its own."""
    nameless = [otp.child(Server).having(id=number) for number in range(2)]

    async def give_up(ref: Any) -> None:
        with suppress(otp.CallTimeout):
            await Server.at(ref, timeout=0.5).wait(trio.Event())
        otp.exit(ref, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

    async with otp.open_supervisor([*SHOP, *nameless], max_restarts=99) as sup:
        for ref in ("shop", "shop", "shop", *(await pids_of(sup, 0, 1))):
            await give_up(ref)
        found = [each for each in await otp.observer.problems() if each.kind == "call_timeouts"]
        assert [3, 1, 1] == [problem.count for problem in found]
        assert found[0].text.startswith("3 calls to 'shop' got no answer in time")


async def pids_of(sup: otp.Ref, *ids: object) -> list[otp.Pid[Any]]:
    return [each.pid for each in await otp.which_children(sup) if each.pid and each.id in ids]


async def test_dropped_messages_are_told_by_who_has_listened() -> None:
    """By whom they were sent to, and why."""
    async with otp.open_supervisor(SHOP), trio.open_nursery() as nursery:
        seen = await otp.observer.serve(nursery=nursery, port=None)
        gone = otp.whereis("shop")
        assert gone is not None
        otp.exit(gone, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(2):
            otp.send(gone, "hello")
        [problem] = await otp.observer.problems()
        assert ("messages_dropped", 2) == (problem.kind, problem.count)
        assert f"2 messages to {gone!r} dropped" in problem.text
        await otp.stop(seen.pid)
        nursery.cancel_scope.cancel()


async def test_a_child_that_does_not_die(autojump_clock: Any) -> None:
    """With the line where it sits."""

    async def stubborn() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(100)

    notices = Reports("notice")
    async with otp.open_supervisor([otp.child(stubborn).having(name="mule")]):
        otp.exit("mule", otp.KILL)
        await trio.sleep(2)
        assert 1 == len(notices)
        [problem] = await otp.observer.problems()
        assert ("child_stuck", "error") == (problem.kind, problem.severity)
        assert problem.where is not None
        assert problem.where.endswith(" in stubborn")
        await trio.sleep(100)


async def test_a_loop_that_is_stuck_is_the_one_problem() -> None:
    """Whatever waits behind it: its time counts for nobody else."""
    told = threading.Event()
    heard: list[Any] = []

    def ask(path: Path) -> None:
        try:
            with BlockingClient(path, os.geteuid(), LIMIT) as client:
                for answer in client.answers("problems", every=0.25):
                    heard.append(answer.result["problems"])
                    if answer.loop is not None and answer.loop["stuck"] > 1.2:
                        told.set()
                    if told.is_set() and not answer.result["problems"]:
                        return
        finally:
            told.set()

    children = [otp.child(Blocked, told).having(name="b"), *SHOP]
    async with otp.open_supervisor(children), trio.open_nursery() as nursery:
        seen = await otp.observer.serve(nursery=nursery, port=None)
        event = trio.Event()
        nursery.start_soon(Server.at("shop", timeout=None).ask, "till", event)
        await trio.testing.wait_all_tasks_blocked()
        assert seen.socket is not None
        thread = threading.Thread(target=ask, args=[seen.socket], daemon=True)
        thread.start()
        assert await Blocked.hold("b")
        event.set()
        await trio.to_thread.run_sync(thread.join, LIMIT)
        assert not thread.is_alive()
        nursery.cancel_scope.cancel()
    stuck = [found for found in heard if any(each["kind"] == "loop_stuck" for each in found)]
    assert stuck
    [problem] = stuck[-1]
    assert "the loop has not answered for 1." in problem["text"]
    assert "'b', handling `hold()`" in problem["text"]
    assert problem["where"].endswith(" in hold")
    assert [] == heard[-1]


def _set() -> trio.Event:
    event = trio.Event()
    event.set()
    return event


# -- pure ------------------------------------------------------------------------------------------


class FakePid:
    def __init__(self, number: int) -> None:
        self._number = number


def seen(number: int, **given: Any) -> Any:
    one = Seen(FakePid(number))  # type: ignore[arg-type]  # rules only hand it on
    one.shown = f"'{number}'"
    one.status = "handling" if "seconds" in given else "idle"
    for name, value in given.items():
        setattr(one, name, value)
    return one


def look(*table: Any, **given: Any) -> list[tuple[str, str]]:
    sight = Sight({each.number: each for each in table}, 100.0, **given)
    return [(problem.kind, problem.severity) for problem in problems_in(sight)]


def test_a_handler_is_slow_then_stuck() -> None:
    assert [] == look(seen(1, seconds=1.0))
    assert [("handler_stuck", "warning")] == look(seen(1, seconds=1.1))
    assert [("handler_stuck", "error")] == look(seen(1, seconds=5.1))


def test_what_a_cause_explains_is_not_told() -> None:
    """A chain of waits ends at one; its mailbox is told with it."""
    chain = [seen(1, seconds=9.0, waits_for=2), seen(2, seconds=9.0, waits_for=3)]
    last = seen(3, seconds=9.0, queue=5, oldest=9.0)
    assert [("handler_stuck", "error")] == look(*chain, last)
    assert [("message_old", "warning")] == look(seen(3, queue=5, oldest=5.1))


def test_a_circle_is_told_once() -> None:
    ring = [seen(n, seconds=9.0, waits_for=n % 3 + 1) for n in (1, 2, 3)]
    tail = seen(4, seconds=9.0, waits_for=1)
    assert [("circle", "error")] == look(*ring, tail)
    assert [("circle", "error")] == look(
        seen(1, seconds=9.0, waits_for=2), seen(2, seconds=9.0), deferred={2: 1}
    )
    young = [seen(1, seconds=0.5, waits_for=2), seen(2, seconds=9.0, waits_for=1)]
    assert "circle" not in dict(look(*young))


def test_the_time_of_a_stuck_loop_counts_for_nobody_else() -> None:
    loop = {"stuck": 4.0, "where": "a.py:1 in f", "task": "t", "pid": 1, "doing": None}
    others = [seen(1, seconds=4.5), seen(2, seconds=4.5), seen(3, queue=3, oldest=8.0)]
    assert [("loop_stuck", "error")] == look(*others, loop=loop)
    assert ("handler_stuck", "warning") in look(seen(2, seconds=5.5), loop=loop)


def test_growing_needs_samples_and_some_length() -> None:
    assert [] == look(seen(1, queue=19, rising=5))
    assert [] == look(seen(1, queue=20, rising=1))
    assert [("mailbox_growing", "warning")] == look(seen(1, queue=20, rising=2))
    assert [("mailbox_full", "warning")] == look(seen(1, queue=20, rising=2, full=True))


def test_a_supervisor_without_limit_gives_up_never() -> None:
    from trio_otp.observer.reading.budget import Budget

    def limits(used: int, limit: int | None) -> list[tuple[str, str]]:
        return look(seen(1), supervisors=[Supervised(1, Budget(used, limit, 5), [])])

    assert [] == limits(9, None) == limits(0, 0) == limits(0, 1) == limits(1, 3)
    assert [("restart_limit", "error")] == limits(1, 1)
    assert [("restart_limit", "warning")] == limits(2, 3)


def test_a_killed_process_is_stuck_after_three_samples() -> None:
    assert [] == look(seen(1, killed=2))
    assert [("child_stuck", "error")] == look(seen(1, killed=3))


def test_what_has_ended_meanwhile_is_no_problem() -> None:
    """Whom somebody waits for, a supervisor; and what is long ago."""
    from trio_otp.observer.reading.budget import Budget
    from trio_otp.observer.reading.records import Drop

    [(kind, _)] = look(seen(1, seconds=9.0, waits_for=99))
    assert "handler_stuck" == kind
    gone = Supervised(99, Budget(3, 3, 5), [])
    starting = Supervised(1, None, [(1.0, "a", "bad")])
    old = Drop("somebody", None)
    assert [] == look(seen(1), supervisors=[gone, starting], drops=[old])
    assert [] == look(seen(1), timed_out=[(1.0, FakePid(1))])
