"""The environment of an application: defaults, below the configuration, below what was put.

Arguments of a start and what was put stand above both; of these two the later one counts.

Follows: Elixir's `Application`, section "The application environment".
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from contextlib import suppress
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from .._exits.errors import SpecError
from .._util.bounded import WITHHELD, bounded
from .._util.checks import did_you_mean
from .._util.copies import Mark

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_DELETED: Final = Mark.DELETED
_BOOLS: Final = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}
_TEXTS: Final[dict[type[Any], str]] = {
    bool: f"one of {', '.join(_BOOLS)}",
    int: "a whole number",
    float: "a number",
}


class Environment(Mapping[str, Any]):
    """The settings of one application in one run; reading it sees what is put at any time."""

    def __init__(self, application: str) -> None:
        self.application = application
        self._private: Collection[str] = ()
        self._defaults: dict[str, Any] = {}
        self._configured: dict[str, Any] = {}
        self._put: dict[str, Any] = {}
        self._given: dict[str, Any] = {}  # arguments of the incarnation that runs

    def load(self, defaults: Mapping[str, Any], private: Collection[str] = ()) -> None:
        """Take the defaults of the class; each run has a copy of its own.

        Args:
            defaults: by key.
            private: keys whose values are not shown.
        """
        self._private = private
        self._defaults = copy.deepcopy(dict(defaults))

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Take the settings of a configuration, in place of those of the one before."""
        self._configured = dict(settings)

    def give(self, arguments: Mapping[str, Any]) -> None:
        """Take the arguments of a start; they last until the application ends."""
        self._given = dict(arguments)

    def put(self, key: str, value: object) -> None:
        """Set a value for the rest of the run; the later of it and an argument counts."""
        self._given.pop(key, None)
        self._put[key] = value

    def delete(self, key: str) -> None:
        """Take a key away, a default too."""
        self.put(key, _DELETED)

    def __getitem__(self, key: str) -> Any:
        return self._merged()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._merged())

    def __len__(self) -> int:
        return len(self._merged())

    def __repr__(self) -> str:
        shown = {
            key: WITHHELD if key in self._private else value
            for key, value in self._merged().items()
        }
        return f"<environment of {self.application}: {bounded(shown, 1000)}>"

    def _merged(self) -> dict[str, Any]:
        merged = {**self._defaults, **self._configured, **self._put, **self._given}
        return {key: value for key, value in merged.items() if value is not _DELETED}


def check_arguments(
    application: str, accepted: Mapping[str, Any], given: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return the arguments of a start as a dict.

    Raises:
        SpecError: one is not among the defaults of the application.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(f"environment={bounded(given)}: expected a dict of settings")
    for key in given:
        if key not in accepted:
            raise SpecError(unknown_key(application, accepted, key))
    return dict(given)


def unknown_key(application: str, accepted: Mapping[str, Any], key: object) -> str:
    """Describe a setting that an application does not have, and list those it has."""
    hint = did_you_mean(key, accepted)
    known = ", ".join(accepted) or "none at all"
    return f"application {application!r} has no setting {key!r}; its settings are: {known}{hint}"


def parse_setting(
    application: str,
    defaults: Mapping[str, Any],
    key: str,
    text: str,
    private: Collection[str] = (),
) -> Any:
    """Turn the text of a setting into a value of the type of its default.

    Args:
        application: its name, for the error.
        defaults: the settings with their defaults.
        key: which setting.
        text: the value as text. Where the default is None, a number or a bool is recognized.
        private: keys whose values are not shown in the error.

    Raises:
        SpecError: the application has no such setting, or its type does not take the text.

    >>> parse_setting("shop", {"port": 80, "debug": False}, "debug", "yes")
    True
    """
    if key not in defaults:
        raise SpecError(unknown_key(application, defaults, key))
    default: object = defaults[key]
    if default is None:
        return _guess(text)
    kind = type(default)
    try:
        return _parse(kind, text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # of literal_eval
        shown = WITHHELD if key in private else bounded(text)
        raise SpecError(f"{key}={shown}: expected {_TEXTS.get(kind, kind.__name__)}") from None


def _parse(kind: type[Any], text: str) -> Any:
    if kind is bool:
        return _parse_bool(text)
    if kind in (int, float, str) or issubclass(kind, PurePath):
        return kind(text)
    value = ast.literal_eval(text)
    if not isinstance(value, kind):
        raise ValueError(text)
    return value


def _parse_bool(text: str) -> bool:
    word = text.lower()
    if word not in _BOOLS:
        raise ValueError(text)
    return _BOOLS[word]


def _guess(text: str) -> Any:
    for kind in (int, float, _parse_bool):
        with suppress(ValueError):
            return kind(text)
    return text
