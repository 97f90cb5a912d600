"""The class that an application subclasses. `application` has the functions beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, TypeGuard

from .exits import SpecError
from .supervisor import Supervisor


class Application:
    """What starts and stops as a whole: subclass it and let `start` return the top supervisor.

    Attributes:
        name: what it is called; if not given, the name of the class as `snake_case`.
        dependencies: the applications that have to run while it does.
        start_phases: names of phases; `start_phase` is called with each, in order, once the top
            supervisor has started and before the start is over.
        environment: its settings with their defaults. On an instance it is the mapping of the
            settings in force: defaults, overridden by `put_env` and by arguments.
    """

    name: ClassVar[str] = "application"
    dependencies: ClassVar[tuple[type[Application], ...]] = ()
    environment: ClassVar[Mapping[str, Any]] = {}
    start_phases: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Name it, and check what the class says of itself."""
        super().__init_subclass__(**options)
        if "name" not in cls.__dict__:
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        _check_class(cls)

    def start(self) -> Any:
        """Say what the top of the application is; `def` or `async def`.

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
        raise NotImplementedError(
            f"{type(self).__name__}.start_phases has {phase!r}, and the class has no start_phase"
        )

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
    what = f"class {cls.__name__}"
    name: object = cls.name
    if not isinstance(name, str) or not name:
        raise SpecError(f"{what}: name={name!r}; accepted is a str")
    needed: object = cls.dependencies
    if not isinstance(needed, tuple) or not all(map(_is_application, needed)):
        raise SpecError(f"{what}: dependencies={needed!r}; accepted is a tuple of applications")
    phases: object = cls.start_phases
    if not isinstance(phases, tuple) or not all(isinstance(phase, str) for phase in phases):
        raise SpecError(f"{what}: start_phases={phases!r}; accepted is a tuple of str")
    settings: object = cls.environment
    if not isinstance(settings, Mapping) or not all(isinstance(key, str) for key in settings):
        raise SpecError(f"{what}: environment={settings!r}; accepted is a dict with str keys")


def _is_application(value: object) -> TypeGuard[type[Application]]:
    return isinstance(value, type) and issubclass(value, Application)


def check_application(value: object) -> type[Application]:
    """Refuse what is no application class, saying what is accepted."""
    if _is_application(value):
        return value
    raise TypeError(f"{value!r} is no application; accepted is a subclass of otp.Application")
