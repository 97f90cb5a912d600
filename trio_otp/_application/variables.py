"""Settings as texts: from variables of the environment, and from `--set key=value`.

A setting `port` is the variable `SHOP_PORT` where the prefix is `SHOP_`. Its text is taken as the
type of the default says, in both. Pure: mistakes are listed, for the caller to report.
Follows: Elixir's `config/runtime.exs`, which reads variables when a release starts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from .._exits.errors import SpecError
from .._util.bounded import bounded
from .._util.checks import nearest
from .._util.private import private_names
from .environment import parse_setting

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .base import Application


class Given(NamedTuple):
    """The settings that texts give, and what is wrong with them.

    Args:
        settings: the values, by key.
        mistakes: a line for each invalid one.
        unknown: a line for each variable that has the prefix and is not a setting. It may well be
            meant for another program: Kubernetes sets `SHOP_SERVICE_HOST` for a service `shop`.
        similar: the unknown ones whose name is close to that of a setting.
    """

    settings: dict[str, Any]
    mistakes: list[str]
    unknown: list[str]
    similar: list[str]


def nothing_given() -> Given:
    """Return no settings and no mistakes."""
    return Given({}, [], [], [])


def check_prefix(prefix: str) -> str:
    """Return the prefix of variables, with the `_` at its end that it may lack.

    Raises:
        SpecError: no variable could begin with it, or all would.

    >>> check_prefix("SHOP"), check_prefix("SHOP_")
    ('SHOP_', 'SHOP_')
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", prefix):
        accepted = "letters, digits and _, as in SHOP_"
        raise SpecError(f"env_prefix={bounded(prefix)}: expected {accepted}")
    return prefix if prefix.endswith("_") else f"{prefix}_"


def variable_of(prefix: str, key: str) -> str:
    """Return the name of the variable for a setting.

    >>> variable_of("SHOP_", "max-open.files")
    'SHOP_MAX_OPEN_FILES'
    """
    return prefix + re.sub(r"\W", "_", key).upper()


def from_variables(
    application: type[Application], prefix: str, variables: Mapping[str, str]
) -> Given:
    """Take settings of an application from variables with a prefix, as of `check_prefix`."""
    given = nothing_given()
    keys = {variable_of(prefix, key): key for key in application.environment}
    for variable in sorted(name for name in variables if name.startswith(prefix)):
        if variable in keys:
            _take(given, application, variable, keys[variable], variables[variable])
        else:
            near = nearest(variable, keys)
            what = f"{variable}: application {application.name!r} has no such setting"
            line = what if near is None else f"{what}; did you mean {near}?"
            given.unknown.append(line)
            given.similar.extend([] if near is None else [line])
    return given


def from_texts(application: type[Application], texts: Iterable[str]) -> Given:
    """Take settings of an application from `key=value`."""
    given = nothing_given()
    for item in texts:
        key, equals, text = item.partition("=")
        if equals:
            _take(given, application, f"--set {key}", key, text)
        else:
            given.mistakes.append(f"--set {item}: expected key=value")
    return given


def _take(given: Given, application: type[Application], what: str, key: str, text: str) -> None:
    private = private_names(application)
    try:
        value = parse_setting(application.name, application.environment, key, text, private)
    except SpecError as exc:
        given.mistakes.append(f"{what}: {exc}")
    else:
        given.settings[key] = value
