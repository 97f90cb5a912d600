"""The options of a child: one table for `otp.child(...).having(...)` and for class statements.

`ChildOptions` has their types, `CHECKS` what is checked of their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, get_args

from .._exits.errors import SpecError
from .._process.debug import check_debug
from .._process.mailbox_data import check_bound
from .._process.names import check_name
from .._util.bounded import bounded
from .._util.checks import check_choice, check_flag, check_timeout, did_you_mean, is_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from .._process.bounded_mailbox import BoundedMailbox
    from .backoff import BackoffOption

Restart: TypeAlias = Literal["permanent", "transient", "temporary"]
ShutdownOption: TypeAlias = "float | Literal['brutal_kill'] | None"
ChildType: TypeAlias = Literal["worker", "supervisor"]


class ClassOptions(TypedDict, total=False):
    """What a class statement takes, as the defaults of each child of the class."""

    id: Any
    restart: Restart
    shutdown: ShutdownOption
    significant: bool
    timeout: float | None
    type: ChildType
    debug: Iterable[Any]
    backoff: BackoffOption
    mailbox: BoundedMailbox | None
    skip_abandoned: bool


class ChildOptions(ClassOptions, total=False):
    """What `having` takes: a name as well, which belongs to one child."""

    name: Any


def check_options(options: Mapping[str, object], known: Collection[str]) -> None:
    """Refuse what is not a known option, and a value that its option does not accept.

    Raises:
        SpecError: the text names the option, the value and what is expected.
    """
    for option, value in options.items():
        if option not in known:
            expected = f"one of {', '.join(known)}{did_you_mean(option, known)}"
            raise SpecError(f"option {option}={bounded(value)}: expected {expected}")
        CHECKS[option](option, value)


def _check_choice(choices: tuple[object, ...]) -> Callable[[str, Any], None]:
    def check(key: str, value: object) -> None:
        check_choice(key, value, choices, error=SpecError)

    return check


def _check_shutdown(key: str, value: object) -> None:
    if value is None or value == "brutal_kill":
        return
    if not is_seconds(value):
        accepted = "a number of seconds >= 0, 'brutal_kill', or None to wait forever"
        raise SpecError(f"{key}={bounded(value)}: expected {accepted}")


def _check_bool(key: str, value: object) -> None:
    check_flag(key, value, error=SpecError)


def _check_init_timeout(key: str, value: object) -> None:
    try:
        check_timeout(key, value)
    except ValueError as exc:
        raise SpecError(str(exc)) from None


def _check_debug(_: str, value: object) -> None:
    check_debug(value)


def _check_backoff(key: str, value: object) -> None:
    if value is None or value == "supervisor":
        return
    from .backoff import Backoff  # noqa: PLC0415 - few programs have one

    if not isinstance(value, Backoff):
        accepted = "otp.Backoff(...), 'supervisor' for that of its supervisor, or None for none"
        raise SpecError(f"{key}={bounded(value)}: expected {accepted}")


def _check_mailbox(_: str, value: object) -> None:
    check_bound(value, error=SpecError)


def _check_id(key: str, value: object) -> None:
    if value is None:
        raise SpecError(f"{key}=None: expected any other hashable value; leave it out for the name")
    _check_hash(key, value)


def _check_hash(key: str, value: object) -> None:
    try:
        hash(value)
    except TypeError:
        raise SpecError(f"{key}={bounded(value)}: expected any hashable value") from None


def _check_name(key: str, value: object) -> None:
    if value is not None:
        check_name(value)
        _check_hash(key, value)


def check_may_have_bound(behaviour: type[Any] | None) -> None:
    """Refuse a bound for a supervisor: what it is asked for must not be lost."""
    if behaviour is not None and behaviour.hosts_children:
        raise SpecError(
            f"mailbox=...: {behaviour.__name__} is a supervisor, whose mailbox has no bound; "
            "expected a bound of its children"
        )


CHECKS: Final[dict[str, Callable[[str, Any], None]]] = {
    "name": _check_name,
    "id": _check_id,
    "restart": _check_choice(get_args(Restart)),
    "shutdown": _check_shutdown,
    "significant": _check_bool,
    "timeout": _check_init_timeout,
    "type": _check_choice(get_args(ChildType)),
    "debug": _check_debug,
    "backoff": _check_backoff,
    "mailbox": _check_mailbox,
    "skip_abandoned": _check_bool,
}
CLASS_OPTIONS: Final = tuple(option for option in CHECKS if option != "name")
