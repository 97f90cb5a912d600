"""New specifications for a supervisor that runs: what is replaced, kept and refused."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from inside import ChildEntry, Intensity, Policy, State, process_of
from supervision_kit import InitFailed, Journal, Worker, kill, settle, worker

import trio_otp as otp

SPECS: dict[str, Any] = {}  # what the init of the supervisors below returns


class Top(otp.Supervisor):
    """A supervisor whose specification can be replaced."""

    def init(self) -> Any:
        spec = SPECS["top"]
        if isinstance(spec, Exception):
            raise spec
        return spec


class Pool(otp.DynamicSupervisor):
    """A dynamic supervisor whose specification can be replaced."""

    def init(self) -> Any:
        return SPECS["pool"]


async def change(sup: str, spec: Any, key: str = "top") -> None:
    """Do what a change of code does in the supervisor's process."""
    SPECS[key] = spec
    process = process_of(otp.whereis(sup))
    await process.instance.code_change("old", "extra")


def tagged(tag: str, journal: Journal, words: str, **how: Any) -> otp.Child[Worker]:
    """Return a worker of the id and name `tag` that writes other words down."""
    return otp.child(Worker, words, journal).having(name=tag, **how)


async def order() -> list[tuple[Any, str]]:
    return [(info.id, info.status) for info in await otp.which_children("top")]


# -- supervisors -----------------------------------------------------------------------------------


async def test_children_that_run_keep_running_and_new_ones_are_not_started() -> None:
    """The order is that of the new list, and then what is not in it any more."""
    journal = Journal()
    SPECS["top"] = otp.Supervisor.spec([worker(tag, journal) for tag in "abc"])
    async with otp.open_supervisor([otp.child(Top).having(name="top")]):
        before = [otp.whereis(tag) for tag in "abc"]
        children = [worker("n", journal), tagged("c", journal, "C"), tagged("b", journal, "B")]
        await change("top", otp.Supervisor.spec(children, strategy="rest_for_one"))

        expected = [("n", "undefined"), ("c", "running"), ("b", "running"), ("a", "running")]
        assert expected == await order()
        assert before == [otp.whereis(tag) for tag in "abc"]
        assert ["+a", "+b", "+c"] == journal.take()


async def test_the_next_restart_is_by_the_new_specification() -> None:
    """Strategy and arguments are the new ones, and a child that is not named restarts as before."""
    journal = Journal()
    SPECS["top"] = otp.Supervisor.spec([worker(tag, journal) for tag in "abc"])
    async with otp.open_supervisor([otp.child(Top).having(name="top")]):
        children = [worker("n", journal), tagged("c", journal, "C"), tagged("b", journal, "B")]
        await change("top", otp.Supervisor.spec(children, strategy="rest_for_one"))
        journal.clear()

        await kill("c")
        await settle()

        assert ["-a", "=a", "-b", "=b", "+C", "+B", "+a"] == journal.take()
        assert [0, 1, 1, 1] == [info.restarts for info in await otp.which_children("top")]
        await otp.restart_child("top", "n")
        assert ["+n"] == journal.take()


async def test_restart_types_and_limits_are_replaced_at_once() -> None:
    """A child that has become temporary is not restarted; its shutdown is the new one, too."""
    journal = Journal()
    SPECS["top"] = otp.Supervisor.spec([worker(tag, journal) for tag in "ab"])
    async with otp.open_supervisor([otp.child(Top).having(name="top")]):
        children = [
            worker("a", journal).having(restart="temporary"),
            worker("b", journal).having(shutdown="brutal_kill"),
        ]
        await change("top", otp.Supervisor.spec(children))
        journal.clear()

        await kill("a")
        await settle()
        await otp.terminate_child("top", "b")

        assert [("b", "undefined")] == await order()
        assert [] == journal.take()  # a was not started, and b did not terminate
        assert "brutal_kill" == (await otp.get_childspec("top", "b")).shutdown


async def test_restarts_that_were_charged_stay_charged(autojump_clock: Any) -> None:
    """A change in the middle of a crash loop does not give it new chances."""
    journal = Journal()
    SPECS["top"] = otp.Supervisor.spec([worker("a", journal)], max_restarts=3)
    top = otp.child(Top).having(name="top", restart="temporary")
    async with otp.open_supervisor([top]):
        for _ in range(2):
            await kill("a")
            await settle()
        await change("top", otp.Supervisor.spec([worker("a", journal)], max_restarts=2))
        await kill("a")
        await settle()

        assert None is otp.whereis("top")


@pytest.mark.parametrize("wrong", [otp.SpecError("bad"), "no spec", None])
async def test_a_specification_that_is_refused_changes_nothing(wrong: Any) -> None:
    """The error is raised, and the old one holds."""
    journal = Journal()
    SPECS["top"] = otp.Supervisor.spec([worker("a", journal)])
    async with otp.open_supervisor([otp.child(Top).having(name="top")]):
        with pytest.raises((otp.SpecError, otp.BadReturn)):
            await change("top", wrong)

        await kill("a")
        await settle()
        assert [("a", "running")] == await order()
        assert ["+a", "+a"] == journal.take()


async def test_to_ignore_a_change_changes_nothing() -> None:
    """An init that returns IGNORE leaves everything as it is."""
    journal = Journal()
    SPECS["top"] = otp.Supervisor.spec([worker("a", journal)])
    SPECS["pool"] = otp.DynamicSupervisor.spec(max_children=1)
    children = [otp.child(Top).having(name="top"), otp.child(Pool).having(name="pool")]
    async with otp.open_supervisor(children):
        await change("top", otp.IGNORE)
        await change("pool", otp.IGNORE, "pool")

        assert [("a", "running")] == await order()
        await otp.start_child("pool", worker("x", journal))
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("pool", worker("y", journal))


async def test_a_child_that_is_down_starts_by_its_new_specification() -> None:
    """Also if it is down because it could not start by the old one."""
    journal = Journal()
    SPECS["top"] = otp.Supervisor.spec([worker("a", journal)])
    async with otp.open_supervisor([otp.child(Top).having(name="top")]):
        await otp.terminate_child("top", "a")
        journal.fail_inits["a"] = 1
        with pytest.raises(otp.StartError) as caught:
            await otp.restart_child("top", "a")
        assert isinstance(caught.value.reason, InitFailed)
        await change("top", otp.Supervisor.spec([tagged("a", journal, "A")]))
        await otp.restart_child("top", "a")

        assert "+A" == journal.take()[-1]


# -- dynamic supervisors ---------------------------------------------------------------------------


async def test_limits_of_a_dynamic_supervisor_are_replaced() -> None:
    """Children run on, and the new limit holds for the next one."""
    journal = Journal()
    SPECS["pool"] = otp.DynamicSupervisor.spec()
    async with otp.open_supervisor([otp.child(Pool).having(name="pool")]):
        a = await otp.start_child("pool", worker("a", journal))
        await change("pool", otp.DynamicSupervisor.spec(max_children=1), "pool")

        with pytest.raises(otp.MaxChildren):
            await otp.start_child("pool", worker("b", journal))
        assert a is otp.whereis("a")


async def test_a_new_template_holds_for_the_children_that_run() -> None:
    """They are restarted, or not, by its options, with the arguments they have."""
    journal = Journal()
    first = otp.template(Worker)
    SPECS["pool"] = otp.DynamicSupervisor.spec(template=first, max_restarts=10)
    async with otp.open_supervisor([otp.child(Pool).having(name="pool")]):
        a = await otp.start_child("pool", ["a", journal])
        spec = otp.DynamicSupervisor.spec(template=first.having(restart="temporary"))
        await change("pool", spec, "pool")
        assert "temporary" == (await otp.get_childspec("pool", a)).restart

        await kill(a)
        await settle()
        assert [] == await otp.which_children("pool")
        assert ["+a"] == journal.take()


async def test_a_template_that_does_not_take_the_arguments_is_refused() -> None:
    """Nothing is changed, neither for the children nor for the limits."""
    journal = Journal()
    SPECS["pool"] = otp.DynamicSupervisor.spec(template=otp.template(Worker), max_children=2)
    async with otp.open_supervisor([otp.child(Pool).having(name="pool")]):
        await otp.start_child("pool", ["a", journal])
        spec = otp.DynamicSupervisor.spec(template=otp.template(otp.GenServer))
        with pytest.raises(TypeError, match="too many positional arguments"):
            await change("pool", spec, "pool")

        await otp.start_child("pool", ["b", journal])
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("pool", ["c", journal])


# -- the policy, against a model -------------------------------------------------------------------

IDS = "abcdef"
entries = st.builds(
    ChildEntry,
    id=st.sampled_from(IDS),
    restart=st.sampled_from(["permanent", "transient", "temporary"]),
)
tables = st.lists(entries, max_size=6, unique_by=lambda entry: entry.id)


def policy(table: list[ChildEntry], limit: int) -> Policy:
    made = Policy("one_for_one", Intensity(limit, 5))
    for entry in table:
        made.add(ChildEntry(entry.id, entry.restart))
    return made


@given(old=tables, new=tables, running=st.sets(st.sampled_from(IDS)), charges=st.integers(0, 4))
def test_the_table_after_a_change_is_that_of_a_model(
    old: list[ChildEntry], new: list[ChildEntry], running: set[str], charges: int
) -> None:
    """New entries in their order, then old ones in theirs; states and charges are kept."""
    before, other = policy(old, 4), policy(new, 3)
    for entry in before.table.values():
        if entry.id in running:
            before.started(entry.id, 0.0)
    for _ in range(charges):
        before.intensity.charge(10)

    before.change(other)

    named = [entry.id for entry in new]
    rest = [entry for entry in old if entry.id not in named]
    known = {entry.id for entry in old}
    assert [
        (entry.id, entry.restart, entry.id in running and entry.id in known)
        for entry in [*new, *rest]
    ] == [
        (entry.id, entry.restart, entry.state is State.RUNNING) for entry in before.table.values()
    ]
    assert max(0, 3 - charges) == before.intensity.left(10)
