"""What errors say to who reads them: the innermost cause, the name, what may have been meant."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import trio
from inside import runtime

import trio_otp as otp


class Server(otp.GenServer):
    """Fails as it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def init(self) -> None:
        """Fail, or not."""
        if self.error is not None:
            raise self.error

    @otp.on_call
    async def fail(self, error: Exception) -> None:
        """Crash."""
        raise error

    @otp.on_call
    async def ask(self, ref: Any, error: Exception) -> None:
        """Let another one crash, and crash of that."""
        await Server.fail(ref, error)

    @otp.on_call(timeout=5)
    async def slow(self, seconds: float) -> None:
        """Take a while."""
        await trio.sleep(seconds)


# -- reasons ---------------------------------------------------------------------------------------


class Telling(Exception):
    """Has a text of its own."""

    def __str__(self) -> str:
        return f"told {self.args[0]}"


class Mute(Exception):
    """Raises when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ValueError("no 'host' in {'a': 1}"), "ValueError: no 'host' in {'a': 1}"),
        (ValueError(), "ValueError"),
        (KeyError("tea"), "KeyError: 'tea'"),
        (Telling(3), "Telling: told 3"),
        (Mute("x"), "Mute: Mute('x')"),
        (ValueError("two", 2), "ValueError: ('two', 2)"),
        (ValueError("a\nb\x1b[2J"), r"ValueError: a\nb\x1b[2J"),
        (OSError(2, "No such file", "x.db"), "OSError: [Errno 2] No such file: 'x.db'"),
        (ExceptionGroup("many", [ValueError("a")]), "ExceptionGroup: many (1 sub-exception)"),
    ],
)
async def test_an_error_ends_with_class_and_text_of_its_cause(error: Exception, told: str) -> None:
    """Of a start and of a call, through as many levels as there are, with nothing escaped twice."""
    told = told.replace("OSError", type(error).__name__) if "OSError" in told else told
    nested = otp.child(otp.Supervisor, [otp.child(Server, error).having(id="inner")])
    async with otp.open_process():
        for child, text in (
            (otp.child(Server, error), f"Server did not start: {told}"),
            (nested, f"Supervisor did not start: child 'inner' failed to start: {told}"),
        ):
            with pytest.raises(otp.StartError) as caught:
                await otp.start(child)
            assert text == str(caught.value)
        inner = await otp.start(otp.child(Server).having(name="inner"))
        outer = await otp.start(otp.child(Server).having(name="outer"))
        with pytest.raises(otp.ServerExited) as exited:
            await Server.ask(outer, inner, error)
        text = str(exited.value)
        assert text.startswith(f"{outer!r} exited: {inner!r} exited: {told} (request fail(")


async def test_a_cause_that_is_far_away_is_told_all_the_same() -> None:
    """Where the way to it is longer than there is room for, it is what is left."""
    reason: Any = ValueError("the disk is full")
    for number in range(20):
        reason = otp.ServerExited(f"server {number}", reason)
    assert str(reason).startswith("'server 19' exited: ")
    assert str(reason).endswith(" exited: ValueError: the disk is full")
    assert len(str(reason)) < 400


def test_reasons_that_are_no_exceptions_are_shown_as_they_are() -> None:
    """Constants by their names, other objects by their repr."""
    assert "'c' exited: KILLED" == str(otp.ServerExited("c", otp.KILLED))
    assert "'c' exited: 'tired'" == str(otp.ServerExited("c", "tired"))
    assert "'c' exited: Shutdown(detail=5)" == str(otp.ServerExited("c", otp.Shutdown(5)))


@pytest.mark.parametrize(
    "make",
    [
        lambda reason: otp.TaskExited(None, reason),
        lambda reason: otp.HandlerCrashed("h", reason),
        otp.ProcessExited,
        otp.SupervisorExited,
        lambda reason: otp.SupervisorExited(otp.SHUTDOWN, [(0.0, "a", reason)]),
        lambda reason: otp.FailedToStartChild("c", reason),
        lambda reason: otp.ApplicationStartError("shop", otp.Shutdown(reason)),
        lambda reason: otp.ApplicationExited("shop", reason),
        lambda reason: otp.CallbackFailed("replace_state", reason),
    ],
)
def test_every_error_with_a_reason_tells_it_alike(make: Any) -> None:
    """Class and text, at the end."""
    assert str(make(ValueError("it's {bad}"))).endswith(": ValueError: it's {bad}")


# -- names -----------------------------------------------------------------------------------------


async def test_a_name_that_is_taken_is_named() -> None:
    """It may belong to a process of another kind."""
    async with otp.open_process() as me:
        otp.register("c", me)
        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start(otp.child(Server).having(name="c", id=1))
        assert f"Server did not start: the name 'c' belongs to {me!r}" == str(caught.value)
        registry = await otp.start(otp.child(otp.Registry, keys="unique").having(name="reg"))
        via = otp.registry("reg").via("k")
        held = await otp.start(otp.child(Server).having(name=via))
        with pytest.raises(otp.AlreadyStarted, match=r"the name \('via', 'reg', 'k'\) belongs to"):
            await otp.start(otp.child(Server).having(name=via))
        assert otp.is_alive(held)
        assert otp.is_alive(registry)


async def test_a_registry_that_does_not_run_is_told_so() -> None:
    """By whatever uses it: a start under a name in it, a call, a key."""
    registry = otp.registry("nope")
    told = r"registry 'nope' is not running; put it before the children that use it"
    async with otp.open_process():
        with pytest.raises(otp.StartError, match=rf"Server did not start: NoProcess: {told}"):
            await otp.start(otp.child(Server).having(name=registry.via("k")))
        for use in (
            lambda: registry.register("k"),
            lambda: registry.lookup("k"),
            lambda: otp.send(registry.via("k"), 1),
        ):
            with pytest.raises(otp.NoProcess, match=told):
                use()


@pytest.mark.parametrize(
    ("ref", "hint"),
    [("COUNTER", "'counter'"), ("Counter", "'counter'"), ("counter1", "'counter'"), ("x", None)],
)
async def test_a_name_that_nobody_has_brings_the_nearest_to_mind(
    ref: str, hint: str | None
) -> None:
    """It is told by each function that needs somebody, and also when the run is over."""
    errors: list[otp.NoProcess] = []
    async with otp.open_supervisor([otp.child(Server).having(name="counter")]):
        slow = Server.at(ref).slow
        for use in (lambda: otp.call(ref, 1), lambda: slow(1), lambda: otp.stop(ref)):
            with pytest.raises(otp.NoProcess) as caught:
                await use()
            errors.append(caught.value)
        with pytest.raises(otp.NoProcess) as caught:
            otp.send(ref, 1)
        errors.append(caught.value)
    end = "" if hint is None else f"; did you mean {hint}?"
    for error in errors:
        assert str(error).startswith(f"no process behind {ref!r}")
        assert ("did you mean" in str(error)) == (hint is not None)
        for twin in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
            assert str(twin).endswith(end)


async def test_of_very_many_names_the_oldest_and_the_newest_are_looked_at() -> None:
    """To look at all of them, for each try of who waits for one, would take long."""
    async with otp.open_process():
        names = runtime().names
        for name in (
            "catalogue",
            *(f"visitor {number}" for number in range(10_000)),
            "till",
        ):
            names[name] = None
        hints = {"catalog": "'catalogue'", "tills": "'till'", "visitor 5000": None}
        for ref, hint in hints.items():
            with pytest.raises(otp.NoProcess) as caught:
                await otp.call(ref, 1)
            assert len(caught.value._known) <= 200
            assert (f"; did you mean {hint}?" in str(caught.value)) == (hint is not None)
        names.clear()


async def test_one_of_many_is_not_suggested_for_another() -> None:
    """Where names differ in a number alone, both are right, and one is not there."""
    async with otp.open_process():
        await otp.start(otp.child(Server).having(name="room 7"))
        for ref, hint in {"room 8": False, "rom 7": True, "room 7b": True}.items():
            with pytest.raises(otp.NoProcess) as caught:
                await otp.call(ref, 1)
            assert ("; did you mean 'room 7'?" in str(caught.value)) == hint


async def test_a_key_of_a_registry_brings_the_nearest_to_mind() -> None:
    """Of text or of several parts; and the name of the registry itself does as well."""
    registry, mistaken = otp.registry("rooms"), otp.registry("room")
    children = [
        otp.child(otp.Registry, keys="unique").having(name="rooms"),
        otp.child(Server).having(name=registry.via("lobby"), id=1),
        otp.child(Server).having(name=registry.via(("floor", "attic")), id=2),
        otp.child(Server).having(name=registry.via(("seat", 7)), id=3),
    ]
    hints = {
        registry.via("loby"): "'lobby'",
        registry.via(("flooor", "attic")): "('floor', 'attic')",
        registry.via(("seat", 8)): None,
        mistaken.via("lobby"): "'rooms'",
        ("via", otp.PartitionSupervisor, ("rom", 1)): "'rooms'",
    }
    async with otp.open_supervisor(children):
        for ref, hint in hints.items():
            for use in (lambda ref=ref: otp.call(ref, 1), lambda ref=ref: otp.stop(ref)):
                with pytest.raises(otp.NoProcess) as caught:
                    await use()
                assert caught.value.server == ref
                assert str(caught.value).endswith("" if hint is None else f"; did you mean {hint}?")
                assert ("did you mean" in str(caught.value)) == (hint is not None)


async def test_a_name_whose_holder_is_exiting_is_not_suggested_for_itself() -> None:
    """It is still in the tables; another one that is like it may be meant."""
    registry = otp.registry("rooms")
    children = [
        otp.child(otp.Registry).having(name="rooms"),
        *(otp.child(Server).having(name=name) for name in ("db", "db_")),
        *(otp.child(Server).having(name=registry.via(key), id=key) for key in ("hall", "halls")),
    ]
    hints: dict[Any, str] = {"db": "'db_'", registry.via("hall"): "'halls'"}
    async with otp.open_supervisor(children):
        for ref, hint in hints.items():
            otp.exit(otp.whereis(ref), otp.KILL)  # type: ignore[arg-type]  # it is there
            with pytest.raises(otp.NoProcess) as caught:
                otp.send(ref, 1)
            assert str(caught.value).endswith(f"; did you mean {hint}?")


async def test_a_class_is_suggested_for_its_name() -> None:
    """And a name for a class: both are atoms."""
    async with otp.open_process():
        await otp.start(otp.child(Server).having(name=Server))
        with pytest.raises(otp.NoProcess, match=r"; did you mean Server\?"):
            await otp.call("server", 1)


# -- time-outs -------------------------------------------------------------------------------------


async def test_a_time_out_tells_what_the_server_does(autojump_clock: Any) -> None:
    """With this call, with another one, since when, and how many wait behind it."""
    async with otp.open_process(), trio.open_nursery() as nursery:
        pid = await otp.start(Server)
        with pytest.raises(otp.CallTimeout, match=r": handling this call for 5\.0 s, at \S+$"):
            await Server.slow(pid, 100)
        for _ in range(3):
            otp.cast(pid, "more")
        with pytest.raises(
            otp.CallTimeout, match=r": handling `slow\(100\)` for 12\.0 s, at \S+; 4 waiting$"
        ):
            await Server.at(pid, timeout=7).slow(1)
        nursery.cancel_scope.cancel()
        otp.exit(pid, otp.KILL)
    async with otp.open_process():
        machine = await otp.start(Deferring)
        with pytest.raises(otp.CallTimeout, match=r"\(request 'x'\): idle, and has left "):
            await otp.call(machine, "x")


class Deferring(otp.GenServer):
    """Answers nobody."""

    def handle_call(self, request: Any, from_: otp.From[Any]) -> otp.NoReply:
        """Leave it."""
        return otp.NoReply()
