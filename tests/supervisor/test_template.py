"""DynamicSupervisor with a template: OTP's simple_one_for_one."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
import trio
from depth import few
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
        with pytest.raises(otp.SpecError, match="expected a list of the arguments"):
            await otp.start_child("pool", otp.child(Pair))
        for sup in ("free", "top"):
            with pytest.raises(otp.SpecError, match="a list of arguments is for a Dynamic"):
                await otp.start_child(sup, ["b"])
        with pytest.raises(otp.SpecError, match="'b' is not a child"):
            await otp.start_child("pool", "b")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (Pair, r"expected otp\.template\(target, \*args\)"),
        ("pair", r"expected otp\.template\(target, \*args\)"),
        (PAIRS.having(significant=True), "has no significant children"),
    ],
)
def test_what_is_no_template_is_refused(wrong: Any, error: str) -> None:
    """The error says how to make one."""
    with pytest.raises(otp.SpecError, match=error):
        otp.DynamicSupervisor.spec(template=wrong)


# -- auto_shutdown ---------------------------------------------------------------------------------


def significant(restart: Any, auto_shutdown: Any) -> otp.Child[otp.DynamicSupervisor]:
    """Return a supervisor whose children are significant, itself a temporary child."""
    template = otp.template(Worker).having(significant=True, restart=restart)
    return pool(template, auto_shutdown=auto_shutdown, max_restarts=9).having(restart="temporary")


# What real OTP does: whether the supervisor lives on when one of two children has ended like that.
LIVES_ON = [
    ("any_significant", "transient", otp.NORMAL, False),
    ("any_significant", "transient", otp.Shutdown(1), False),
    ("any_significant", "transient", "boom", True),
    ("any_significant", "temporary", otp.SHUTDOWN, False),
    ("any_significant", "temporary", "boom", False),
    ("all_significant", "transient", otp.NORMAL, True),
    ("all_significant", "temporary", "boom", True),
]


@pytest.mark.parametrize(("auto_shutdown", "restart", "reason", "lives_on"), LIVES_ON)
async def test_the_end_of_a_child_of_a_template_can_end_the_supervisor(
    auto_shutdown: Any, restart: Any, reason: object, lives_on: bool
) -> None:
    """By the rules of any supervisor; the other children are stopped (SU-36, SU-37)."""
    journal = Journal()
    async with otp.open_supervisor([significant(restart, auto_shutdown)]):
        before = otp.whereis("pool")
        for tag in "ab":
            await otp.start_child("pool", [tag, journal])
        pids = [info.pid for info in await otp.which_children("pool")]
        assert before is not None
        assert None not in pids
        journal.clear()
        otp.exit(pids[0] or "nobody", reason) if reason == "boom" else otp.cast(
            pids[0] or "", reason
        )
        await settle()
        assert lives_on == otp.is_alive(before)
        assert lives_on or {"-b", "=b"} <= set(journal.take())


@pytest.mark.parametrize("restart", ["transient", "temporary"])
async def test_the_last_end_of_all_children_of_a_template_ends_the_supervisor(
    restart: Any,
) -> None:
    """Its reason is SHUTDOWN; children that were terminated do not count (SU-37, SU-38)."""
    journal = Journal()
    async with (
        otp.open_process(),
        otp.open_supervisor([significant(restart, "all_significant")]),
    ):
        otp.monitor("pool")
        for tag in "abc":
            await otp.start_child("pool", [tag, journal])
        first, second, third = [info.pid for info in await otp.which_children("pool")]
        await otp.terminate_child("pool", first or "")
        await otp.terminate_child("pool", second or "")
        assert otp.whereis("pool") is not None
        otp.cast(third or "", otp.NORMAL)
        assert otp.SHUTDOWN is (await otp.receive(otp.Down)).reason


async def test_a_supervisor_with_a_template_may_be_left_empty() -> None:
    """terminate_child of the only child ends nothing (SU-38)."""
    async with otp.open_supervisor([significant("transient", "any_significant")]):
        pid = await otp.start_child("pool", ["a", Journal()])
        await otp.terminate_child("pool", pid)
        assert [] == await otp.which_children("pool")
        assert otp.Counts(1, 0, 0, 0) == await otp.count_children("pool")


ONE: Any = otp.template(Worker).having(significant=True)


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        ({"auto_shutdown": "any_significant"}, "only children of a template"),
        ({"auto_shutdown": "some", "template": ONE}, "auto_shutdown='some'"),
        ({"template": ONE.having(restart="transient")}, "has no significant children unless"),
        ({"auto_shutdown": "all_significant", "template": ONE}, "not 'permanent'"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(flags: Any, error: str) -> None:
    """As those of any supervisor; other children are never significant (SU-35)."""
    with pytest.raises(otp.SpecError, match=error):
        otp.DynamicSupervisor.spec(**flags)


async def test_a_child_that_waits_for_extra_arguments_is_a_template() -> None:
    """otp.child refuses one whose first arguments the supervisor adds, and says so."""

    class Session(otp.GenServer):
        def __init__(self, shop: str, user: str) -> None:
            self.both = (shop, user)

        @otp.on_call
        def get(self) -> tuple[str, str]:
            return self.both

    with pytest.raises(
        TypeError, match=r"adds extra_arguments write otp.template\(Session, 'ada'\)"
    ):
        otp.child(Session, "ada")  # type: ignore[call-arg]
    flags = otp.child(otp.DynamicSupervisor, extra_arguments=("books",)).having(name="d")
    async with otp.open_supervisor([flags]):
        pid = await otp.start_child("d", otp.template(Session, "ada"))
        assert ("books", "ada") == await Session.get(pid)


def test_a_template_is_checked_as_far_as_it_goes() -> None:
    """What could never be taken is refused when it is made."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        otp.template(Worker, colour="red")
    with pytest.raises(TypeError, match="expected a behaviour class or an async function"):
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
@settings(max_examples=few(50))
def test_children_agree_with_their_model(restart: str, operations: list[tuple[str, int]]) -> None:
    """Started, killed and terminated in any order, there are those with the arguments of a list."""
    trio.run(_run, restart, operations)
