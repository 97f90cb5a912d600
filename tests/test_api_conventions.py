"""What all public functions, classes and errors have in common: names, keywords, bases."""

from __future__ import annotations

import builtins
import enum
import inspect
import re
from dataclasses import is_dataclass
from types import FunctionType
from typing import TYPE_CHECKING, Any

import public_api
import pytest
import trio
from inside import CHECKS, ChildOptions, ClassOptions, NoConstructor

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Names of builtins that are parameters because OTP has these names: {name: (what, OTP's)}.
OTPS_NAMES = {
    "trio_otp.ChildSpec": {"id", "type"},  # child_spec()
    "trio_otp.ChildInfo": {"id", "type"},  # {Id, Child, Type, Modules} of which_children
    "trio_otp.GenEvent.at": {"id"},  # handler() = Module | {Module, Id}
    "trio_otp.SwapHandler": {"id"},
    "trio_otp.gen_event.add_handler": {"id"},
    "trio_otp.gen_event.add_sup_handler": {"id"},
    "trio_otp.gen_event.swap_handler": {"id"},
    "trio_otp.gen_event.swap_sup_handler": {"id"},
    "trio_otp.application.start": {"type"},  # application:start(Application, Type)
    "trio_otp.application.ensure_started": {"type"},
    "trio_otp.application.ensure_all_started": {"type"},
    "trio_otp.open_application": {"type"},
    "trio_otp.run": {"type"},
    "trio_otp.task.Exited": {"input"},  # {:exit, {input, reason}} with zip_input_on_exit
}
# Errors that are none of the library: what a test is told, or makes happen.
OF_TESTS = {"Leaked", "Standstill", "InjectedCrash", "MachineCrash", "ChaosCrash"}
CRASH = ValueError("bad")
BUILTINS = vars(builtins).keys() - {"_"}  # which a prompt, and so a doctest, leaves there


def callables() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield what users call: functions, methods of classes, and constructors, by their names."""
    for namespace, name, value in public_api.exported():
        full = f"{namespace}.{name}"
        if isinstance(value, FunctionType):
            yield full, value
        elif isinstance(value, type) and value.__module__.startswith("trio_otp"):
            if not issubclass(value, enum.Enum | NoConstructor):
                yield full, value
            yield from methods(full, value)


def methods(full: str, cls: type[Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public methods of a class, with those it has of the library's other classes."""
    for name, member in inspect.getmembers_static(cls):
        function = getattr(member, "__func__", member)
        ours = str(getattr(function, "__module__", "")).startswith("trio_otp")
        if isinstance(function, FunctionType) and ours and not name.startswith("_"):
            yield f"{full}.{name}", function


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters, without the one that a method is bound to."""
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:  # of a class in C
        return []
    return [each for each in found if each.name not in {"self", "cls"}]


# One that several classes have, or that is exported twice, stands there under its first name.
CALLABLES = {
    name: function for function, name in {f: n for n, f in reversed([*callables()])}.items()
}


def test_a_timeout_is_given_by_name() -> None:
    """A number that stands alone does not say that it is seconds."""
    assert [] == [
        name
        for name, function in CALLABLES.items()
        for each in parameters(function)
        if each.name == "timeout" and each.kind is not each.KEYWORD_ONLY
    ]


def test_a_first_argument_that_is_a_reference_is_called_ref() -> None:
    """Several of them are `refs`. What takes a pid alone says `pid`; fields are data."""
    assert [] == [
        (name, found[0].name)
        for name, function in CALLABLES.items()
        if not is_dataclass(function) and (found := parameters(function))
        if re.search(r"\b(Ref|Name)\b", str(found[0].annotation))
        if found[0].name not in {"ref", "refs"}
    ]


def test_a_parameter_has_the_name_of_a_builtin_only_where_otp_has_it() -> None:
    """All others hide a builtin for no reason."""
    found = {
        name: hidden
        for name, function in CALLABLES.items()
        if (hidden := {each.name for each in parameters(function)} & BUILTINS)
    }
    assert OTPS_NAMES == found


def errors() -> dict[str, type[Exception]]:
    """Return the public errors by their names."""
    return {
        name: value
        for _, name, value in public_api.exported()
        if isinstance(value, type) and issubclass(value, Exception)
        if not issubclass(value, Warning)
    }


def test_every_error_is_an_otp_error() -> None:
    """One `except` takes all of them."""
    strangers = {name for name, error in errors().items() if not issubclass(error, otp.OtpError)}
    assert strangers <= OF_TESTS


def test_every_time_out_is_a_timed_out() -> None:
    """One `except` takes all of them, also one that knows Trio alone."""
    late = {name for name, error in errors().items() if issubclass(error, trio.TooSlowError)}
    own = {"CallTimeout", "CheckoutTimeout", "ReceiveTimeout", "TaskTimeout", "WaitTimeout"}
    assert {"TimedOut", *own} == late
    assert late == {name for name, error in errors().items() if issubclass(error, otp.TimedOut)}


@pytest.mark.parametrize(
    "error",
    [
        otp.StartError(CRASH),
        otp.StartError(otp.Shutdown(CRASH)),
        otp.FailedToStartChild("db", CRASH),
        otp.ServerExited("db", CRASH),
        otp.CallbackFailed("code_change", CRASH),
        otp.ProcessExited(CRASH),
        otp.TaskExited(None, CRASH),
        otp.HandlerCrashed(otp.GenEvent, CRASH),
        otp.SupervisorExited(otp.SHUTDOWN, [(0.0, "db", CRASH)]),
        otp.ApplicationExited("shop", otp.SHUTDOWN, [(0.0, "db", CRASH)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_crash_behind_an_error_is_its_cause(error: otp.OtpError) -> None:
    """A traceback shows it."""
    assert error.__cause__ is CRASH


def test_a_reason_that_is_no_crash_is_no_cause() -> None:
    """The context of the error is shown as ever."""
    error = otp.ServerExited("db", otp.KILLED)
    assert (None, False) == (error.__cause__, error.__suppress_context__)


def test_a_class_statement_takes_every_option_but_the_name() -> None:
    """It is the same table, of types and of checks, that `having` reads."""
    assert CHECKS.keys() == ChildOptions.__annotations__.keys()
    assert ClassOptions.__annotations__.keys() == ChildOptions.__annotations__.keys() - {"name"}
    for statement in (otp.GenServer, otp.Supervisor, otp.GenStatem, otp.Agent, otp.Port):
        [options] = inspect.signature(statement.__init_subclass__).parameters.values()
        assert "Unpack[ClassOptions]" == options.annotation
