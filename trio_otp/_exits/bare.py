"""Errors as users meet them: bare, public and whole.

An error comes up through nurseries, each of which puts it into a group, and past classes that only
carry something inside of the library. What becomes an exit reason, is told to a caller or leaves a
block is taken out of both here. Rules this file and `nurseries` keep:

* A nursery of the library takes off its own group, exactly that, and hands on the object that its
  body has raised.
* A nursery in a callback or in the body of a block is the user's, and its group is known by Trio's
  words. A group of one with these is taken off, as often as nurseries were nested; any other stays,
  with all that is in it.
* `SystemExit` and `KeyboardInterrupt` are told alone, whatever they came up with. What they outdo
  becomes their context.
* `ProcessExit` and the like are on no chain of causes and contexts. One that meets an error becomes
  the context of that error, as a `ProcessExited`.

Follows: `trio.open_nursery`; PEP 654, "Exception Groups and except*".
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from operator import is_
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeGuard, cast
from weakref import ref

import trio

from .._util.bounded import bounded
from .errors import ProcessExited
from .reasons import Internal, ProcessExit

if TYPE_CHECKING:
    from collections.abc import Callable

NURSERY_TEXT: Final = "Exceptions from Trio nursery"  # how Trio calls the group of a nursery


# -- what becomes a reason -------------------------------------------------------------------------


def unwrap(exc: BaseException) -> BaseException:
    """Take off the groups of one that Trio nurseries have made.

    Args:
        exc: what came out of a user's code.
    """
    while _is_of_nursery(exc) and len(exc.exceptions) == 1:
        (only,) = exc.exceptions
        for note in getattr(exc, "__notes__", ()):
            if note not in getattr(only, "__notes__", ()):
                only.add_note(note)
        exc = only
    return exc


def as_group(exc: BaseException | None) -> BaseExceptionGroup[BaseException] | None:
    """Return an exception if it is a group, for a checker one of which all is known."""
    group: Any = exc
    return group if isinstance(exc, BaseExceptionGroup) else None


def _is_of_nursery(exc: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    group = as_group(exc)
    plain = group is not None and group.__class__ in (BaseExceptionGroup, ExceptionGroup)
    return plain and group is not None and group.message == NURSERY_TEXT


def reason_of(exc: BaseException) -> object:
    """Turn what ended a process body, or a callback, into its exit reason."""
    if as_group(exc) is None and not isinstance(exc, ProcessExit) and _stands_alone(exc):
        return exc  # as a rule
    error, leaving = part(exc)
    if error is None:
        assert leaving is not None
        return as_reason(leaving.reason)
    error = essence([unwrap(error)])
    if leaving is not None:
        put_under(error, exited(leaving))
    return publish(error)


def as_reason(reason: object) -> object:
    """Return a reason that a user has given, and has perhaps caught: then it may be private."""
    return reason_of(reason) if isinstance(reason, BaseException) else reason


def part(exc: BaseException) -> tuple[BaseException | None, ProcessExit | None]:
    """Separate the errors in what ended some code from an `otp.exit` among them."""
    if isinstance(exc, ProcessExit):
        return None, exc
    if (group := as_group(exc)) is not None and (exits := group.subgroup(ProcessExit)) is not None:
        errors = without(exc, _is_exit)
        return None if errors is None else unwrap(errors), cast("ProcessExit", _leaf(exits))
    return exc, None


def _is_exit(exc: BaseException) -> bool:
    return isinstance(exc, ProcessExit)


def essence(errors: list[BaseException]) -> BaseException:
    """Choose, of what happened at one time, what is told; it has the rest as its context.

    Args:
        errors: what happened, the most important first; at least one.
    """
    alone = _alone(errors)
    if alone is not None:
        return alone
    telling = [exc for exc in errors if not is_cancellation(exc)]
    if not telling:
        return _leaf(errors[0])
    if len(telling) == 1:
        return unwrap(telling[0])
    strangers = [exc for exc in telling if not isinstance(exc, Exception)]
    if not strangers:
        return BaseExceptionGroup(NURSERY_TEXT, telling)
    for exc in reversed(telling):
        if exc is not strangers[0]:
            put_under(strangers[0], exc)
    return strangers[0]


def _alone(errors: list[BaseException]) -> BaseException | None:
    """Return the first SystemExit or KeyboardInterrupt, the rest as its context."""
    for exc in errors:
        leaf = _stop_of(exc)
        if leaf is None:
            continue
        for other in reversed(errors):
            rest = without(other, partial(is_, leaf))
            if rest is not None and not is_cancellation(rest):
                put_under(leaf, unwrap(rest))
        return leaf
    return None


def _stop_of(exc: BaseException) -> BaseException | None:
    """Return what is to end the program, if that is in an exception."""
    if (group := as_group(exc)) is not None:
        found = group.subgroup((SystemExit, KeyboardInterrupt))
        return None if found is None else _leaf(found)
    return exc if isinstance(exc, SystemExit | KeyboardInterrupt) else None


def without(exc: BaseException, unwanted: Callable[[BaseException], bool]) -> BaseException | None:
    """Return what is left of an exception when the parts that are unwanted are taken out.

    What has no such part is left as it is, also inside of a group. `split` would build it anew,
    and lose the class of a group that has no `derive`.
    """
    if (group := as_group(exc)) is None:
        return None if unwanted(exc) else exc
    parts = [without(each, unwanted) for each in group.exceptions]
    if all(map(is_, parts, group.exceptions)):
        return exc
    kept = [each for each in parts if each is not None]
    return _like(group, kept) if kept else None


def _like(
    group: BaseExceptionGroup[BaseException], parts: list[BaseException]
) -> BaseExceptionGroup[BaseException]:
    """Return a group of other parts, as `split` does."""
    new = group.derive(parts).with_traceback(group.__traceback__)
    new.__cause__, new.__context__ = group.__cause__, group.__context__
    new.__suppress_context__ = group.__suppress_context__
    for note in getattr(group, "__notes__", ()):
        new.add_note(note)
    return new


def _is_cancelled(exc: BaseException) -> bool:
    return isinstance(exc, trio.Cancelled)


def is_cancellation(exc: BaseException) -> bool:
    """Check whether an exception is `trio.Cancelled`, or a group of nothing else."""
    return without_cancellation(exc) is None


def without_cancellation(exc: BaseException) -> BaseException | None:
    """Return what there is in an exception beside `trio.Cancelled`."""
    return without(exc, _is_cancelled)


def has_cancellation(exc: BaseException) -> bool:
    """Check whether an exception is `trio.Cancelled`, or a group with one in it."""
    if (group := as_group(exc)) is not None:
        return group.subgroup(trio.Cancelled) is not None
    return isinstance(exc, trio.Cancelled)


def _leaf(exc: BaseException) -> BaseException:
    while (group := as_group(exc)) is not None:
        exc = group.exceptions[0]
    return exc


def raisable(error: BaseException) -> BaseException:
    """Return what is raised in a caller that is answered with an exception.

    Python and Trio give some classes a meaning of their own in whatever code they are raised in:
    the end of a loop, of a coroutine, of a cancel scope. They arrive as the cause of another.
    """
    told, leaving = part(error)
    if told is None:
        assert leaving is not None
        return exited(leaving)
    if isinstance(told, StopIteration | StopAsyncIteration | GeneratorExit | trio.Cancelled):
        name = type(told).__name__
        text = f"the answer is {bounded(told)}, and a caller cannot be told {name}; "
        answer = RuntimeError(f"{text}answer with an error of your own, or a value for the end")
        answer.__cause__ = told
        return answer
    return publish(told)


# -- chains ----------------------------------------------------------------------------------------


def put_under(error: BaseException, context: BaseException) -> None:
    """Make an exception the context of another; what that had as its context comes after it.

    Nothing is done if `error` is on its chain, as it is on that of its own consequence.
    """
    if _holds(chain_of(context), error):
        return
    contexts = _contexts(error)
    for above, each in pairwise(contexts):
        if each is context:  # it is to stand at the top
            above.__context__ = context.__context__
            context.__context__ = None
            break
    known = _contexts(context)
    if error.__context__ is not None and not _holds(known, error.__context__):
        known[-1].__context__ = error.__context__
    error.__context__ = context


def _contexts(exc: BaseException) -> list[BaseException]:
    """List an exception, its context, the context of that and so on."""
    found: list[BaseException] = []
    each: BaseException | None = exc
    while each is not None and not _holds(found, each):
        found.append(each)
        each = each.__context__
    return found


def _holds(errors: list[BaseException], exc: BaseException) -> bool:
    return any(each is exc for each in errors)  # a user's class may have an `__eq__`


def chain_of(exc: BaseException) -> list[BaseException]:
    """List an exception and all that hangs on it: its parts, causes and contexts."""
    found: dict[int, BaseException] = {}
    todo: list[BaseException | None] = [exc]
    while todo:
        each = todo.pop()
        if each is None or id(each) in found:
            continue
        found[id(each)] = each
        todo += [each.__cause__, each.__context__]
        if (group := as_group(each)) is not None:
            todo += group.exceptions
    return list(found.values())


def publish(error: BaseException) -> BaseException:
    """Take what is private off the chains of an error that is about to be told."""
    if as_group(error) is None and _stands_alone(error):
        return error  # as a rule
    for each in chain_of(error):
        suppress = each.__suppress_context__
        if each.__cause__ is not None:
            each.__cause__ = _public(each.__cause__)
        if each.__context__ is not None:
            each.__context__ = _public(each.__context__)
        each.__suppress_context__ = suppress
    return error


def _stands_alone(error: BaseException) -> bool:
    return error.__cause__ is None and error.__context__ is None


def _public(link: BaseException) -> BaseException | None:
    """Return what stands in a chain in the place of a link of it."""
    while isinstance(link, Internal):
        if isinstance(link, ProcessExit):
            return exited(link)
        below = link.__cause__ or link.__context__
        if below is None:
            return None
        link = below
    error, leaving = part(link)
    return exited(leaving) if error is None and leaving is not None else error


def exited(leaving: ProcessExit) -> BaseException:
    """Return the public error that says that the code has called `otp.exit`."""
    known = None if leaving.told is None else leaving.told()
    if known is not None:
        return known
    told = ProcessExited(as_reason(leaving.reason))
    below = leaving.__context__
    if below is not None and below is not leaving.reason:
        told.__context__ = _public(below)
    leaving.told = ref(told)  # weak: what is raised has frames that hold the other
    return told


# -- what leaves a block ---------------------------------------------------------------------------


def raise_bare(error: BaseException) -> NoReturn:
    """Raise an exception with its own cause and context, whatever is handled here."""
    context = error.__context__
    try:
        raise error
    finally:
        error.__context__ = context
        del error, context  # else the frame and the traceback keep each other alive


def raise_beside(exc: BaseException, failure: Exception) -> NoReturn:
    """Raise what leaves a block that has failed by itself, and whose body has raised as well.

    Args:
        exc: what came out of the body; it has the failure as its context.
        failure: the error of the block; it leaves alone if the body was merely cancelled.
    """
    if is_cancellation(exc):
        raise failure
    put_under(exc, failure)
    raise_bare(publish(exc))
