"""The core of a pool, without Trio: which client gets which worker, when workers start and end."""

from __future__ import annotations

import math
from typing import Any

from inside import End, Lend, PoolCore, PoolLimits, PoolStart, PoolState, Watch

import trio_otp as otp


def new_core(size: int = 2, overflow: int = 1, idle: float = 60.0) -> PoolCore:
    """Make a core whose delays are 1, 2, 4, ... seconds."""
    backoff = otp.Backoff(min_delay=1.0, max_delay=100.0, jitter=0, reset_after=1000.0)
    limits = PoolLimits(size, overflow, idle, backoff)
    return PoolCore(limits, lambda: 0.5)


def with_workers(count: int, **options: Any) -> PoolCore:
    """Make a core of which so many workers have started and are lent to the clients 1, 2, ..."""
    core = new_core(**options)
    for number in range(1, count + 1):
        assert [PoolStart(number)] == core.ask(number, 0.0)
        assert [Lend(number, number)] == core.started(number, 0.0)
    return core


def test_nothing_starts_before_somebody_asks() -> None:
    """A pool begins empty."""
    core = new_core()

    assert [] == core.tick(1000.0)
    assert math.inf == core.next_time()


def test_callers_are_served_in_the_order_in_which_they_asked() -> None:
    """Whichever worker that is."""
    core = with_workers(3)
    assert [] == core.ask("a", 0.0) == core.ask("b", 0.0)

    assert [Lend(2, "a")] == core.give_back(2, 1.0, busy=False)
    assert [Lend(1, "b")] == core.give_back(1, 1.0, busy=False)


def test_one_that_was_lent_in_vain_keeps_its_turn() -> None:
    """It comes before those who wait already."""
    core = with_workers(3)
    core.ask("a", 0.0)
    core.ask("b", 0.0, first=True)

    assert [Lend(2, "b")] == core.give_back(2, 1.0, busy=False)


def test_a_worker_is_started_for_each_that_waits_up_to_the_most() -> None:
    """Not one more, and none while those that start will do."""
    core = new_core(size=2, overflow=1)

    assert [PoolStart(1)] == core.ask("a", 0.0)
    core.leave("a")
    assert [] == core.ask("b", 0.0), "the one that starts will do"
    assert [PoolStart(2)] == core.ask("c", 0.0)
    assert [PoolStart(3)] == core.ask("d", 0.0)
    assert [] == core.ask("e", 0.0)


def test_a_start_that_nobody_waits_for_any_more_is_kept() -> None:
    """The worker is idle then."""
    core = new_core()
    core.ask("a", 0.0)
    core.leave("a")

    assert [] == core.started(1, 0.0)
    assert [Lend(1, "b")] == core.ask("b", 0.0)


def test_the_one_used_last_is_lent_first() -> None:
    """So that the others grow old."""
    core = with_workers(2)
    core.give_back(2, 0.0, busy=False)
    core.give_back(1, 1.0, busy=False)

    assert [Lend(1, "a")] == core.ask("a", 2.0)
    assert [Lend(2, "b")] == core.ask("b", 2.0)


def test_overflow_ends_when_it_is_idle() -> None:
    """Those up to the size stay for ever."""
    core = with_workers(3)
    for number in (1, 2, 3):
        core.give_back(number, float(number), busy=False)

    assert 61.0 == core.next_time()
    assert [] == core.tick(60.9)
    assert [End(1)] == core.tick(61.0)
    assert math.inf == core.next_time()
    assert [] == core.died(1, 61.0, quiet=True)
    assert [] == core.tick(10_000.0)


def test_overflow_without_an_idle_time_ends_at_once() -> None:
    """As soon as one of too many is given back and nobody waits."""
    core = with_workers(3, idle=0.0)

    assert [End(2)] == core.give_back(2, 1.0, busy=False)
    assert [] == core.give_back(1, 1.0, busy=False)


def test_overflow_may_stay() -> None:
    """If there is no time after which it ends."""
    core = with_workers(3, idle=math.inf)
    core.give_back(2, 1.0, busy=False)

    assert math.inf == core.next_time()


def test_one_that_is_ending_counts_until_it_has_ended() -> None:
    """It may hold a scarce resource."""
    core = with_workers(3, idle=0.0)
    core.give_back(2, 1.0, busy=False)

    assert [] == core.ask("a", 1.0)
    assert core.may_start_later()
    assert [PoolStart(4)] == core.died(2, 2.0, quiet=True)


def test_a_crash_is_made_good_after_a_while_also_if_nobody_asks() -> None:
    """A pool restarts as many workers as it had."""
    core = with_workers(2)

    assert [] == core.died(1, 10.0, quiet=False)
    assert 11.0 == core.next_time()
    assert [] == core.tick(10.9)
    assert [PoolStart(3)] == core.tick(11.0)
    assert math.inf == core.next_time()


def test_overflow_that_crashes_is_not_missed() -> None:
    """Unless somebody waits."""
    core = with_workers(3)
    core.died(3, 10.0, quiet=False)

    assert math.inf == core.next_time()
    assert [] == core.ask("a", 10.5)
    assert [PoolStart(4)] == core.tick(11.0)


def test_a_quiet_end_is_made_good_when_somebody_asks() -> None:
    """The worker had its reason, and nothing is wrong."""
    core = with_workers(2)

    assert [] == core.died(1, 10.0, quiet=True)
    assert math.inf == core.next_time()
    assert [PoolStart(3)] == core.ask("a", 10.0)


def test_crashes_at_one_time_are_one_failure() -> None:
    """A database that goes away takes all connections along."""
    core = with_workers(3)
    for number in (1, 2, 3):
        core.died(number, 10.0, quiet=False)

    assert 1 == core.failures
    assert [PoolStart(4), PoolStart(5)] == core.tick(11.0)


def test_the_while_grows_with_failures_in_a_row() -> None:
    """Only one worker at a time is started then."""
    core = new_core()
    for waiter in "abc":
        core.ask(waiter, 0.0)
    for number in (1, 2, 3):
        assert [] == core.not_started(number, 0.0)

    assert 1.0 == core.next_time()
    assert [PoolStart(4)] == core.tick(1.0)
    assert math.inf == core.next_time(), "nothing is to be done until that start is over"
    assert [] == core.not_started(4, 1.5)
    assert 3.5 == core.next_time()
    assert [PoolStart(5)] == core.tick(3.5)
    assert [Lend(5, "a"), PoolStart(6), PoolStart(7)] == core.started(5, 4.0)


def test_a_worker_that_has_served_ends_the_row_of_failures() -> None:
    """So one client that breaks its workers does not stop the pool for the others."""
    core = with_workers(2)
    for when in range(10, 60, 10):
        crashed = min(core.workers)
        core.died(crashed, when, quiet=False)
        other = min(core.workers)
        core.give_back(other, when, busy=False)
        core.ask("x", when)

        (start,) = core.tick(when + 1.0)
        core.started(start.worker, when + 1.0)
        core.ask("y", when + 1.0)


def test_a_busy_worker_is_not_lent_before_it_is_through() -> None:
    """Another one is started, if there may be one."""
    core = with_workers(1)

    assert [Watch(1)] == core.give_back(1, 1.0, busy=True)
    assert [PoolStart(2)] == core.ask("a", 1.0)
    assert [Lend(1, "a")] == core.finished(1, 2.0)


def test_a_busy_worker_that_is_not_through_in_time_is_ended() -> None:
    """It is replaced at once when it is dead, since that is no failure."""
    core = with_workers(1, size=1, overflow=0)
    core.ask("a", 0.0)
    core.give_back(1, 1.0, busy=True)

    assert [End(1)] == core.overdue(1)
    assert [] == core.finished(1, 2.0) == core.overdue(1)
    assert [PoolStart(2)] == core.died(1, 3.0, quiet=False)


def test_one_that_was_lent_as_it_was_dying_counts_until_it_is_dead() -> None:
    """Its client, which knows of the death, is served first."""
    core = with_workers(2, size=2, overflow=0)
    core.ask("a", 1.0)
    assert [] == core.leaving(2, 2.0)
    assert [] == core.ask("b", 2.0, first=True)

    assert PoolState.LEAVING is core.workers[2]
    assert core.may_start_later()
    assert [PoolStart(3)] == core.died(2, 2.0, quiet=True)
    assert [Lend(3, "b")] == core.started(3, 2.0)


def test_a_worker_that_is_given_back_dying_ends_no_row_of_failures() -> None:
    """It may have crashed right after its start."""
    core = with_workers(1, size=1, overflow=0)
    core.died(1, 10.0, quiet=False)
    assert [PoolStart(2)] == core.tick(11.0)
    core.ask("a", 11.0)
    core.started(2, 11.0)

    assert [] == core.leaving(2, 11.0)
    assert [] == core.died(2, 11.0, quiet=False)
    assert (2, 13.0) == (core.failures, core.next_time())


def test_what_is_told_of_a_dead_worker_changes_nothing() -> None:
    """Its client, and those that monitor it, may come later."""
    core = with_workers(1)
    core.died(1, 1.0, quiet=True)

    assert [] == core.give_back(1, 1.0, busy=False)
    assert [] == core.give_back(1, 1.0, busy=True)
    assert [] == core.finished(1, 1.0) == core.overdue(1)
    assert {} == core.workers


def test_a_crash_after_a_long_life_is_the_first_of_a_row() -> None:
    """What has gone wrong before it was started long ago does not count."""
    core = with_workers(2)
    core.died(2, 10.0, quiet=False)
    assert 11.0 == core.next_time()
    assert [PoolStart(3)] == core.tick(11.0)
    core.started(3, 11.0)

    core.died(1, 1500.0, quiet=False)
    assert 1501.0 == core.next_time(), "and not twice as long"


def test_only_a_worker_that_is_lent_can_leave() -> None:
    """A worker that has been returned is lent again once it is idle."""
    core = with_workers(1)
    core.give_back(1, 1.0, busy=True)

    assert [] == core.leaving(1, 2.0)
    assert [] == core.finished(1, 2.0)
    assert [Lend(1, "a")] == core.ask("a", 2.0)
