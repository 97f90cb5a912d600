"""The class that an application subclasses. `application` has the functions beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeGuard, TypeVar

from .._behaviour.class_checks import check_members, new_members, refuse_options
from .._exits.errors import SpecError
from .._supervisor.supervisor import Supervisor
from .._util.async_functions import gives_awaitable
from .._util.bounded import bounded, label_of
from .._util.private import enter_private
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

A = TypeVar("A", bound="Application")


@public
class Application:
    """What starts and stops as a whole: subclass it and let `start` return the top supervisor.

    Attributes:
        name: what it is called; if not given, the name of the class as `snake_case`.
        dependencies: the applications that have to run while it does.
        optional_applications: those that are to run first if they are there: classes, or
            `"module:App"` for one whose module may not be installed.
        included_applications: those whose processes are part of its own tree. They are loaded and
            not started; `included` gives them, and their start phases run with its own.
        start_phases: names of phases; `start_phase` is called with each, in order, once the top
            supervisor has started and before the start is over.
        environment: its settings with their defaults. On an instance it is the mapping of the
            settings in force: defaults, overridden by `put_env` and by arguments.
        private: keys of settings whose values are not shown, in errors and in the repr of those in
            force; those of the bases stay private as well.

    >>> import trio, trio_otp as otp
    >>> class Shop(otp.Application):
    ...     environment = {"port": 80, "greeting": "hello"}
    >>> async def main():
    ...     async with otp.open_application(Shop, environment={"port": 8080}) as shop:
    ...         print(dict(shop.environment))
    >>> trio.run(main)
    {'port': 8080, 'greeting': 'hello'}
    """

    name: ClassVar[str] = "application"
    dependencies: ClassVar[tuple[type[Application], ...]] = ()
    optional_applications: ClassVar[tuple[type[Application] | str, ...]] = ()
    included_applications: ClassVar[tuple[type[Application], ...]] = ()
    environment: ClassVar[Mapping[str, Any]] = {}
    start_phases: ClassVar[tuple[str, ...]] = ()
    private: ClassVar[tuple[str, ...]] = ()
    _included: Mapping[type[Application], Application] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """Name it, and check what the class says of itself."""
        super().__init_subclass__()
        enter_private(cls, SpecError)
        refuse_options(cls, options, "an application says such things by its attributes")
        check_members(cls, new_members(cls, Application), ())
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        _check_class(cls)

    def start(self) -> Any:
        """Return the top of the application; `def` or `async def`.

        Returns:
            The top supervisor: `otp.child(otp.Supervisor, [...], strategy=...)`, a supervisor
            class, or `otp.Supervisor.spec([...])`. Unless overridden, a supervisor without
            children, which is enough for an application that bundles others. Other processes
            are accepted too. Raise to refuse; `raise otp.StartError(reason)` gives a reason.

        Follows: `c:Application.start/2`.
        """
        return Supervisor.spec([])

    def start_phase(self, phase: str) -> Any:
        """Do what a phase of `start_phases` is for, with the processes there; `def` or `async def`.

        Raise to refuse the start: the processes are then stopped, without `prep_stop` and `stop`.

        Args:
            phase: the name of the phase.

        Returns:
            Anything; it is not looked at.

        Raises:
            NotImplementedError: unless overridden.

        Follows: `c:Application.start_phase/3`.
        """
        # Only a class with `start_phases` is asked, and that has to override it.
        raise NotImplementedError(
            f"{type(self).__name__}.start_phases has {phase!r}, and the class has no start_phase"
        )

    def included(self, application: type[A]) -> A:
        """Return an application of `included_applications`, whose `start` gives a part of a tree.

        Args:
            application: its class.

        Returns:
            Its instance, with its settings in force. Neither its `prep_stop` nor its `stop` is
            called: what they would do belongs into those of the application that includes it.

        Raises:
            SpecError: it is not included, or this application is not being started.

        Follows: Erlang/OTP's "Included Applications".
        """
        found = self._included.get(application)
        if not isinstance(found, application):
            known = ", ".join(each.__name__ for each in self._included) or "none"
            who = f"{type(self).__name__}.included({application.__name__})"
            raise SpecError(f"{who}: expected one of its included_applications: {known}")
        return found

    def config_change(
        self, changed: Mapping[str, Any], new: Mapping[str, Any], removed: Sequence[str]
    ) -> Any:
        """Take note of settings that changed while it runs; `def` or `async def`.

        `otp.application.reload_config` calls it, if anything has changed. It runs in the task of
        its caller.

        Args:
            changed: {key: value} of settings that have another value now.
            new: {key: value} of settings that were not there before.
            removed: keys of settings that are not there any more.

        Returns:
            Nothing; what is returned is ignored.

        Follows: `c:Application.config_change/3`.
        """

    def prep_stop(self) -> Any:
        """Do what is to be done before the processes are stopped; `def` or `async def`.

        It also runs when the top supervisor ended by itself. What it raises is reported, and the
        application stops all the same.

        Returns:
            Nothing; what is returned is ignored.

        Follows: `c:Application.prep_stop/1`.
        """

    def stop(self) -> Any:
        """Do what is to be done when no process of it is left; `def` or `async def`.

        What it raises is reported.

        Returns:
            Nothing; what is returned is ignored.

        Follows: `c:Application.stop/1`.
        """


def _check_class(cls: type[Application]) -> None:
    name: object = cls.name
    if not isinstance(name, str) or not name:
        raise SpecError(f"class {cls.__name__}: name={bounded(name)}: expected a str")
    _check_tuple(cls, "dependencies", is_application, "applications")
    _check_tuple(cls, "included_applications", is_application, "applications")
    accepted = 'applications and str like "module:App"'
    _check_tuple(cls, "optional_applications", _is_optional, accepted)
    _check_tuple(cls, "start_phases", _is_str, "str")
    settings: object = cls.environment
    if not isinstance(settings, Mapping) or not all(map(_is_str, settings)):
        accepted = "a dict with str keys"
        raise SpecError(
            f"class {cls.__name__}: environment={bounded(settings)}: expected {accepted}"
        )


def _check_tuple(
    cls: type[Application], attribute: str, check: Callable[[object], bool], accepted: str
) -> None:
    value: Any = getattr(cls, attribute)
    if value.__class__ is not tuple or not all(check(each) for each in value):
        what = f"class {cls.__name__}: {attribute}={bounded(value)}"
        raise SpecError(f"{what}: expected a tuple of {accepted}")


def _is_str(value: object) -> bool:
    return isinstance(value, str)


def _is_optional(value: object) -> bool:
    if isinstance(value, str):
        module, _, path = value.partition(":")
        return all(map(str.isidentifier, [*module.split("."), *path.split(".")]))
    return is_application(value)


def is_application(value: object) -> TypeGuard[type[Application]]:
    """Check whether a value is an application class."""
    return isinstance(value, type) and issubclass(value, Application)


def check_application(value: object) -> type[Application]:
    """Refuse what is not an application class, saying what is accepted."""
    if is_application(value):
        return value
    hint = ""
    if gives_awaitable(value):
        hint = f"; an async function is run by trio.run({label_of(value)})"
    elif isinstance(value, Application):
        hint = f"; write {type(value).__name__}, the class itself"
    raise TypeError(
        f"{bounded(value)} is not an application; expected a subclass of otp.Application{hint}"
    )
