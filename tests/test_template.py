"""DynamicSupervisor with a template: OTP's simple_one_for_one."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
import trio
from hypothesis import given, settings
from supervision_kit import InitFailed, Journal, Worker, kill, settle

import trio_otp as otp


class Pair(otp.GenServer):
    """A server that knows its arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args = args
        self.kwargs = kwargs

    def init(self) -> Any:
        match self.args:
            case [*_, "ignore"]:
                return otp.IGNORE
            case [*_, "fail"]:
                return otp.Stop("bad")
        return None

    @otp.on_call
    def get(self) -> Any:
        return self.args, self.kwargs


def pool(template: Any, **flags: Any) -> otp.Child[otp.DynamicSupervisor]:
    return otp.child(otp.DynamicSupervisor, template=template, **flags).having(name="pool")


PAIRS = otp.template(Pair, "a", colour="red").having(id="pair")


async def arguments() -> list[Any]:
    children = await otp.which_children("pool")
    return [(await Pair.get(info.pid))[0] for info in children if info.pid is not None]


async def test_arguments_are_added_to_those_of_the_template() -> None:
    """They come after its own; keyword arguments are for all. So it is after a restart."""
    async with otp.open_supervisor([pool(PAIRS)]):
        one = await otp.start_child("pool", ["b"])
        two = await otp.start_child("pool", ("b", "c"))
        none: list[Any] = []
        three = await otp.start_child("pool", none)
        assert [("a", "b"), ("a", "b", "c"), ("a",)] == await arguments()
        assert (("a",), {"colour": "red"}) == await Pair.get(three)

        await kill(two)
        await settle()
        assert {("a", "b"), ("a", "b", "c"), ("a",)} == set(await arguments())
        assert otp.is_alive(one)


async def test_it_is_one_specification() -> None:
    """However many children there are; each has the options of the template."""
    async with otp.open_supervisor([pool(PAIRS)]):
        assert otp.Counts(1, 0, 0, 0) == await otp.count_children("pool")
        a, _ = [await otp.start_child("pool", [word]) for word in "xy"]
        assert otp.Counts(1, 2, 0, 2) == await otp.count_children("pool")

        spec = await otp.get_childspec("pool", a)
        assert ("pair", "permanent") == (spec.id, spec.restart)
        assert spec == await otp.get_childspec("pool", "pair")
        with pytest.raises(otp.ChildNotFound):
            await otp.get_childspec("pool", otp.whereis("pool"))
        with pytest.raises(otp.WrongServer):
            await otp.get_childspec("pool", "unknown")


async def test_starts_that_fail_or_are_ignored_leave_nothing() -> None:
    """The caller gets None or the error; a mistake in the arguments is the caller's TypeError."""
    async with otp.open_supervisor([pool(otp.template(Worker, "w"))]):
        journal = Journal()
        before = otp.whereis("pool")
        with pytest.raises(TypeError, match=r"multiple values|too many|unexpected"):
            await otp.start_child("pool", [journal, "too much"])
        with pytest.raises(TypeError, match="missing a required argument: 'journal'"):
            await otp.start_child("pool", [])
        journal.fail_inits["w"] = 1
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child("pool", [journal])
        assert isinstance(caught.value.reason, InitFailed)
        assert otp.Counts(1, 0, 0, 0) == await otp.count_children("pool")
        assert before is otp.whereis("pool")
    async with otp.open_supervisor([pool(PAIRS)]):
        assert None is await otp.start_child("pool", ["ignore"])
        assert [] == await otp.which_children("pool")


async def test_children_are_terminated_by_pid() -> None:
    """One that is dead already is no error; one of somebody else is not found."""
    async with otp.open_supervisor([pool(PAIRS.having(restart="temporary"))]), otp.open_process():
        a = await otp.start_child("pool", ["x"])
        await otp.terminate_child("pool", a)
        await otp.terminate_child("pool", a)
        stranger = otp.spawn(trio.sleep_forever)

        with pytest.raises(otp.ChildNotFound):
            await otp.terminate_child("pool", stranger)
        assert otp.is_alive(stranger)
        for call in (otp.restart_child, otp.delete_child):
            with pytest.raises(otp.WrongServer):
                await call("pool", "pair")


async def test_async_functions_are_templates_too() -> None:
    """Their further arguments come with each start, and `started` is what the child tells of it."""

    async def serve(host: str, port: int, *, task_status: Any) -> None:
        task_status.started(f"{host}:{port}")
        await trio.sleep_forever()

    async with otp.open_supervisor([pool(otp.template(serve, "localhost"), max_children=2)]):
        pids = [await otp.start_child("pool", [port]) for port in (80, 443)]
        assert ["localhost:80", "localhost:443"] == [otp.process_info(p).started for p in pids]
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("pool", [8080])


async def test_children_and_arguments_are_not_mixed_up() -> None:
    """Each kind of supervisor says what it accepts."""
    children = [pool(PAIRS), otp.child(otp.DynamicSupervisor).having(name="free")]
    async with otp.open_supervisor(children, name="top"):
        with pytest.raises(otp.SpecError, match="accepted is a list of the arguments"):
            await otp.start_child("pool", otp.child(Pair))
        for sup in ("free", "top"):
            with pytest.raises(otp.SpecError, match="a list of arguments is for a Dynamic"):
                await otp.start_child(sup, ["b"])
        with pytest.raises(otp.SpecError, match="'b' is no child"):
            await otp.start_child("pool", "b")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Pair, r"accepted is otp\.template\(target, \*args\)"),
        ("pair", r"accepted is otp\.template\(target, \*args\)"),
        (PAIRS.having(significant=True), "has no significant children"),
    ],
)
def test_what_is_no_template_is_refused(wrong: Any, error: str) -> None:
    """The error says how to make one."""
    with pytest.raises(otp.SpecError, match=error):
        otp.DynamicSupervisor.spec(template=wrong)


def test_a_template_is_checked_as_far_as_it_goes() -> None:
    """What could never be taken is refused when it is made."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        otp.template(Worker, colour="red")
    with pytest.raises(TypeError, match="accepted is a behaviour class or an async function"):
        otp.template("Pair")  # type: ignore[call-overload]
    assert "<child Pair('a', colour='red') id='pair'>" == repr(PAIRS)


# -- against a model -------------------------------------------------------------------------------

OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["start", "kill", "terminate"]), st.integers(0, 5)), max_size=20
)


async def _run(restart: Any, operations: list[tuple[str, int]]) -> None:
    async with otp.open_supervisor([pool(PAIRS.having(restart=restart), max_restarts=1000)]):
        model: list[int] = []
        for name, number in operations:
            if name == "start":
                await otp.start_child("pool", [number])
                model.append(number)
                continue
            children = await otp.which_children("pool")
            if number < len(children):
                [_, which] = (await arguments())[number]
                if name == "kill":
                    await kill(children[number].pid)  # type: ignore[arg-type]
                else:
                    await otp.terminate_child("pool", children[number].pid)
                if name == "terminate" or restart == "temporary":
                    model.remove(which)
            await settle()
            assert sorted(model) == sorted(number for _, number in await arguments())
            assert 1 == (await otp.count_children("pool")).specs


@pytest.mark.parametrize("restart", ["permanent", "temporary"])
@given(operations=OPERATIONS)
@settings(max_examples=50)
def test_children_agree_with_their_model(restart: str, operations: list[tuple[str, int]]) -> None:
    """Started, killed and terminated in any order, there are those with the arguments of a list."""
    trio.run(_run, restart, operations)
