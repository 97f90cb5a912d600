"""auto_shutdown: supervisors that end when their significant children have done their work."""

from __future__ import annotations

from typing import Any

import pytest
from supervision_kit import Boom, Journal, Reports, end, kill, leftovers, settle, statuses, worker

import trio_otp as otp

QUIET = [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown("done")]


def family(journal: Journal, restart: Any = "transient", significant: str = "st") -> list[Any]:
    """Describe workers a, s, t, b, of which some are significant."""
    return [
        worker(tag, journal).having(restart=restart, significant=True)
        if tag in significant
        else worker(tag, journal)
        for tag in "astb"
    ]


@pytest.mark.parametrize("strategy", ["one_for_one", "rest_for_one", "one_for_all"])
@pytest.mark.parametrize(
    ("restart", "reason"),
    [("transient", reason) for reason in QUIET]
    + [("temporary", reason) for reason in [*QUIET, Boom()]],
)
async def test_the_first_quiet_end_of_any_significant_child_ends_the_supervisor(
    strategy: Any, restart: Any, reason: object
) -> None:
    """A temporary one counts however it ends; the others are stopped newest first."""
    journal = Journal()
    async with otp.open_supervisor(
        family(journal, restart), strategy=strategy, auto_shutdown="any_significant"
    ) as sup:
        journal.clear()
        otp.cast("s", reason)
        await sup.wait()
        assert ["-s", "=s", "-b", "=b", "-t", "=t", "-a", "=a"] == journal.take()
        assert not otp.is_alive(sup)
    assert [] == leftovers()


async def test_the_last_quiet_end_of_all_significant_children_ends_the_supervisor() -> None:
    """While one of them runs, the others may end."""
    journal = Journal()
    async with otp.open_supervisor(family(journal), auto_shutdown="all_significant") as sup:
        await end("s", otp.NORMAL)
        assert {"a": "running", "s": "undefined", "t": "running", "b": "running"} == statuses(
            await otp.which_children(sup)
        )
        journal.clear()
        otp.cast("t", otp.NORMAL)
        await sup.wait()
        assert ["-t", "=t", "-b", "=b", "-a", "=a"] == journal.take()


@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
async def test_a_significant_child_that_crashes_is_restarted(auto_shutdown: Any) -> None:
    """A transient one has not done its work yet."""
    journal = Journal()
    async with otp.open_supervisor(family(journal), auto_shutdown=auto_shutdown) as sup:
        await end("s", Boom())
        await kill("t")
        assert ["running"] * 4 == list(statuses(await otp.which_children(sup)).values())


async def test_the_end_of_other_children_does_not_count() -> None:
    """They are restarted, or stay down, as ever."""
    journal = Journal()
    children = [
        *family(journal),
        worker("x", journal).having(restart="transient"),
        worker("y", journal).having(restart="temporary"),
    ]
    async with otp.open_supervisor(children, auto_shutdown="any_significant") as sup:
        for tag in "axy":
            await end(tag, otp.NORMAL)
        found = statuses(await otp.which_children(sup))
        assert ["running"] * 4 + ["undefined"] == list(found.values())


@pytest.mark.parametrize("auto_shutdown", ["any_significant", "all_significant"])
@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_an_end_that_was_asked_for_does_not_count(auto_shutdown: Any, restart: Any) -> None:
    """Significant children that are stopped by hand leave the supervisor alone."""
    journal = Journal()
    async with otp.open_supervisor(family(journal, restart), auto_shutdown=auto_shutdown) as sup:
        await otp.terminate_child(sup, "s")
        await otp.terminate_child(sup, "t")
        await settle()
        found = statuses(await otp.which_children(sup))
        assert {"a": "running", "b": "running"} == {
            tag: status for tag, status in found.items() if status == "running"
        }


async def test_an_end_by_the_restart_of_a_sibling_does_not_count() -> None:
    """A temporary significant child that a group restart stops is forgotten, and that is all."""
    journal = Journal()
    async with otp.open_supervisor(
        family(journal, "temporary"), strategy="one_for_all", auto_shutdown="any_significant"
    ) as sup:
        await kill("a")
        assert {"a": "running", "b": "running"} == statuses(await otp.which_children(sup))


async def test_one_that_waits_for_its_restart_is_not_at_its_end() -> None:
    """all_significant goes on while one of them is being restarted."""
    journal = Journal()
    async with otp.open_supervisor(
        family(journal), auto_shutdown="all_significant", max_restarts=100
    ) as sup:
        journal.fail_inits["s"] = 20
        otp.exit("s", otp.KILL)
        while statuses(await otp.which_children(sup))["s"] != "restarting":
            pass
        await end("t", otp.NORMAL)
        assert {"a": "running", "s": "running", "t": "undefined", "b": "running"} == statuses(
            await otp.which_children(sup)
        )


async def test_it_climbs_through_nested_supervisors() -> None:
    """A supervisor that ends so is a significant child that ended quietly, if it is one."""
    journal = Journal()
    inner = otp.child(
        otp.Supervisor,
        [worker("s", journal).having(restart="temporary", significant=True)],
        auto_shutdown="any_significant",
    ).having(id="inner", restart="transient", significant=True)
    async with otp.open_supervisor(
        [worker("a", journal), inner, worker("b", journal)], auto_shutdown="any_significant"
    ) as sup:
        otp.cast("s", otp.NORMAL)
        await sup.wait()
        assert ["-s", "=s", "-b", "=b", "-a", "=a"] == journal.take()[3:]


async def test_it_is_no_failure() -> None:
    """The block goes on, nothing is raised, and no report tells of giving up."""
    async with otp.open_supervisor(family(Journal()), auto_shutdown="any_significant") as sup:
        reports = Reports()
        otp.cast("s", otp.NORMAL)
        await sup.wait()
        await settle()
        assert [] == reports


async def test_a_permanent_supervisor_that_ended_so_is_restarted_by_its_parent() -> None:
    """For the parent it is one more end of a permanent child."""
    journal = Journal()
    inner = otp.child(
        otp.Supervisor,
        [worker("s", journal).having(restart="transient", significant=True)],
        auto_shutdown="all_significant",
    ).having(id="inner")
    async with otp.open_supervisor([inner]) as sup:
        await end("s", otp.NORMAL)
        assert ["+s", "-s", "=s", "+s"] == journal.take()
        assert [1] == [info.restarts for info in await otp.which_children(sup)]
