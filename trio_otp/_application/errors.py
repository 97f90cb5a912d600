"""The errors of applications."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._exits.errors import OtpError, StartError
from .._exits.history_errors import WithHistory
from .._util.bounded import bounded
from .._util.public import public

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .._exits.history_errors import History


@public
class NoApplicationController(OtpError, RuntimeError):
    """No application may be started here: no block of `open_application` is open in this run."""


@public
class UnknownApplication(OtpError, LookupError):
    """No application of this name was used in this run before; pass its class."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        have = ", ".join(map(repr, known)) or "none"
        super().__init__(f"no application {name!r} in this run; pass its class, or one of {have}")
        self.name = name


@public
class ApplicationAlreadyLoaded(OtpError):
    """The application `name` is known in this run already, with its settings."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"application {name!r} is loaded already, as by its start or by a use of its class; "
            "unload it first to load it anew"
        )
        self.name = name


@public
class ApplicationNotStarted(OtpError):
    """The application `name` is not started."""

    def __init__(self, name: str, needed_by: str | None = None) -> None:
        why = "" if needed_by is None else f", and {needed_by!r} depends on it"
        hint = "" if needed_by is None else "; use ensure_all_started to start both"
        super().__init__(f"application {name!r} is not started{why}{hint}")
        self.name = name


@public
class ApplicationStartError(StartError):
    """The application `name` did not start: `reason` is an exit reason, a crash also the cause."""

    def __init__(self, name: str, reason: object) -> None:
        super().__init__(reason, f"application {name!r}")
        self.name = name


@public
class ApplicationExited(WithHistory):
    """The application `name` ended by itself.

    `reason` is that of its top process, `history` has `(time, child id, reason)` of the last
    children that ended, as that of `SupervisorExited`; `crash`, the last one, is the `__cause__`.
    """

    def __init__(
        self, name: str, reason: object, history: History = (), crash: object = None
    ) -> None:
        super().__init__(f"application {name!r}", reason, history, crash)
        self.name = name


@public
class ConfigChangeError(OtpError):
    """`config_change` of an application raised: `errors` has the error of each such application.

    The new settings are in force, and the other applications have been told.
    """

    def __init__(self, errors: Mapping[str, Exception]) -> None:
        lines = [f"{name}: {bounded(error)}" for name, error in errors.items()]
        super().__init__(f"config_change raised in application {'; '.join(lines)}")
        self.errors: dict[str, Exception] = dict(errors)
        self.__cause__: BaseException | None = next(iter(self.errors.values()), None)


@public
class SettingNotFound(OtpError, KeyError):
    """The environment of the application `name` has no such key."""

    def __init__(self, name: str, key: str, known: Sequence[str]) -> None:
        super().__init__(key)
        self.name = name
        self.key = key
        self._known = ", ".join(map(repr, known)) or "none"

    def __str__(self) -> str:
        return f"application {self.name!r} has no setting {self.key!r}; it has {self._known}"
