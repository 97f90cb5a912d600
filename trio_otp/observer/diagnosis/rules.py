"""What is wrong with a program: the rules, which page, command and `otp.observer.problems` share.

Pure: what has been seen goes in, problems come out. A rule speaks of a cause once: who waits for a
server that is stuck is counted with it, and what waits behind a stuck loop is not told at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from ..._process.doing import seconds_text
from ..._util.bounded import bounded
from ..._util.public import public_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..._process.pid import Pid
    from ..reading.budget import Budget
    from ..reading.records import Drop
    from ..reading.sampler import Seen

BUSY: Final = 1.0  # seconds in one message; it is a warning
STUCK: Final = 5.0  # seconds in one message; it is an error
OLD: Final = 5.0  # seconds that a message waits
RISES: Final = 2  # times that a mailbox has grown from one sample to the next
MANY: Final = 20  # messages of a mailbox that may grow
RECENT: Final = 60.0  # seconds for which time-outs and drops are told
LOOP: Final = 10.0  # seconds in which a child that ends again and again does so
ENDS: Final = 3  # times
KILLED: Final = 3  # samples that a killed process is in

Kind = Literal[
    "loop_stuck",
    "circle",
    "handler_stuck",
    "mailbox_growing",
    "mailbox_full",
    "message_old",
    "restart_loop",
    "restart_limit",
    "call_timeouts",
    "messages_dropped",
    "child_stuck",
]


@public_in("observer")
@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Args:
        kind: `loop_stuck`, `circle`, `handler_stuck`, `mailbox_growing`, `mailbox_full`,
            `message_old`, `restart_loop`, `restart_limit`, `call_timeouts`, `messages_dropped` or
            `child_stuck`.
        severity: `error`, or `warning` for what may pass.
        text: what it is, for people.
        pids: whom it is about.
        seconds: since when, if that is known.
        count: how many messages, calls, ends or processes it is about.
        where: `file:line in function`, if that is known.
    """

    kind: Kind
    severity: Literal["error", "warning"]
    text: str
    pids: tuple[Pid, ...] = ()
    seconds: float | None = None
    count: int | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Supervised:
    """A supervisor: how much it has used, and `(seconds ago, child id, reason)` of ends."""

    number: int
    budget: Budget | None
    ends: list[tuple[float, str, str]]


def _nowhere(_: int) -> str | None:
    return None


def _nothing(_: int) -> str:
    return "a message"


@dataclass(frozen=True, slots=True)
class Sight:
    """What has been seen.

    Args:
        table: all processes, by number.
        now: seconds of the clock of the run.
        loop: what holds the loop, if it is stuck.
        deferred: {process whose call was put off by its server: that server}.
        supervisors: all of them.
        drops: the messages that were dropped.
        timed_out: `(seconds of the clock, pid of the server)` of calls.
        place: gives where a process waits.
        doing: names what it has in hand.
    """

    table: Mapping[int, Seen]
    now: float
    loop: dict[str, Any] | None = None
    deferred: Mapping[int, int] = field(default_factory=dict[int, int])
    supervisors: list[Supervised] = field(default_factory=list[Supervised])
    drops: list[Drop] = field(default_factory=list["Drop"])
    timed_out: list[tuple[float, Pid]] = field(default_factory=list[tuple[float, "Pid"]])
    place: Callable[[int], str | None] = _nowhere
    doing: Callable[[int], str] = _nothing


def problems_in(sight: Sight) -> list[Problem]:
    """Return what is wrong, errors first."""
    found = list(_Rules(sight).all())
    return sorted(found, key=lambda problem: problem.severity)


def _messages(count: int) -> str:
    return "a message" if count == 1 else f"{count} messages"


class _Rules:
    def __init__(self, sight: Sight) -> None:
        self._sight = sight
        self._table = sight.table
        # Nothing goes on while the loop is stuck, so that time counts for nobody else.
        self._lost: float = 0.0 if sight.loop is None else sight.loop["stuck"]
        self._told: set[int] = set()  # whose mailboxes are told of with what they do

    def all(self) -> Iterator[Problem]:
        """Yield what each rule finds; a cause comes before what follows from it."""
        yield from self._loop()
        yield from self._circles()
        yield from self._handlers()
        yield from self._mailboxes()
        yield from self._supervisors()
        yield from self._timeouts()
        yield from self._drops()
        yield from self._children()

    def _loop(self) -> Iterator[Problem]:
        loop = self._sight.loop
        if loop is None:
            return
        seen = self._table.get(loop["pid"] or 0)
        who = f"task {loop['task']}" if seen is None else seen.shown
        doing = f", {loop['doing']}" if loop.get("doing") else ""
        text = f"the loop has not answered for {seconds_text(loop['stuck'])}: {who}{doing}"
        pids = () if seen is None else (seen.pid,)
        if seen is not None:
            self._told.add(seen.number)
        yield Problem("loop_stuck", "error", text, pids, loop["stuck"], where=loop["where"])

    # -- who waits for whom ------------------------------------------------------------------------

    def _next(self, number: int) -> int:
        """Return whom a process waits for, also if its call was put off; 0 for nobody."""
        seen = self._table.get(number)
        if seen is None:
            return 0
        waits_for: int = seen.waits_for or self._sight.deferred.get(number, 0)
        return waits_for

    def _circles(self) -> Iterator[Problem]:
        known: set[int] = set()
        for number in self._table:
            way: dict[int, None] = {}
            while number and number not in known:
                known.add(number)
                way[number] = None
                number = self._next(number)  # noqa: PLW2901 - a walk from there
            if number in way:
                members = list(way)[list(way).index(number) :]
                if all(self._has_waited(each) for each in members):
                    yield self._circle(members)

    def _has_waited(self, number: int) -> bool:
        """Check whether a process waits for longer than a stop takes that closes a circle."""
        seconds = self._table[number].seconds
        return seconds is None or seconds - self._lost > BUSY

    def _circle(self, members: list[int]) -> Problem:
        self._told.update(members)
        seen = [self._table[number] for number in members]
        names = " → ".join(each.shown for each in (*seen, seen[0]))
        seconds = min((each.seconds for each in seen if each.seconds is not None), default=None)
        pids = tuple(each.pid for each in seen)
        text = f"they wait for each other: {names}"
        where = self._sight.place(members[0])
        return Problem("circle", "error", text, pids, seconds, len(seen), where)

    def _handlers(self) -> Iterator[Problem]:
        """Tell of those that nobody else keeps waiting, with how many wait for them."""
        slow = {n: s for n, seen in self._table.items() if (s := self._busy(seen)) > BUSY}
        causes: dict[int, list[int]] = {}
        for number in slow:
            causes.setdefault(self._cause(number), []).append(number)
        for cause, numbers in causes.items():
            if cause in self._told:
                self._told.update(numbers)
            elif cause in slow:
                self._told.update(numbers)
                yield self._handler(cause, slow[cause], len(numbers) - 1)
            else:
                yield self._waiting(cause, numbers, max(slow[number] for number in numbers))

    def _busy(self, seen: Seen) -> float:
        return 0.0 if seen.seconds is None else seen.seconds - self._lost

    def _cause(self, number: int) -> int:
        """Return who is at the end of a chain of waits."""
        walked: set[int] = set()
        while (after := self._next(number)) in self._table and number not in walked:
            walked.add(number)
            number = after
        return number

    def _handler(self, number: int, seconds: float, waiting: int) -> Problem:
        seen = self._table[number]
        text = f"{seen.shown} has been in {self._sight.doing(number)} for {seconds_text(seconds)}"
        others = [f"{waiting} processes wait for it"] if waiting > 1 else []
        others += ["another process waits for it"] if waiting == 1 else []
        others += [f"its mailbox has {seen.queue}"] if seen.queue else []
        text = "; ".join([text, *others])
        severity: Any = "error" if seconds > STUCK else "warning"
        place = self._sight.place(number)
        return Problem("handler_stuck", severity, text, (seen.pid,), seconds, 1 + waiting, place)

    def _waiting(self, cause: int, numbers: list[int], seconds: float) -> Problem:
        """Tell of those that wait for one that has put them off, or is no server."""
        first, last = self._table[numbers[0]], self._table.get(cause)
        self._told.update(numbers)
        many = f"{len(numbers)} processes wait" if len(numbers) > 1 else f"{first.shown} waits"
        whom = "somebody" if last is None else f"{last.shown}, which is {last.status},"
        text = f"{many} for {whom} for {seconds_text(seconds)}"
        pids = tuple(self._table[number].pid for number in numbers[:5])
        pids += () if last is None else (last.pid,)
        severity: Any = "error" if seconds > STUCK else "warning"
        where = self._sight.place(numbers[0])
        return Problem("handler_stuck", severity, text, pids, seconds, len(numbers), where)

    # -- mailboxes ---------------------------------------------------------------------------------

    def _mailboxes(self) -> Iterator[Problem]:
        for seen in self._table.values():
            if not seen.queue or seen.number in self._told:
                continue
            age = (seen.oldest or 0.0) - self._lost
            pids, held = (seen.pid,), _messages(seen.queue)
            if seen.full:
                text = f"the mailbox of {seen.shown} is full: {held}"
                yield Problem("mailbox_full", "warning", text, pids, age, seen.queue)
            elif age > OLD:
                text = f"{held} for {seen.shown}, the oldest since {seconds_text(age)}"
                yield Problem("message_old", "warning", text, pids, age, seen.queue)
            elif seen.rising >= RISES and seen.queue >= MANY and not self._lost:
                text = f"the mailbox of {seen.shown} grows: {held}"
                yield Problem("mailbox_growing", "warning", text, pids, age, seen.queue)

    # -- supervisors and ends ----------------------------------------------------------------------

    def _supervisors(self) -> Iterator[Problem]:
        for each in self._sight.supervisors:
            seen = self._table.get(each.number)
            if seen is not None:
                yield from self._restarts(seen, each.ends)
                if each.budget is not None:
                    yield from self._limit(seen, each.budget)

    def _restarts(self, seen: Seen, ends: list[tuple[float, str, str]]) -> Iterator[Problem]:
        recent: dict[str, list[str]] = {}
        for ago, child, reason in ends:
            if ago <= LOOP:
                recent.setdefault(child, []).append(reason)
        for child, reasons in recent.items():
            if len(reasons) >= ENDS:
                often = f"{len(reasons)} times in {LOOP:g} s"
                text = f"child {child} of {seen.shown} has ended {often}: {reasons[-1]}"
                yield Problem("restart_loop", "error", text, (seen.pid,), count=len(reasons))

    def _limit(self, seen: Seen, budget: Budget) -> Iterator[Problem]:
        used, limit, seconds = budget
        if limit is None or not used or used < limit - 1:
            return
        so_far = f"{used} of {limit} restarts in {seconds:g} s"
        if used >= limit:
            text = f"{seen.shown} gives up at the next end of a child: {so_far}"
            yield Problem("restart_limit", "error", text, (seen.pid,), count=used)
        else:
            text = f"{seen.shown} has one restart left: {so_far}"
            yield Problem("restart_limit", "warning", text, (seen.pid,), count=used)

    def _timeouts(self) -> Iterator[Problem]:
        # Those of one name are one problem, however often its process was started again.
        found: dict[object, list[tuple[float, Pid]]] = {}
        for at, pid in self._sight.timed_out:
            if self._sight.now - at <= RECENT:
                whose = pid if pid._name is None else pid._name
                found.setdefault(whose, []).append((self._sight.now - at, pid))
        for whose, calls in found.items():
            ago, pid = calls[-1]
            count = f"{len(calls)} calls" if len(calls) > 1 else "a call"
            seen = self._table.get(pid._number)
            who = bounded(whose) if seen is None else seen.shown
            text = f"{count} to {who} got no answer in time, the last {seconds_text(ago)} ago"
            yield Problem("call_timeouts", "warning", text, (pid,), ago, len(calls))

    def _drops(self) -> Iterator[Problem]:
        for drop in self._sight.drops:
            ago = self._sight.now - drop.at
            if ago > RECENT:
                continue
            messages = _messages(drop.count)
            seen = self._table.get(drop.number or 0)
            text = f"{messages} to {drop.who} dropped, the last {seconds_text(ago)} ago: {drop.why}"
            pids = () if seen is None else (seen.pid,)
            yield Problem("messages_dropped", "warning", text, pids, ago, drop.count)

    def _children(self) -> Iterator[Problem]:
        for seen in self._table.values():
            if seen.killed >= KILLED:
                text = f"{seen.shown} was killed and does not end"
                where = self._sight.place(seen.number)
                yield Problem("child_stuck", "error", text, (seen.pid,), where=where)
