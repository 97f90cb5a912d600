"""What is remembered of an exit reason says the same and holds nothing."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import trio
import trio.testing
from inside import bounded, remembered
from supervision_kit import Boom

import trio_otp as otp


class State:
    """What a dead process leaves behind."""

    def __repr__(self) -> str:
        return "<State>"


class Coded(Exception):
    def __init__(self, code: int, state: Any) -> None:
        super().__init__(f"code {code}")
        self.code = code
        self.state = state


class FromState(Exception):
    """One whose text needs what cannot be kept."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.state = state

    def __str__(self) -> str:
        return f"bad state {self.state!r}"


class Awkward(Exception):
    """One that cannot be made anew from its arguments."""

    def __new__(cls, *, needed: Any) -> Awkward:
        assert needed
        return super().__new__(cls, "made in new")

    def __init__(self, *, needed: Any) -> None:
        super().__init__("made in init")


class Broken(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def raised(exc: BaseException) -> BaseException:
    """Return an exception with a traceback."""
    try:
        raise exc
    except BaseException as caught:
        return caught


def chained(exc: BaseException, cause: BaseException) -> BaseException:
    exc.__cause__ = cause
    return raised(exc)


def noted(exc: BaseException, note: str) -> BaseException:
    exc.add_note(note)
    return raised(exc)


EXCEPTIONS: list[BaseException] = [
    ValueError(),
    ValueError("bad", 3),
    KeyError("key"),
    FileNotFoundError(2, "no such file", "shop.db"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    SyntaxError("invalid", ("shop.py", 1, 2, "x =" + " ", 1, 3)),
    StopIteration(7),
    ImportError("no module", name="shop"),
    SystemExit(3),
    Boom("why"),
    Coded(7, State()),
    FromState(State()),
    Awkward(needed=True),
    ValueError(State()),
    ExceptionGroup("several", [ValueError("one"), KeyError("two")]),
    BaseExceptionGroup("some", [KeyboardInterrupt()]),
    otp.CallTimeout("server", "request", 1.5),
    otp.ServerExited("server", ValueError("bad"), "request"),
    otp.StartError(otp.Shutdown("why")),
]


@pytest.mark.parametrize("exc", EXCEPTIONS, ids=lambda exc: type(exc).__name__)
def test_class_and_texts_are_those_of_the_exception(exc: BaseException) -> None:
    """Also of classes that take other arguments, or whose text needs what is not kept."""
    kept: Any = remembered(raised(exc))

    assert isinstance(kept, type(exc))
    assert (str(exc), repr(exc)) == (str(kept), repr(kept))
    assert type(exc).__name__ == type(kept).__name__
    assert (None, None) == (kept.__traceback__, kept.__context__)


@pytest.mark.parametrize("exc", EXCEPTIONS, ids=lambda exc: type(exc).__name__)
def test_the_exception_is_left_as_it_is(exc: BaseException) -> None:
    """Others hold it, and may raise it again."""
    raised(exc)
    before = (exc.__traceback__, exc.args, exc.__cause__, exc.__context__, dict(vars(exc)))
    remembered(exc)
    after = (exc.__traceback__, exc.args, exc.__cause__, exc.__context__, dict(vars(exc)))
    assert before == after


def test_plain_attributes_are_kept_and_others_are_not() -> None:
    """A code, a number, a note; no object of the user."""
    kept: Any = remembered(noted(Coded(7, State()), "while it was open"))
    assert (7, ["while it was open"]) == (kept.code, kept.__notes__)
    assert not hasattr(kept, "state")
    error: Any = remembered(raised(FileNotFoundError(2, "no", "shop.db")))
    assert (2, "shop.db") == (error.errno, error.filename)


def test_the_object_of_an_attribute_error_is_let_go() -> None:
    """A misspelt `self.data` has `self` in the error, besides the frames."""
    state = State()
    gone = weakref.ref(state)
    try:
        state.missing  # type: ignore[attr-defined]  # noqa: B018 - on purpose
    except AttributeError as exc:
        kept: Any = remembered(exc)
    del state
    gc.collect()
    assert (None, "missing") == (gone(), kept.name)


def test_causes_are_kept_alike() -> None:
    """What it was raised from says as much as itself."""
    state = State()
    gone = weakref.ref(state)
    kept: Any = remembered(chained(RuntimeError("outer"), raised(ValueError(state))))
    del state
    gc.collect()
    assert ("ValueError(<State>)", None) == (repr(kept.__cause__), kept.__cause__.__traceback__)
    assert gone() is None


def test_no_long_text_is_kept() -> None:
    """Megabytes of an answer in a reason are a few hundred characters of it."""
    for reason in (ValueError("x" * 5_000_000), ValueError([b"x" * 5_000_000]), "x" * 5_000_000):
        kept: Any = remembered(reason)
        assert len(str(kept)) < 1000
        assert len(repr(kept)) < 1000
    kept = remembered(ExceptionGroup("many", [ValueError("x" * 5000) for _ in range(5000)]))
    assert len(kept.exceptions) <= 20


def test_an_exception_without_a_text_is_one() -> None:
    """Its `str` and `repr` raise, and that is what is told."""
    kept: Any = remembered(raised(Broken()))
    assert isinstance(kept, Broken)
    assert "repr raised ZeroDivisionError" in bounded(kept)


def test_data_is_kept_as_it_is() -> None:
    """A reason that is no exception is the very object; what is nested in one is looked at."""
    for reason in (otp.NORMAL, otp.Shutdown("deploy"), "why", ("a", 1), State()):
        assert reason is remembered(reason)
    kept: Any = remembered(otp.Shutdown(raised(ValueError("bad"))))
    assert ("bad", None) == (str(kept.detail), kept.detail.__traceback__)
    pair: Any = remembered(("failed", raised(ValueError("bad"))))
    assert ("failed", None) == (pair[0], pair[1].__traceback__)


class Weak(otp.GenServer):
    """Has a state that can be seen to be gone."""

    def __init__(self, seen: list[weakref.ref[Any]]) -> None:
        self.state = State()
        seen.append(weakref.ref(self))
        seen.append(weakref.ref(self.state))

    def handle_cast(self, message: Any) -> None:
        raise ValueError(message, self.state)


def alive(seen: list[weakref.ref[Any]]) -> int:
    gc.collect()
    return sum(each() is not None for each in seen)


def log_nothing() -> None:
    """Keep reports from the handlers of pytest, which hold every record of a test."""
    otp.events.detach("crash", otp.reports.log_crash)
    otp.events.detach("supervisor", otp.reports.log_supervisor)


async def test_a_supervisor_holds_nothing_of_the_dead() -> None:
    """Of servers that crashed, and were restarted or forgotten, only what is said is kept."""
    log_nothing()
    seen: list[weakref.ref[Any]] = []
    child = otp.child(Weak, seen)
    many = otp.child(otp.DynamicSupervisor).having(name="many")
    async with otp.open_supervisor([child.having(name="weak"), many], max_restarts=20) as sup:
        for number in range(10):
            otp.cast("weak", number)
            once = await otp.start_child("many", child.having(restart="temporary"))
            otp.cast(once, number)
            await trio.testing.wait_all_tasks_blocked()
        assert 2 == alive(seen)  # the one that lives, and its state
        for ref in (sup, "many"):
            info = otp.process_info(ref)
            assert info is not None
            assert [f"ValueError({number}, <State>)" for number in range(10)] == [
                repr(reason) for _, _, reason in info.history
            ]


async def test_a_supervisor_holds_nothing_of_the_dead_while_their_restarts_wait() -> None:
    """A back-off may take an hour, and the state of each dead child would be kept for as long."""
    log_nothing()
    seen: list[weakref.ref[Any]] = []
    backoff = otp.Backoff(min_delay=3600, max_delay=3600)
    child = otp.child(Weak, seen).having(name="weak", backoff=backoff)
    many = otp.child(otp.DynamicSupervisor).having(name="many")
    async with otp.open_supervisor([child, many]) as sup:
        await otp.start_child("many", child.having(name="other"))
        for name in ("weak", "other"):
            otp.cast(name, "crash")
        await trio.testing.wait_all_tasks_blocked()
        for ref in (sup, "many"):
            assert "restarting" == (await otp.which_children(ref))[0].status
        assert 0 == alive(seen)


async def give_up(seen: list[weakref.ref[Any]]) -> tuple[Any, otp.SupervisorExited]:
    """Let a server crash until its supervisor gives up; give both what is left of that."""
    child = otp.child(Weak, seen).having(name="weak")
    try:
        async with otp.open_supervisor([child], max_restarts=2) as handle:
            while True:
                otp.cast("weak", "crash")
                await trio.testing.wait_all_tasks_blocked()
    except otp.SupervisorExited as exc:
        return handle, exc


async def test_the_reason_of_a_supervisor_that_gave_up_is_the_crash_itself() -> None:
    """The last crash is the cause, as it was raised; earlier ones say what they said."""
    log_nothing()
    seen: list[weakref.ref[Any]] = []
    _, error = await give_up(seen)
    crash = error.__cause__
    assert isinstance(crash, ValueError)
    assert crash.__traceback__ is not None
    *earlier, last = [reason for _, _, reason in error.history]
    assert crash is last
    assert [(ValueError, None)] * 2 == [(type(r), getattr(r, "__traceback__", 1)) for r in earlier]
    assert "0.0 s ago: child 'weak': ValueError: ('crash', <State>)" in str(error)


async def test_the_handle_of_a_supervisor_that_gave_up_holds_nothing() -> None:
    """What it gave up for is in the error, and goes with that."""
    log_nothing()
    seen: list[weakref.ref[Any]] = []
    handle, error = await give_up(seen)
    assert 2 == alive(seen)
    del error
    await trio.testing.wait_all_tasks_blocked()
    assert 0 == alive(seen)
    assert "ended" in repr(handle)


class Sealed(Exception):
    """A class that forbids subclasses, and whose text needs what cannot be kept."""

    def __init__(self, state: Any) -> None:
        super().__init__()
        self.state = state

    def __init_subclass__(cls) -> None:
        raise TypeError("sealed")

    def __str__(self) -> str:
        return f"bad state {self.state!r}"


def test_the_text_of_a_sealed_class_is_kept() -> None:
    """If no instance of the class can be made, a plain exception has its text."""
    kept = remembered(Sealed(State()))
    assert ("bad state <State>", Exception) == (str(kept), type(kept))
