"""Templates: children but for some of their arguments, which `start_child` adds.

Follows: the child specification of a `simple_one_for_one` supervisor of Erlang.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from .._behaviour.behaviour import Behaviour
from .._exits.errors import SpecError
from .._start.child import Child, as_child, check_target
from .._start.child import child as make_child
from .._util.bounded import bounded
from .._util.checks import check_choice
from .._util.public import public
from .flags import AUTO_SHUTDOWNS, check_entry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

B = TypeVar("B", bound=Behaviour)


@overload
def template(target: Callable[..., B], /, *args: Any, **kwargs: Any) -> Child[B]: ...
@overload
def template(
    target: Callable[..., Awaitable[object]], /, *args: Any, **kwargs: Any
) -> Child[None]: ...
@public
def template(target: Any, /, *args: Any, **kwargs: Any) -> Child[Any]:
    """Return a description of the children of `otp.DynamicSupervisor(template=...)`.

    Args:
        target: a behaviour class, or any Trio async function.
        *args: its first positional arguments; `start_child` adds those that follow.
        **kwargs: keyword arguments of every child; options are given by `.having(...)`.

    Raises:
        TypeError: the target is neither, or could not take the arguments whatever is added.

    >>> import trio_otp as otp
    >>> class Session(otp.GenServer):
    ...     def __init__(self, shop: str, user: str) -> None:
    ...         self.shop, self.user = shop, user
    >>> otp.template(Session, "books").having(restart="temporary")
    <child Session('books') restart='temporary'>

    Follows: `supervisor`, `simple_one_for_one`.
    """
    return Child(check_target(target, args, kwargs, partial=True), args, kwargs)


def check_template(what: Any, auto_shutdown: str) -> None:
    """Refuse what is no template, saying what is; only with one may there be an auto-shutdown."""
    check_choice("auto_shutdown", auto_shutdown, AUTO_SHUTDOWNS, error=SpecError)
    if what is None:
        if auto_shutdown != "never":
            raise SpecError(
                f"auto_shutdown={bounded(auto_shutdown)}: "
                "only children of a template can be significant; "
                "write template=otp.template(target).having(significant=True, restart='transient')"
            )
        return
    if what.__class__ is not Child:
        raise SpecError(f"template={bounded(what)}: expected otp.template(target, *args)")
    if what.spec.significant and auto_shutdown == "never":
        raise SpecError(
            f"template={bounded(what)}: "
            "a DynamicSupervisor has no significant children unless it has "
            "auto_shutdown='any_significant' or 'all_significant'"
        )
    check_entry(what.spec, auto_shutdown)


def check_wanted(given: object) -> object:
    """Return what `start_child` was given, a child or a list of arguments; refuse anything else."""
    return given if given.__class__ in (list, tuple) else as_child(given)


def with_arguments(wanted: Child[Any], args: tuple[object, ...]) -> Child[Any]:
    """Return the child that a template and all positional arguments make."""
    made = make_child(wanted.target, *args, **wanted.kwargs)
    return Child(made.target, args, wanted.kwargs, wanted.options)


def child_of(template: Child[Any] | None, wanted: Any) -> Child[Any]:
    """Return the child that `start_child` was asked for.

    Raises:
        SpecError: a child was given to a supervisor with a template, or arguments to one without.
        TypeError: the target does not take the arguments.
    """
    if template is None:
        return need_child(wanted)
    if wanted.__class__ is Child:
        raise SpecError(
            f"{bounded(wanted)}: all children are of {bounded(template)}; "
            "expected a list of the arguments "
            "that come after its own"
        )
    return with_arguments(template, (*template.args, *wanted))


def need_child(wanted: object) -> Child[Any]:
    """Refuse a list of arguments where there is no template."""
    if wanted.__class__ is not Child:
        raise SpecError(
            f"{bounded(wanted)} is not a child; a list of arguments is for a DynamicSupervisor "
            "with template=..."
        )
    return as_child(wanted)
