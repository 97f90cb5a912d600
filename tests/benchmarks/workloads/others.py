"""What stands on servers: supervision, tasks, state machines, registries."""

from __future__ import annotations

import functools

from ..floors import others as floors
from ..lanes import Race, Sizes, floor, growing, ours
from ..measure import Measure
from ..ours import calls, supervision, work
from ..ours.servers import Plain

AT_A_TIME = 8

RESTART = Race(
    name="restart",
    title="from the crash to the restarted server",
    what="restarts",
    measure=Measure.RATE,
    sizes=Sizes(full=300, quick=50),
    lanes=(
        floor("loop", "a loop that runs it again", floors.run_again),
        floor("crash+start", "a new task, handshake", floors.crash_and_start),
        ours("one", "one_for_one", supervision.restart),
    ),
)
ONE_FOR_ALL = Race(
    name="one_for_all",
    title="one_for_all with 100 children",
    what="children restarted",
    measure=Measure.RATE,
    sizes=Sizes(full=100, quick=100),
    lanes=(ours("all", "one_for_all", supervision.one_for_all),),
)
TASK = Race(
    name="task",
    title="task, started and awaited",
    what="tasks",
    measure=Measure.RATE,
    sizes=Sizes(full=2000, quick=500),
    lanes=(
        floor("start_soon", "start_soon + reschedule", floors.task_and_result),
        ours("task", "await start_async", work.tasks),
    ),
)
STREAM = Race(
    name="stream",
    title="async_stream, 8 at a time",
    what="items",
    measure=Measure.RATE,
    sizes=Sizes(full=10_000, quick=1000, rounds=7),
    lanes=(
        floor(
            "task each",
            "8 tasks at a time",
            functools.partial(floors.task_for_each, at_a_time=AT_A_TIME),
        ),
        ours("stream", "async_stream", work.stream, AT_A_TIME),
    ),
)
STATEM = Race(
    name="statem",
    title="events of a state machine",
    what="events",
    measure=Measure.RATE,
    sizes=Sizes(full=3000, quick=1000),
    lanes=(
        floor("match", "match statement", floors.match_statement),
        ours("calls", "GenStatem, calls", work.statem_calls),
        ours("server", "GenServer, calls", calls.plain, Plain),
        ours("casts", "GenStatem, casts", work.statem_casts),
        ours("engine", "its engine alone", work.statem_engine),
    ),
)
REGISTER = Race(
    name="register",
    title="Registry, register",
    what="keys",
    measure=Measure.RATE,
    sizes=Sizes(full=3000, quick=1000),
    lanes=(
        floor("dict", "dict", floors.dict_insert),
        ours("register", "REG.register", work.register),
    ),
)
LOOKUP = Race(
    name="lookup",
    title="Registry, lookup",
    what="lookups",
    measure=Measure.RATE,
    sizes=Sizes(full=3000, quick=1000),
    lanes=(
        floor("dict", "dict", floors.dict_lookup),
        ours("lookup", "REG.lookup", work.lookup),
    ),
)
DISPATCH = Race(
    name="dispatch",
    title="Registry, dispatch to 1,000",
    what="messages",
    measure=Measure.RATE,
    sizes=Sizes(full=1000, quick=1000, quick_rounds=3),
    lanes=(
        floor("send each", "send_nowait", floors.send_to_all),
        ours("dispatch", "REG.send", work.dispatch),
    ),
)
GROWTH = tuple(
    Race(
        name=f"growth.{name}",
        title=f"growth of {name}: n of n, 2n, 4n and 8n",
        what=what,
        measure=Measure.RATE,
        sizes=Sizes(full=full, quick=quick, rounds=5, quick_rounds=2),
        lanes=growing(work),
        grows=True,
    )
    for name, what, full, quick, work in (
        ("stop", "stops", 250, 50, supervision.stop_each),
        ("restart", "restarts", 100, 20, supervision.restart_each),
        ("lookup", "lookups", 1000, 500, work.lookup),
        # a few hundred processes fit into the caches of a processor, and more do not
        ("dispatch", "messages", 1000, 100, work.dispatch),
    )
)
RACES = (
    RESTART,
    ONE_FOR_ALL,
    TASK,
    STREAM,
    STATEM,
    REGISTER,
    LOOKUP,
    DISPATCH,
    *GROWTH,
)
