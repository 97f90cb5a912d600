"""Random operations on real supervision trees, compared step by step with a model.

Each example is a run of its own under a virtual clock. After every operation the words that the
workers wrote, the lists and counts of every supervisor, the names and the restart counts must be
those of the model; when the block is left nothing may be left of the tree.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import trio
from depth import few
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from inside import need_living, runtime
from supervision_kit import Boom, Journal, Worker, leftovers, settle
from supervision_model import BACKOFF, DELAYS, Gone, Model, Node, Plan
from trio.testing import MockClock

import trio_otp as otp

RESTARTS = st.sampled_from(["permanent", "permanent", "transient", "temporary"])
STRATEGIES = st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])
REASONS = st.sampled_from([otp.NORMAL, otp.Shutdown("x"), "crash", otp.KILLED])
MANAGEMENT = ["start_child", "terminate_child", "restart_child", "delete_child"]
A_MOMENT = 1 / 1024  # passes after each operation, so that no two waits are over at one time
worker_plans = st.builds(Plan, restart=RESTARTS, backoff=st.booleans())


def supervisor_plans(children: Any, restart: Any = RESTARTS, fewest: int = 0) -> Any:
    """Return plans of supervisors of such children."""
    plans: Any = st.builds(
        Plan,
        restart=restart,
        children=st.lists(children, min_size=fewest, max_size=3).map(tuple),
        strategy=STRATEGIES,
        max_restarts=st.one_of(st.integers(0, 3), st.none()),
        max_seconds=st.sampled_from([1, 5]),
        backoff=st.booleans(),
    )
    return plans.map(without_what_is_refused)


def without_what_is_refused(plan: Plan) -> Plan:
    """Remove the back-off of the children of a plan where its intensity allows none."""
    if is_allowed(plan):
        return plan
    children = tuple(replace(child, backoff=False) for child in plan.children or ())
    return replace(plan, children=children)


def is_allowed(plan: Plan) -> bool:
    """Check whether a child that fails at each start stays within the intensity: see `DELAYS`."""
    if plan.max_restarts is None:
        return True
    return sum(DELAYS[1 : plan.max_restarts + 1]) >= plan.max_seconds + 1


inner_plans = st.one_of(worker_plans, worker_plans, supervisor_plans(worker_plans))
outer_plans = st.one_of(worker_plans, supervisor_plans(inner_plans))
top_plans = supervisor_plans(outer_plans, st.just("permanent"), fewest=1)


class Op(NamedTuple):
    """Something to do; numbers choose among what is there at the time."""

    kind: str
    which: int = 0
    other: int = 0
    what: Any = None


numbers = st.integers(0, 20)
none: Any = st.none()


def ops(
    kind: Any, which: Any = numbers, other: Any = numbers, what: Any = none
) -> st.SearchStrategy[Op]:
    """Return operations of one or several kinds."""
    kinds = st.just(kind) if isinstance(kind, str) else st.sampled_from(kind)
    return st.tuples(kinds, which, other, what).map(lambda parts: Op(*parts))


times = st.sampled_from([0.5, 1.0, 2.0, 6.0])
operations = st.one_of(
    ops("end", what=REASONS),
    ops("end", what=REASONS),
    ops(["kill supervisor", "stop supervisor"]),
    ops("fail", other=st.integers(1, 4)),
    ops(MANAGEMENT),
    ops("start_child", what=inner_plans),
    ops("tick", what=times),
)


def child_of(tag: str, plan: Plan, journal: Journal) -> otp.Child[Any]:
    """Describe the real child of a plan."""
    if plan.children is None:
        child: otp.Child[Any] = otp.child(Worker, tag, journal)
    else:
        child = otp.child(otp.Supervisor, children_of(tag, plan, journal), **flags_of(plan))
    backoff = BACKOFF if plan.backoff else None
    return child.having(name=tag, restart=plan.restart, backoff=backoff)  # type: ignore[arg-type]


def children_of(tag: str, plan: Plan, journal: Journal) -> list[otp.Child[Any]]:
    """Describe the children of a supervisor of this tag, as the model names them."""
    return [
        child_of(f"{tag}.{number}", child, journal)
        for number, child in enumerate(plan.children or ())
    ]


def flags_of(plan: Plan) -> dict[str, Any]:
    """Return the flags of a supervisor."""
    return {
        "strategy": plan.strategy,
        "max_restarts": plan.max_restarts,
        "max_seconds": plan.max_seconds,
    }


class Machine:
    """Does each operation to the model and to the tree, and compares them."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.model = Model(plan)
        self.journal = Journal()
        self.journal.fail_inits = self.model.fails.copy()
        self.fresh = 0
        self.gone = False  # whether the top supervisor has to give up
        self.ordered = True  # whether the words of the last operation have but one order

    async def run(self, todo: list[Op]) -> None:
        """Run all operations, or until the top supervisor gives up."""
        try:
            async with otp.open_supervisor(
                children_of("top", self.plan, self.journal), name="top", **flags_of(self.plan)
            ) as sup:
                self.model.start(self.model.top)
                await self.compare()
                for op in todo:
                    note(str(op))
                    await self.step(op)
                    if self.gone:
                        await sup.wait()
                    await self.compare()
                self.model.stop(self.model.top)
        except otp.SupervisorExited:
            assert self.gone
        else:
            assert not self.gone
        self.compare_words()
        assert [] == leftovers()

    async def step(self, op: Op) -> None:
        """Do one operation, to the model first, and let a moment pass."""
        if op.kind == "tick":
            await self.tick(op.what)
        elif op.kind == "fail":
            self.fail(op)
        elif op.kind == "end":
            await self.end(op)
        elif op.kind.endswith("supervisor"):
            await self.end_supervisor(op)
        else:
            await self.manage(op)
        if not self.gone:
            await self.compare()
            await self.tick(A_MOMENT)

    async def tick(self, seconds: float) -> None:
        """Advance the time."""
        self.happen(self.model.tick, seconds)
        await trio.sleep(seconds)
        await settle()

    def fail(self, op: Op) -> None:
        """Let the next inits of some worker fail."""
        workers = [node for node in self.model.nodes() if not node.is_supervisor]
        if workers:
            tag = workers[op.which % len(workers)].tag
            self.model.fails[tag] = self.journal.fail_inits[tag] = op.other

    async def end(self, op: Op) -> None:
        """Let a worker crash, be killed, or end quietly."""
        running = self.model.running(supervisors=False)
        if not running:
            return
        node = running[op.which % len(running)]
        reason = Boom() if op.what == "crash" else op.what
        self.happen(self.model.end_worker, node, reason)
        if reason is otp.KILLED:
            otp.exit(node.tag, otp.KILL)
        else:
            otp.cast(node.tag, reason)
        await settle()

    async def end_supervisor(self, op: Op) -> None:
        """Kill or stop a supervisor other than the top one."""
        running = self.model.running(supervisors=True)[1:]
        if not running:
            return
        node = running[op.which % len(running)]
        if op.kind == "kill supervisor":
            # The supervisors beneath it stop theirs side by side, and while it is restarted.
            self.ordered = not any(child.is_supervisor for child in node.children)
            self.happen(self.model.kill_supervisor, node)
            otp.exit(node.tag, otp.KILL)
        else:
            self.happen(self.model.stop_supervisor, node)
            await otp.stop(node.tag)
        await settle()

    def happen(self, event: Any, *args: Any) -> None:
        """Let something happen to the model."""
        try:
            event(*args)
        except Gone:
            self.gone = True

    async def manage(self, op: Op) -> None:
        """Make a management call; both must give the same error, or none."""
        supervisors = self.model.running(supervisors=True)
        parent = supervisors[op.which % len(supervisors)]
        tags = [child.tag for child in parent.children]
        tag = [*tags, "unknown"][op.other % (len(tags) + 1)]
        if op.kind == "start_child":
            await self.start_child(parent, tag, op.what)
            return
        expected = getattr(self.model, op.kind)(parent, tag)
        assert expected is await error_of(getattr(otp, op.kind)(parent.tag, tag))
        await settle()

    async def start_child(self, parent: Node, tag: str, plan: Plan | None) -> None:
        """Start a new child, or one whose id is known."""
        if plan is not None or tag == "unknown":
            self.fresh += 1
            tag = f"new{self.fresh}"
        plan = plan or Plan()
        if not is_allowed(parent.plan):
            plan = replace(plan, backoff=False)
        expected = self.model.start_child(parent, tag, plan)
        child = child_of(tag, plan, self.journal)
        assert expected is await error_of(otp.start_child(parent.tag, child))
        await settle()

    # -- comparison --------------------------------------------------------------------------------

    async def compare(self) -> None:
        """Compare what was written, and all that can be seen."""
        self.compare_words()
        for node in self.model.nodes():
            assert node.running == (otp.whereis(node.tag) is not None), node.tag
            if node.is_supervisor and node.running:
                await self.compare_supervisor(node)
        assert len([n for n in self.model.nodes() if n.running]) == otp.process_count()
        waits = {node.wait for node in self.model.nodes() if node.wait is not None}
        assert len(waits) == runtime().timers.pending()

    def compare_words(self) -> None:
        """Compare what was written since the last time."""
        expected, self.model.words = self.model.words, []
        actual = self.journal.take()
        if not self.ordered:
            expected, actual = sorted(expected), sorted(actual)
        assert expected == actual
        self.ordered = True

    async def compare_supervisor(self, node: Node) -> None:
        """Compare the lists and counts of one supervisor."""
        infos = await otp.which_children(node.tag)
        assert [
            (child.tag, child.state, "supervisor" if child.is_supervisor else "worker")
            for child in node.children
        ] == [(info.id, info.status, info.type) for info in infos]
        now = self.model.now
        assert [child.wait and child.wait.due - now for child in node.children] == [
            info.restart_in for info in infos
        ]
        assert [child.restarts for child in node.children] == [info.restarts for info in infos]
        assert [otp.whereis(c.tag) for c in node.children] == [info.pid for info in infos]
        supervisors = sum(child.is_supervisor for child in node.children)
        total = len(node.children)
        active = sum(child.running for child in node.children)
        counts = otp.Counts(total, active, supervisors, total - supervisors)
        assert counts == await otp.count_children(node.tag)
        intensity = need_living(node.tag).instance.loop.policy.intensity
        assert (node.plan.max_restarts or 0) >= len(intensity._times)


async def error_of(call: Any) -> type[BaseException] | None:
    """Return the class of the error of a call."""
    try:
        await call
    except otp.OtpError as error:
        return type(error)
    return None


def run(main: Any, *args: Any) -> None:
    """Run an example by itself, with a virtual clock and without the log of its many crashes."""
    logging.disable(logging.CRITICAL)
    try:
        trio.run(main, *args, clock=MockClock(autojump_threshold=0))
    finally:
        logging.disable(logging.NOTSET)


def drive(plan: Plan, todo: list[Op]) -> None:
    """Run one example."""
    run(Machine(plan).run, todo)


@settings(max_examples=few(60), suppress_health_check=[HealthCheck.too_slow])
@given(plan=top_plans, todo=st.lists(operations, max_size=12))
def test_a_tree_does_what_the_model_says(plan: Plan, todo: list[Op]) -> None:
    """Starts, stops, restarts and errors are those of the model, whatever happens."""
    drive(plan, todo)


@pytest.mark.slow
@settings(max_examples=1500, suppress_health_check=[HealthCheck.too_slow])
@given(plan=top_plans, todo=st.lists(operations, max_size=40))
def test_a_tree_does_what_the_model_says_at_length(plan: Plan, todo: list[Op]) -> None:
    """The same for longer and more lives."""
    drive(plan, todo)


def all_delayed(plan: Plan) -> Plan:
    """Set a back-off for every child of a tree."""
    limit = plan.max_restarts if is_allowed(plan) else None
    children = None if plan.children is None else tuple(map(all_delayed, plan.children))
    return replace(plan, backoff=True, children=children, max_restarts=limit)


crashes = ops("end", what=st.just("crash"))
waits = st.one_of(
    crashes,
    crashes,
    ops("fail", other=st.integers(1, 2)),
    ops(MANAGEMENT),
    ops("tick", what=times),
)


@settings(max_examples=few(120), suppress_health_check=[HealthCheck.too_slow])
@given(plan=top_plans, todo=st.lists(waits, min_size=4, max_size=16))
def test_a_tree_with_back_off_does_what_the_model_says(plan: Plan, todo: list[Op]) -> None:
    """What waits, with whom, until when, and what a call or another crash makes of it."""
    drive(all_delayed(plan), todo)


# -- dynamic supervisors ---------------------------------------------------------------------------


class Pool:
    """A dynamic supervisor beside its model: a list of children, and when it restarted any."""

    def __init__(self, limit: int | None, max_restarts: int, *, delayed: bool) -> None:
        self.limit = limit
        self.max_restarts = max_restarts
        self.delayed = delayed and sum(DELAYS[1 : max_restarts + 1]) >= 6
        self.journal = Journal()
        self.children: list[tuple[str, str]] = []  # (tag, restart), oldest first
        self.due: dict[str, float] = {}  # of those that wait
        self.well: dict[str, tuple[int, float]] = {}  # failures in a row, and since when it runs
        self.charges: list[int] = []
        self.gone = False  # whether it has to give up
        self.words: list[str] = []
        self.fresh = 0

    async def run(self, todo: list[Op]) -> None:
        """Run all operations, or until it gives up."""
        pool = otp.child(
            otp.DynamicSupervisor,
            max_children=self.limit,
            max_restarts=self.max_restarts,
            backoff=BACKOFF if self.delayed else None,
        ).having(name="pool", restart="temporary")
        async with otp.open_supervisor([pool]):
            for op in todo:
                note(str(op))
                await getattr(self, op.kind)(op)
                await settle()
                await self.tick(Op("tick", what=A_MOMENT))
                if otp.whereis("pool") is None:
                    break
                assert self.words == self.journal
                await self.compare()
            self.stop_all()
            assert self.gone == (otp.whereis("pool") is None)
        assert sorted(self.words) == sorted(self.journal)
        assert [] == leftovers()

    def stop_all(self) -> None:
        """All at once: the order of the words is not that of the children."""
        for tag, _ in self.children:
            if tag not in self.due:
                self.words += [f"-{tag}", f"={tag}"]

    async def start(self, op: Op) -> None:
        """Start a child, if there is room for it."""
        self.fresh += 1
        tag = f"w{self.fresh}"
        child = otp.child(Worker, tag, self.journal).having(name=tag, restart=op.what)
        full = self.limit is not None and len(self.children) >= self.limit
        assert (otp.MaxChildren if full else None) is await error_of(otp.start_child("pool", child))
        if not full:
            self.words.append(f"+{tag}")
            self.children.append((tag, op.what))
            self.well[tag] = (0, trio.current_time())

    async def terminate(self, op: Op) -> None:
        """Terminate a child by its name."""
        if self.children:
            tag, _ = self.children.pop(op.which % len(self.children))
            if self.due.pop(tag, None) is None:
                self.words += [f"-{tag}", f"={tag}"]
            await otp.terminate_child("pool", tag)

    async def end(self, op: Op) -> None:
        """Let a child end; a restarted one is the youngest from then on."""
        running = [child for child in self.children if child[0] not in self.due]
        if not running:
            return
        tag, restart = running[op.which % len(running)]
        reason = Boom() if op.what == "crash" else op.what
        quiet = op.what in (otp.NORMAL, otp.Shutdown("x"))
        if reason is otp.KILLED:
            otp.exit(tag, otp.KILL)
        else:
            otp.cast(tag, reason)
            self.words += [f"-{tag}", f"={tag}"]
        if restart == "temporary" or (restart == "transient" and quiet):
            self.children.remove((tag, restart))
        elif self.delayed:
            self.wait(tag)
        else:
            self.restart((tag, restart), trio.current_time())

    def wait(self, tag: str) -> None:
        """Delay a restart; the child keeps its place meanwhile."""
        now, (failures, since) = trio.current_time(), self.well[tag]
        failures = 0 if now - since >= BACKOFF.reset_after else failures
        self.due[tag] = now + DELAYS[min(failures, len(DELAYS) - 1)]
        self.well[tag] = (failures + 1, since)

    def restart(self, child: tuple[str, str], now: float) -> None:
        """Restart a child: it is the youngest from then on."""
        self.charges.append(int(now))
        self.children.remove(child)
        self.gone = sum(charge >= int(now) - 5 for charge in self.charges) > self.max_restarts
        if not self.gone:
            self.words.append(f"+{child[0]}")
            self.children.append(child)
            self.well[child[0]] = (self.well[child[0]][0], now)

    async def tick(self, op: Op) -> None:
        """Advance the time, and do what becomes due."""
        until = trio.current_time() + op.what
        await trio.sleep(op.what)
        await settle()
        for tag, due in sorted(self.due.items(), key=lambda item: item[1]):
            if due <= until and not self.gone:
                del self.due[tag]
                self.restart(next(child for child in self.children if child[0] == tag), due)

    async def compare(self) -> None:
        """Compare what can be seen."""
        infos = await otp.which_children("pool")
        assert [otp.whereis(tag) for tag, _ in self.children] == [info.pid for info in infos]
        now, total = trio.current_time(), len(self.children)
        assert [tag in self.due and self.due[tag] - now for tag, _ in self.children] == [
            info.restart_in is not None and info.restart_in for info in infos
        ]
        active = total - len(self.due)
        assert otp.Counts(total, active, 0, total) == await otp.count_children("pool")
        assert len(self.due) == runtime().timers.pending()
        for tag, _ in self.children:
            if tag not in self.due:
                assert tag == await otp.call(tag, tag)
        with suppress(otp.ChildNotFound):
            await otp.terminate_child("pool", "unknown")
            raise AssertionError("terminated what is not there")


pool_operations = st.one_of(
    ops("start", what=RESTARTS),
    ops("start", what=RESTARTS),
    ops("terminate"),
    ops("end", what=REASONS),
    ops("tick", what=times),
)


@settings(max_examples=few(80), suppress_health_check=[HealthCheck.too_slow])
@given(
    limit=st.sampled_from([None, 2, 5]),
    max_restarts=st.integers(0, 4),
    delayed=st.booleans(),
    todo=st.lists(pool_operations, max_size=20),
)
def test_a_pool_does_what_its_model_says(
    limit: int | None, max_restarts: int, delayed: bool, todo: list[Op]
) -> None:
    """Room, restarts, waits and stops are those of the model, whatever happens."""
    run(Pool(limit, max_restarts, delayed=delayed).run, todo)
