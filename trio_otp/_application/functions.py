"""The functions of `trio_otp.application`, which see.

The file is long by what each of them says of its arguments and of what can go wrong.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import trio

from .._exits.errors import AlreadyStarted
from .._process.checkpoints import checkpointed
from .._util.bounded import bounded
from .._util.public import public_in
from .base import Application, check_application
from .changes import reload as _reload
from .controller import controller
from .errors import ApplicationAlreadyLoaded, SettingNotFound
from .graph import included as _included
from .starts import start_all as _start_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .config import Config
    from .master import StartType
    from .starts import StartMode

AnyApplication: TypeAlias = "type[Application] | str"


def _find(ref: AnyApplication) -> type[Application]:
    return controller().find_class(ref if isinstance(ref, str) else check_application(ref))


def _name(ref: AnyApplication) -> str:
    return ref if isinstance(ref, str) else controller().load(check_application(ref))


# -- start and stop ------------------------------------------------------------------------------


@public_in("application")
@checkpointed
async def start(
    application: AnyApplication,
    *,
    environment: Mapping[str, Any] | None = None,
    type: StartType = "temporary",
) -> None:
    """Start an application whose dependencies run; wait until its tree is up.

    It lives in the oldest block of `open_application` that is open, and is stopped with it. If it
    is being started already, that start is awaited.

    Args:
        application: its class or name.
        environment: arguments that override its defaults until it ends.
        type: what follows when it ends by itself: `temporary` nothing, `permanent` the block ends
            with `ApplicationExited`, `transient` the same unless its top process ended with
            NORMAL, which a supervisor does not do by itself, also not by auto-shutdown.

    Raises:
        ApplicationNotStarted: an application it depends on does not run.
        AlreadyStarted: it runs.
        ApplicationStartError: it did not start; nothing is left of it.
        SpecError: an argument is not among its settings, or the type is none.
        UnknownApplication: nothing of this name was used in this run.
        NoApplicationController: no block is open.
        RuntimeError: a callback of the application itself asks, and would wait for itself.

    Follows: `Application.start/2`.
    """
    await controller().start(_find(application), environment, type)


@public_in("application")
@checkpointed
async def ensure_started(application: AnyApplication, *, type: StartType = "temporary") -> None:
    """As `start`, and do nothing if it runs. Follows: `Application.ensure_started/2`.

    Args:
        application: its class or name.
        type: as of `start`.

    Raises:
        ApplicationNotStarted, ApplicationStartError, SpecError: as `start`.
        UnknownApplication, NoApplicationController: as `start`.
    """
    try:
        await start(application, type=type)
    except AlreadyStarted:
        await trio.lowlevel.checkpoint()


@public_in("application")
@checkpointed
async def ensure_all_started(
    applications: AnyApplication | Iterable[AnyApplication],
    *,
    type: StartType = "temporary",
    mode: StartMode = "serial",
) -> list[str]:
    """Start applications and all they depend on, dependencies first.

    If one fails, those that this call has started are stopped in reverse order; those that ran
    before go on. Optional applications that are there are started too.

    Args:
        applications: a class or name, or several.
        type: as of `start`, for all that are newly started.
        mode: with `serial` they start one after another, with `concurrent` each when what it
            depends on has started; then the first failure cancels the starts under way.

    Returns:
        The names of those that did not run before, in the order of their start.

    Raises:
        ApplicationStartError: one did not start; its `name` says which.
        SpecError: they depend on each other in a circle, or the type or mode is none.
        UnknownApplication, NoApplicationController: as `start`.

    Follows: `Application.ensure_all_started/2`.
    """
    wanted = map(_find, _listed(applications))
    masters = await _start_all(controller(), wanted, type, mode=mode)
    await trio.lowlevel.checkpoint()
    return [master.name for master in masters]


def _listed(
    applications: AnyApplication | Iterable[AnyApplication],
) -> Iterable[AnyApplication]:
    if isinstance(applications, str | type):
        return [applications]
    if not isinstance(applications, Iterable):
        expected = "an application or a list of applications"
        raise TypeError(f"applications={bounded(applications)}: expected {expected}")
    return applications


@public_in("application")
@checkpointed
async def stop(application: AnyApplication) -> None:
    """Stop an application: `prep_stop`, its tree, `stop`. What depends on it goes on.

    Args:
        application: its class or name.

    Raises:
        ApplicationNotStarted: it does not run.

    Follows: `Application.stop/1`.
    """
    await controller().stop(_name(application))


@public_in("application")
def which_applications() -> list[str]:
    """List the names of the running applications in start order.

    Follows: `Application.started_applications/0`.
    """
    return [name for name, master in controller().masters.items() if master.running]


# -- what is known -------------------------------------------------------------------------------


@public_in("application")
def load(application: AnyApplication) -> str:
    """Make an application and those it includes known in this run, and give its name.

    Its settings can then be read, put and configured before it starts. Starting it loads it too,
    and so does every other use of its class.

    Args:
        application: its class.

    Raises:
        ApplicationAlreadyLoaded: it is known already; `unload` it first to load it anew.
        UnknownApplication: a name that is not known.

    Follows: `Application.load/1`.
    """
    if isinstance(application, str) or controller().knows(check_application(application)):
        raise ApplicationAlreadyLoaded(_find(application).name)
    cls = _find(application)
    for inner in _included(cls):
        controller().load(inner)
    return cls.name


@public_in("application")
def unload(application: AnyApplication) -> None:
    """Forget an application that does not run, with its settings.

    Args:
        application: its class or name.

    Raises:
        AlreadyStarted: it runs.
        UnknownApplication: it is not loaded.

    Follows: `Application.unload/1`.
    """
    controller().unload(application if isinstance(application, str) else application.name)


@public_in("application")
def loaded_applications() -> list[str]:
    """List the names of the applications that are known in this run, oldest first.

    Follows: `Application.loaded_applications/0`.
    """
    return list(controller().classes)


@public_in("application")
def spec(application: AnyApplication) -> dict[str, Any]:
    """Return what an application says of itself, under OTP's keys.

    Args:
        application: its class or name.

    Returns:
        A dict with `description`, `mod`, `applications`, `optional_applications`,
        `included_applications`, `start_phases` and `env`, the settings in force.

    Raises:
        UnknownApplication: as `start`.

    Follows: `Application.spec/1`.
    """
    cls = _find(application)
    return {
        "description": inspect.cleandoc(cls.__doc__ or ""),
        "mod": cls,
        "applications": cls.dependencies,
        "optional_applications": cls.optional_applications,
        "included_applications": cls.included_applications,
        "start_phases": cls.start_phases,
        "env": dict(controller().environment(cls.name)),
    }


# -- environment ---------------------------------------------------------------------------------


@public_in("application")
def get_env(application: AnyApplication, key: str, default: object = None) -> Any:
    """Return a setting, or the default if there is none.

    Args:
        application: its class or name.
        key: which setting.
        default: what there is instead.

    Raises:
        NoApplicationController, UnknownApplication: as `start`.

    Follows: `Application.get_env/3`.
    """
    return controller().environment(_name(application)).get(key, default)


@public_in("application")
def fetch_env(application: AnyApplication, key: str) -> Any:
    """Return a setting.

    Args:
        application: its class or name.
        key: which setting.

    Raises:
        SettingNotFound: there is none; it is a `KeyError`.
        NoApplicationController, UnknownApplication: as `start`.

    Follows: `Application.fetch_env!/2`.
    """
    name = _name(application)
    environment = controller().environment(name)
    if key not in environment:
        raise SettingNotFound(name, key, list(environment))
    return environment[key]


@public_in("application")
def get_all_env(application: AnyApplication) -> dict[str, Any]:
    """Return all settings, in a dict of your own.

    Args:
        application: its class or name.

    Raises:
        NoApplicationController, UnknownApplication: as `start`.

    Follows: `Application.get_all_env/1`.
    """
    return dict(controller().environment(_name(application)))


@public_in("application")
def put_env(application: AnyApplication, key: str, value: object) -> None:
    """Set a setting for the rest of the run, before or after the start; any key is accepted.

    Args:
        application: its class or name.
        key: which setting.
        value: anything.

    Raises:
        NoApplicationController, UnknownApplication: as `start`.

    Follows: `Application.put_env/3`.
    """
    controller().environment(_name(application)).put(key, value)


@public_in("application")
def put_all_env(settings: Mapping[AnyApplication, Mapping[str, Any]]) -> None:
    """Set settings of several applications.

    Args:
        settings: {class or name: {key: value}}.

    Raises:
        NoApplicationController, UnknownApplication: as `start`.

    Follows: `Application.put_all_env/1`.
    """
    for application, values in settings.items():
        for key, value in values.items():
            put_env(application, key, value)


@public_in("application")
def delete_env(application: AnyApplication, key: str) -> None:
    """Take a setting away, a default too.

    Args:
        application: its class or name.
        key: which setting; unknown ones are ignored.

    Raises:
        NoApplicationController, UnknownApplication: as `start`.

    Follows: `Application.delete_env/2`.
    """
    controller().environment(_name(application)).delete(key)


@public_in("application")
@checkpointed
async def reload_config(config: Config | None = None) -> list[str]:
    """Take a new configuration, and tell the running applications whose settings it changes.

    It takes the place of the one before: what it does not name has its default again. Arguments
    of a start and what was put still outrank it. If the configuration is not accepted, nothing
    changes. `config_change` of each application that it changes is called in start order, in the
    task that calls this.

    Args:
        config: as of `otp.open_application`; None reads the file again that the program was
            opened with.

    Returns:
        The names of the running applications whose settings have changed.

    Raises:
        SpecError: it is not accepted, or there is none to read again.
        ConfigChangeError: a `config_change` raised; the settings are in force all the same.

    Follows: Erlang's `c:config_change/3` after an upgrade.
    """
    told = await _reload(controller(), config)
    await trio.lowlevel.checkpoint()
    return told
