"""`start_child`: who waits for it, what comes meanwhile, and how it may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable


class Slow(otp.GenServer, restart="temporary"):
    """Takes a second to start, and may not want to, or fail."""

    def __init__(self, result: Any = None, *, wait: float = 1.0) -> None:
        self.result = result
        self.wait = wait

    async def init(self) -> Any:
        await trio.sleep(self.wait)
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class Quick(otp.GenServer, restart="temporary"):
    """Starts at once, and may not want to, or fail."""

    def __init__(self, result: Any = None) -> None:
        self.result = result

    def init(self) -> Any:
        if isinstance(self.result, BaseException):
            raise self.result
        return self.result


KINDS = [otp.Supervisor, otp.DynamicSupervisor]
both_kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def tops(kind: Any) -> list[Any]:
    """Return one supervisor of a kind, to be called "sup"."""
    return [otp.child(kind).having(name="sup", restart="temporary")]


@both_kinds
async def test_the_answer_and_what_the_supervisor_knows(kind: Any, autojump_clock: object) -> None:
    """The pid is that of the child, which is listed, linked, and has the supervisor as starter."""
    async with otp.open_supervisor(tops(kind)):
        sup = otp.whereis("sup")
        for child in (Quick, otp.child(Slow).having(id=2)):
            pid = await otp.start_child("sup", child)
            info = otp.process_info(pid)
            assert info is not None
            assert sup in info.links
            assert info.ancestors[0] == "sup"
        assert (await otp.count_children("sup")).active == 2
        assert otp.process_info("sup").handled == 3


@both_kinds
@pytest.mark.parametrize("child", [Quick, Slow])
async def test_a_start_that_fails_or_is_ignored(
    kind: Any, child: Any, autojump_clock: object
) -> None:
    """The caller gets `StartError` or None, and nothing is left of the child."""
    async with otp.open_supervisor(tops(kind)):
        boom = ValueError("boom")
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child("sup", otp.child(child, boom))
        assert caught.value.reason is boom
        assert await otp.start_child("sup", otp.child(child, otp.IGNORE)) is None
        assert await otp.which_children("sup") == []
        assert await otp.start_child("sup", child) is not None


@both_kinds
async def test_one_thing_at_a_time(kind: Any, autojump_clock: object) -> None:
    """What comes while a child starts is done after that, in its order."""
    done: list[object] = []

    async def ask(what: object, call: Callable[[], Any]) -> None:
        await call()
        done.append((what, trio.current_time()))

    async with otp.open_supervisor(tops(kind)), trio.open_nursery() as nursery:
        began = trio.current_time()
        first = otp.child(Slow, wait=3.0).having(id=1)
        second = otp.child(Slow, wait=2.0).having(id=2)
        nursery.start_soon(ask, "first", lambda: otp.start_child("sup", first))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "second", lambda: otp.start_child("sup", second))
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(ask, "count", lambda: otp.count_children("sup"))
        await trio.sleep(10)
    times = {what: round(time - began) for what, time in done}
    assert times == {"first": 3, "second": 5, "count": 5}


@both_kinds
async def test_a_caller_that_is_cancelled(kind: Any, autojump_clock: object) -> None:
    """Cancelled before its call it starts nothing; later, what has begun is taken back."""
    async with otp.open_supervisor(tops(kind)):
        with trio.move_on_after(0):
            await otp.start_child("sup", otp.child(Slow).having(id="never"))
        assert (await otp.count_children("sup")).specs == 0
        with trio.move_on_after(0.5):
            await otp.start_child("sup", otp.child(Slow).having(id="late"))
        assert (await otp.count_children("sup")).specs == 0


@both_kinds
@pytest.mark.parametrize("how", ["kill", "stop", "terminate", "cancel"])
async def test_the_end_of_the_supervisor_meanwhile(
    kind: Any, how: str, autojump_clock: object
) -> None:
    """However it ends, the caller hears of it, and the child is not left behind."""
    errors: list[object] = []

    async def start() -> None:
        try:
            await otp.start_child("sup", otp.child(Slow, wait=5.0).having(id=1))
        except otp.ServerExited as exc:
            errors.append(exc.reason)

    async with trio.open_nursery() as nursery, trio.open_nursery() as home:
        top = await otp.start(otp.child(otp.Supervisor, tops(kind)), nursery=home)
        nursery.start_soon(start)
        await trio.testing.wait_all_tasks_blocked()
        if how == "kill":
            otp.exit("sup", otp.KILL)
        elif how == "stop":
            nursery.start_soon(otp.stop, "sup")
        elif how == "terminate":
            await otp.terminate_child(top, "sup")
        else:
            home.cancel_scope.cancel()
        await trio.sleep(10)
        assert otp.whereis("sup") is None
        assert otp.process_count() == (0 if how == "cancel" else 1)
        home.cancel_scope.cancel()
    # told to end by a message it first does what it was doing
    assert errors == {"kill": [otp.KILLED], "cancel": [otp.SHUTDOWN]}.get(how, [])


@both_kinds
async def test_a_child_that_is_killed_in_its_init(kind: Any, autojump_clock: object) -> None:
    """Its start fails with the reason of the signal."""
    async with otp.open_supervisor(tops(kind)), trio.open_nursery() as nursery:

        async def kill() -> None:
            await trio.testing.wait_all_tasks_blocked()
            (pid,) = [pid for pid in otp.processes() if otp.get_label(pid) == "Slow"]
            otp.exit(pid, otp.KILL)

        nursery.start_soon(kill)
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child("sup", Slow)
        assert caught.value.reason is otp.KILLED
        assert await otp.which_children("sup") == []


@both_kinds
async def test_a_child_that_calls_its_supervisor_in_init(kind: Any, autojump_clock: object) -> None:
    """That would wait for ever, since the supervisor waits for it: the circle is an error."""

    class Asking(otp.GenServer, restart="temporary"):
        async def init(self) -> None:
            await otp.count_children("sup")

    async with otp.open_supervisor(tops(kind)):
        with pytest.raises(otp.StartError) as caught:
            await otp.start_child("sup", Asking)
        assert isinstance(caught.value.reason, otp.DeadlockError)


@both_kinds
async def test_children_that_start_children(kind: Any, autojump_clock: object) -> None:
    """A child may start another one under another supervisor while it starts itself."""

    class Parent(otp.GenServer, restart="temporary"):
        async def init(self) -> None:
            self.child = await otp.start_child("other", Slow)

    other = otp.child(otp.DynamicSupervisor).having(name="other", id="other")
    async with otp.open_supervisor([*tops(kind), other]):
        await otp.start_child("sup", Parent)
        assert (await otp.count_children("other")).active == 1
        assert (await otp.count_children("sup")).active == 1


async def test_mistakes_are_answered_by_the_supervisor(autojump_clock: object) -> None:
    """What cannot be started is refused as ever, and the supervisor goes on."""
    full = otp.child(otp.DynamicSupervisor, max_children=1).having(name="full", id="full")
    async with otp.open_supervisor([*tops(otp.Supervisor), full]):
        pid = await otp.start_child("sup", Quick)
        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start_child("sup", Quick)
        assert caught.value.pid is pid
        await otp.start_child("full", Quick)
        with pytest.raises(otp.MaxChildren):
            await otp.start_child("full", Quick)
        with pytest.raises(otp.SpecError):
            await otp.start_child("sup", otp.child(Quick).having(id=2, significant=True))


async def test_a_suspended_supervisor_starts_nothing(autojump_clock: object) -> None:
    """It waits, but not for that."""
    async with otp.open_supervisor(tops(otp.Supervisor)), trio.open_nursery() as nursery:
        await otp.sys.suspend("sup")
        nursery.start_soon(otp.start_child, "sup", Quick)
        await trio.sleep(1)
        assert "Quick" not in map(otp.get_label, otp.processes())
        await otp.sys.resume("sup")
        await trio.sleep(1)
        assert (await otp.count_children("sup")).active == 1


async def test_an_id_that_raises_what_is_no_exception(autojump_clock: object) -> None:
    """Its supervisor ends of it, and the caller hears of that; no request of it is left behind."""

    class Bad(BaseException):
        """Passes everything that catches exceptions."""

    class Id:
        armed = False

        def __hash__(self) -> int:
            if self.armed:
                raise Bad
            return 1

    async def ask() -> None:
        child = otp.child(Quick).having(id=Id())
        Id.armed = True
        with pytest.raises(otp.ServerExited) as caught:
            await otp.start_child("sup", child)
        assert isinstance(caught.value.reason, Bad)

    with pytest.raises(Bad):
        async with otp.open_supervisor(tops(otp.Supervisor)):
            await ask()


@both_kinds
async def test_a_child_is_admitted_once_with_and_without_a_name(kind: Any) -> None:
    """Its id, whose hash is code of the user, is asked as often whether the child has a name."""
    asked = []

    class Id:
        def __hash__(self) -> int:
            asked.append(self)
            return 1

        def __eq__(self, other: object) -> bool:
            return self is other

    named, plain = Id(), Id()
    async with otp.open_supervisor(tops(kind)):
        await otp.start_child("sup", otp.child(Quick).having(id=plain))
        await otp.start_child("sup", otp.child(Quick).having(id=named, name="it"))
    assert asked.count(plain) == asked.count(named)
