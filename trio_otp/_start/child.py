"""Child specifications: one way to say what can be started, and the functions that start it.

A child is a behaviour class, or any Trio async function, with its arguments. A bare class or async
function stands for itself without arguments. So does a function that makes a server, if it is
annotated with the class. Follows: Elixir's `Supervisor`, section "Child specification".
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    ParamSpec,
    Protocol,
    TypeAlias,
    TypeVar,
    TypeVarTuple,
    Unpack,
    cast,
    overload,
)

from .._behaviour.behaviour import Behaviour
from .._behaviour.child_options import CHECKS, check_may_have_bound, check_options
from .._exits.errors import SpecError
from .._util.async_functions import expect_awaitable, gives_awaitable
from .._util.bounded import bounded, label_of
from .._util.copies import Mark
from .._util.public import public
from .arguments import check_child, shown_child_arguments, takes_task_status
from .spec import ChildSpec, Runnable
from .start import acknowledge
from .targets import behaviour_of, check_kind, is_behaviour, maker, unaliased

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .._behaviour.child_options import ChildOptions
    from .._process.process import Process

P = ParamSpec("P")
B = TypeVar("B", bound=Behaviour)
S_co = TypeVar("S_co", covariant=True)
Ts = TypeVarTuple("Ts")
_KEEP: Final[Any] = Mark.KEEP
_keep: Final = object.__setattr__  # in what is frozen, and stays what it is


class _Specified:
    """Room for what a child has worked out once: a start asks for its specification often."""

    __slots__ = ("_runs", "_spec")
    _runs: Runnable | None
    _spec: ChildSpec | None


@public
@dataclass(frozen=True, slots=True, repr=False)
class Child(_Specified, Generic[S_co]):
    """What can be started: a target with its arguments, and options. `otp.child` makes one.

    Args:
        target: a behaviour class, or an async function.
        args: its positional arguments.
        kwargs: its arguments by name.
        options: those of `having`, by name.
    """

    target: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict[str, Any])
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    def __post_init__(self) -> None:
        """Begin with nothing worked out."""
        _keep(self, "_runs", None)
        _keep(self, "_spec", None)

    def __reduce__(self) -> Any:
        """Return what makes it anew: a copy works out by itself what this one has."""
        return type(self), (self.target, self.args, self.kwargs, self.options)

    def having(self, **options: Unpack[ChildOptions]) -> Child[S_co]:
        """Return the same child with other options; those left out stay as they are.

        Args:
            **options: any of these; all but `name` may stand in the class statement too.
                * `name`: an atom or via tuple that the process registers before its init.
                * `id`: what its supervisor calls it; else the name, or the name of class or
                  function.
                * `restart`: `permanent` always, `transient` after a crash, `temporary` never.
                * `shutdown`: seconds it gets to end; `brutal_kill` kills at once; None waits
                  forever.
                * `significant`: whether its end can end the supervisor, see `auto_shutdown`.
                * `timeout`: seconds its init may take; None for no limit.
                * `type`: `worker` or `supervisor`.
                * `debug`: a list of what of `otp.sys` is on from the start: `"trace"`,
                  `"statistics"`, `"log"`, `("log", count)`, `("trace", target)`,
                  `("log_to_file", path)`, `("install", function)`, which may have a state and an
                  id behind it.
                * `backoff`: `otp.Backoff(...)` delays its restarts; None has none, and
                  `supervisor` that of its supervisor.
                * `mailbox`: an `otp.BoundedMailbox`, which says how many messages may wait; None
                  for any number. A supervisor has none.
                * `skip_abandoned`: whether calls whose callers have given up are left unhandled;
                  with a bound they always are.

        Raises:
            SpecError: there is no such option, or its value is not what it expects.
        """
        check_options(options, CHECKS)
        if options.get("mailbox") is not None:
            check_may_have_bound(self.runs.behaviour)
        return replace(self, options={**self.options, **options})

    @property
    def spec(self) -> ChildSpec:
        """What a supervisor makes of it: the options with every default filled in."""
        spec = self._spec
        if spec is None:
            spec = _spec_of(self)
            _keep(self, "_spec", spec)
        return spec

    @property
    def runs(self) -> Runnable:
        """What its process runs, with no arguments before its own."""
        runs = self._runs
        if runs is None:
            runs = runnable_of(self)
            _keep(self, "_runs", runs)
        return runs

    def __repr__(self) -> str:
        arguments = shown_child_arguments(self.target, self.args, self.kwargs)
        options = "".join(f" {key}={bounded(value)}" for key, value in self.options.items())
        return f"<child {label_of(self.target)}({arguments}){options}>"


class Announces(Protocol[*Ts]):
    """A function that has to be given `task_status`, which the library does."""

    @property  # so that for mypy this is no likely reason why a class is refused
    def __globals__(self) -> dict[str, object]: ...

    def __call__(self, *args: *Ts, task_status: Any) -> Awaitable[object]:
        """Run."""
        ...


@overload
def child(target: Callable[P, B], /, *args: P.args, **kwargs: P.kwargs) -> Child[B]: ...
@overload
def child(
    target: Callable[P, Awaitable[object]], /, *args: P.args, **kwargs: P.kwargs
) -> Child[None]: ...
@overload
def child(target: Announces[*Ts], /, *args: *Ts, **kwargs: Any) -> Child[None]: ...
@public  # type: ignore[misc]  # for mypy `*args: Any` does not take all that `*Ts` can be
def child(target: Any, /, *args: Any, **kwargs: Any) -> Child[Any]:
    """Return a description of what can be started, without starting it.

    Args:
        target: a behaviour class, or any Trio async function. A function that takes
            `task_status` has started when it calls `task_status.started(value)`. A partial of a
            class will do, an alias as `Box[int]`, and a function whose annotation says that it
            returns a server.
        *args: positional arguments of its constructor or call.
        **kwargs: keyword arguments; options are given by `.having(...)`, so no word is reserved.

    Raises:
        TypeError: the target is neither, as a plain function, for which there is
            `otp.WorkerThread`; or it does not take the arguments.

    >>> import trio_otp as otp
    >>> class Cache(otp.GenServer):
    ...     def __init__(self, limit: int = 1000) -> None:
    ...         self.limit = limit
    >>> otp.child(Cache, limit=10).having(name="cache", restart="transient", shutdown=2.0)
    <child Cache(limit=10) name='cache' restart='transient' shutdown=2.0>

    Follows: `Supervisor.child_spec/2`.
    """
    return Child(check_target(target, args, kwargs), args, kwargs)


def check_target(
    target: object, args: tuple[object, ...], kwargs: dict[str, object], *, partial: bool = False
) -> Any:
    """Refuse what cannot be started, and give what can; `partial` if more arguments are to come."""
    if isinstance(target, Child):
        raise TypeError(f"target={target!r} is already a child; write .having(...) for options")
    if not callable(target):
        expected = f"expected a behaviour class or an async function{_hint(target)}"
        raise TypeError(f"target={bounded(target)}: {expected}")
    check_kind(target)
    target = unaliased(target)
    check_child(target, args, kwargs, partial=partial)
    return target


AnyChild: TypeAlias = "Child[B] | type[B]"


def _hint(target: object) -> str:
    """Return what is to be written in the place of something that cannot be started."""
    if isinstance(target, str):
        return f", not its name; write otp.child({target})" if target.isidentifier() else ""
    if isinstance(target, Behaviour):
        return f"; write otp.child({type(target).__name__}, *args), which makes it at each start"
    return "; write otp.child(fn, *args), not otp.child(fn(*args))"


def as_child(what: Any) -> Child[Any]:
    """Turn whatever stands for a child into a `Child`: a bare class or function for itself."""
    if what.__class__ is Child:
        return what
    target: Any = what
    if is_behaviour(what):
        return _bare(target)
    if callable(what) and not isinstance(what, type):
        return child(target)
    accepted = "otp.child(target, *args), a behaviour class or an async function"
    raise SpecError(f"{bounded(what)} is not a child; expected {accepted}{_line_for(what)}")


def _line_for(what: object) -> str:
    """Return the child that was meant by an instance, or by a tuple as in Elixir."""
    if isinstance(what, Behaviour):
        return f"; write otp.child({type(what).__name__}, *args)"
    cls, *args = cast("tuple[object, ...]", what) if isinstance(what, tuple) and what else (None,)
    shown = ", ".join([label_of(cls), *(bounded(each, 60) for each in args)])
    return f"; write otp.child({shown})" if is_behaviour(cls) else ""


@lru_cache(maxsize=512)
def _bare(behaviour: type[Behaviour]) -> Child[Any]:
    """Return what a class stands for; checking what its constructor takes is slow."""
    return child(behaviour)


def runnable_of(child: Child[Any], extra: tuple[object, ...] = ()) -> Runnable:
    """Return what the process of a child runs, with arguments that come before its own."""
    target, args = child.target, (*extra, *child.args)
    runs = Runnable(label_of(target))
    behaviour = behaviour_of(target)
    if behaviour is not None:
        runs.behaviour = behaviour
        runs.make = maker(target, args, child.kwargs)
    else:
        runs.body = _body(target, args, child.kwargs)
    return runs


def _spec_of(child: Child[Any]) -> ChildSpec:
    """Fill in the defaults of the options: those of its class, then those of all children."""
    behaviour: object = child.runs.behaviour
    options: dict[str, Any] = {"debug": ()} if behaviour is None else _defaults_of(behaviour)
    options = {**options, **child.options}
    if "id" not in options:
        options["id"] = options.get("name") or child.runs.label
    if options["debug"].__class__ is not tuple:
        options["debug"] = tuple(options["debug"])
    return ChildSpec(**options)


@lru_cache(maxsize=512)
def _defaults_of(behaviour: type[Behaviour]) -> dict[str, object]:
    """Return the options of a class, with what holds for all of its kind; nobody changes them."""
    options: dict[str, Any] = {"type": behaviour.child_type, **behaviour.child_options}
    if behaviour.child_type == "supervisor":
        options.setdefault("shutdown", None)
    options["debug"] = tuple(options.get("debug", ()))
    return options


def _body(
    target: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> Callable[[Process], Awaitable[object]]:
    async def run_function(process: Process) -> None:
        await _run_function(process, target, args, kwargs)

    return run_function


async def _run_function(
    process: Process,
    target: Callable[..., Any],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    starting = process.starting
    assert starting is not None
    if "task_status" in kwargs or not takes_task_status(target):
        if gives_awaitable(target):
            starting.ack()
            result = await target(*args, **kwargs)
        else:  # only the call can tell: a plain function is a failed start, not a crash after it
            running = expect_awaitable(target, target(*args, **kwargs))
            starting.ack()
            result = await running
        if isinstance(result, Behaviour):
            expect_awaitable(target, result)
        return
    status = _TaskStatus(process)
    await expect_awaitable(target, target(*args, **kwargs, task_status=status))
    if process.starting is not None:
        raise RuntimeError(f"{label_of(target)} ended without calling task_status.started()")


class _TaskStatus:
    """What a function child gets as `task_status`."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def started(self, value: object = None) -> None:
        """Report that the child has started."""
        acknowledge(self._process, value, "task_status.started() was called twice")
