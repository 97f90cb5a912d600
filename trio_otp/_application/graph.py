"""Which applications another one needs, in which order they start, and which of them are there.

Pure: classes go in, lists come out; only modules of optional applications are imported here.
Follows: the keys `applications`, `optional_applications` and `included_applications` of OTP's
application resource file.
"""

from __future__ import annotations

import importlib
from operator import attrgetter
from typing import TYPE_CHECKING

from .._exits.errors import SpecError
from .base import Application, is_application

if TYPE_CHECKING:
    from collections.abc import Iterable


def needs(application: type[Application]) -> list[type[Application]]:
    """List what starts before an application: dependencies, then optional ones that are there.

    Raises:
        SpecError: an optional application is not in its module.
    """
    optional = [found for ref in application.optional_applications if (found := present(ref))]
    return list(dict.fromkeys([*application.dependencies, *optional]))


def present(ref: type[Application] | str) -> type[Application] | None:
    """Return an optional application, or None if its module is not installed.

    Args:
        ref: a class, or `"module:App"`.

    Raises:
        SpecError: the module is there, and the application is not in it.
        ModuleNotFoundError: the module is there, and lacks one that it needs itself.

    >>> present("no_such_package.metrics:Metrics") is None
    True
    """
    if not isinstance(ref, str):
        return ref
    module_name, _, path = ref.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{module_name}.".startswith(f"{exc.name}."):
            raise
        return None
    try:
        found = attrgetter(path)(module)
    except AttributeError as exc:
        raise SpecError(f"optional_applications={ref!r}: {exc}") from None
    if not is_application(found):
        raise SpecError(
            f"optional_applications={ref!r}: {found!r} is not a subclass of otp.Application"
        )
    return found


def in_order(applications: Iterable[type[Application]]) -> list[type[Application]]:
    """List applications with what they need, depth first, what is needed first.

    Raises:
        SpecError: they need each other in a circle.

    >>> class Store(Application): ...
    >>> class Shop(Application):
    ...     dependencies = (Store,)
    >>> [application.name for application in in_order([Shop, Store])]
    ['store', 'shop']
    """
    ordered: dict[type[Application], None] = {}

    def visit(application: type[Application], path: tuple[type[Application], ...]) -> None:
        if application in path:
            names = [each.name for each in (*path, application)]
            raise SpecError(f"dependencies={' -> '.join(names)}: expected no cycle")
        if application in ordered:
            return
        for needed in needs(application):
            visit(needed, (*path, application))
        ordered[application] = None

    for application in applications:
        visit(application, ())
    return list(ordered)


def included(application: type[Application]) -> list[type[Application]]:
    """List the applications that another one includes, and those that these include, in order.

    Raises:
        SpecError: one includes itself, over others perhaps.
    """
    found: dict[type[Application], None] = {}

    def visit(each: type[Application]) -> None:
        for inner in each.included_applications:
            if inner is application:
                raise SpecError(f"application {application.name!r} includes itself")
            if inner not in found:
                found[inner] = None
                visit(inner)

    visit(application)
    return list(found)


def all_of(application: type[Application]) -> dict[str, type[Application]]:
    """Return by name whatever runs when an application does: itself, what it needs and includes."""
    started = in_order([application])
    everything = [each for top in started for each in (top, *included(top))]
    return {each.name: each for each in everything}
