"""Whether a function gives something to await, asked before a process is made to call it.

A plain function that is started by mistake would run, block the loop, and run again at each
restart. Where it can be known that it is one it is refused in the caller; where only the call can
tell, as for a lambda or a decorated function, what it returned is checked by `expect_awaitable`.
"""

from __future__ import annotations

import dis
import functools
import inspect
import sys
from types import (
    BuiltinFunctionType,
    CodeType,
    CoroutineType,
    FunctionType,
    MethodType,
    ModuleType,
)
from typing import TYPE_CHECKING, Any, Final

from .bounded import bounded, label_of
from .signature import check_arguments

if TYPE_CHECKING:
    from collections.abc import Awaitable

_NEVER_AWAITED: Final = frozenset(
    [None, bool, int, float, str, bytes, list, dict, tuple, set, frozenset]
)
_NEVER_AWAITED_NAMES: Final = frozenset(
    getattr(kind, "__name__", str(kind)) for kind in _NEVER_AWAITED
)
_ASYNC: Final = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE
_YIELDS: Final = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_CONSTANTS: Final = frozenset(["LOAD_CONST", "LOAD_SMALL_INT"])
_CALLED_AS_THEY_ARE: Final = (FunctionType, BuiltinFunctionType, type)


def gives_awaitable(function: object) -> bool | None:
    """Check whether what a function returns can be awaited; None if only a call can tell.

    Args:
        function: anything that can be called.

    >>> async def job(): ...
    >>> def plain(): print("no")
    >>> [gives_awaitable(each) for each in (job, functools.partial(job), plain, lambda: job())]
    [True, True, False, None]
    """
    inner = innermost(function)
    if isinstance(inner, FunctionType):
        flags = inner.__code__.co_flags
        if flags & _ASYNC or inspect.iscoroutinefunction(function):
            return True
        return False if _is_plain(inner) else None
    if inspect.iscoroutinefunction(function):  # pragma: no cover - marked so, as of Python 3.12
        return True
    return False if _is_plain_builtin(inner) else None


def innermost(function: object) -> Any:
    """Return the function behind partials, methods and objects that can be called."""
    while not isinstance(function, _CALLED_AS_THEY_ARE):
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        else:
            kind: Any = function.__class__
            call = inspect.getattr_static(kind, "__call__", None)
            if not isinstance(call, FunctionType):
                return function
            function = call
    return function


def check_async(function: object, args: tuple[Any, ...], line: str) -> None:
    """Refuse what no process can run: what is not an async function or does not take its arguments.

    Args:
        function: what is to be called.
        args: its positional arguments.
        line: how it is written, for the text.

    Raises:
        TypeError: it cannot be called, makes a server, is known to be a plain function, or does not
            take `args`.
    """
    if type(function) is FunctionType and function.__code__.co_flags & inspect.CO_COROUTINE:
        check_arguments(function, args)  # as a rule
        return
    made = function
    while isinstance(made, functools.partial):
        made = made.func
    made = getattr(made, "__origin__", made)
    if isinstance(made, type) and hasattr(made, "run_process"):  # a Behaviour, which is above
        line = f"await otp.start_link(otp.child({made.__name__}, *args))"
        raise TypeError(f"fn={bounded(function)} makes a server; write {line}")
    if not callable(function):
        shown = bounded(function)
        raise TypeError(f"fn={shown}: expected an async function; write {line}")
    refuse_plain(function, "fn")
    check_arguments(function, args)


def refuse_plain(function: object, argument: str, expected: str | None = None) -> None:
    """Refuse what is known to be a plain function.

    Args:
        function: what can be called.
        argument: the name of the argument, for the text.
        expected: what is, for the text; None for any async function.

    Raises:
        TypeError: nothing that it returns could be awaited.
    """
    if gives_awaitable(function) is False:
        kind = generator_kind(innermost(function)) or "a plain function"
        text = expected or _expected(function)
        raise TypeError(f"{argument}={bounded(function)} is {kind}; {text}")


def expect_awaitable(function: object, result: object) -> Awaitable[Any]:
    """Return what an async function returned; refuse the result of any other, with its name."""
    made: Any = result
    if made.__class__ is CoroutineType or inspect.isawaitable(made):
        running: Awaitable[Any] = made
        return running
    made = made.__class__
    text = _expected(function)
    if hasattr(made, "run_process"):  # a behaviour: what it is as a child had to be known before
        text = f"write otp.child({made.__name__}, *args), or annotate it with -> {made.__name__}"
    raise TypeError(f"{label_of(function)} returned {bounded(result)}; {text}")


def _expected(function: object) -> str:
    """Describe what is expected in the place of a plain function."""
    line = f"otp.child(otp.WorkerThread, {label_of(function)})"
    return f"expected an async function; for one that blocks write {line}"


def generator_kind(function: object) -> str | None:
    """Name what a generator function is, async or not; None for one that gives an awaitable."""
    if inspect.isasyncgenfunction(function):
        return "an async generator"
    if not inspect.isgeneratorfunction(function):
        return None
    made_awaitable = function.__code__.co_flags & inspect.CO_ITERABLE_COROUTINE
    return None if made_awaitable else "a generator"


def _is_said_plain(function: FunctionType) -> bool:
    """Check whether the annotation names a value; that of a decorated function is another's."""
    if hasattr(function, "__wrapped__"):
        return False
    try:
        said: Any = function.__annotations__.get("return", function)
    except Exception:  # pragma: no cover - Python 3.14 computes them: a name may be missing
        return False
    if isinstance(said, str):
        return said.partition("[")[0] in _NEVER_AWAITED_NAMES
    kind = getattr(said, "__origin__", said)
    return kind is None or any(kind is each for each in _NEVER_AWAITED)


def _is_plain(function: FunctionType) -> bool:
    """Check whether a function always returns what cannot be awaited.

    One that raises by itself may have its end in that, as `otp.exit` has.
    """
    if function.__code__.co_flags & _YIELDS:
        return True
    raises, returns_constants = _ways_out(function.__code__)
    return not raises and (returns_constants or _is_said_plain(function))


@functools.lru_cache(maxsize=512)
def _ways_out(code: CodeType) -> tuple[bool, bool]:
    """Check whether a function raises by itself, and whether it returns constants alone."""
    before, raises, constant = "", False, True
    for instruction in dis.get_instructions(code):
        if instruction.opname == "RAISE_VARARGS":
            raises = True
        elif instruction.opname == "RETURN_VALUE":
            constant &= before in _CONSTANTS and not instruction.is_jump_target
        before = instruction.opname
    return raises, constant


def _is_plain_builtin(function: object) -> bool:
    """Check whether it is a function in C of the standard library: none is to be awaited."""
    if not isinstance(function, BuiltinFunctionType) or function is anext:
        return False
    module = function.__self__
    return isinstance(module, ModuleType) and module.__name__ in sys.stdlib_module_names
