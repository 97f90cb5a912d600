"""What a new project may be called, and how its parts are called after it. No Trio, no files."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass

from .._util.version import __version__

# What the project stands on, also where it is not installed yet, and the folder of its tests.
TAKEN = {"trio_otp", "trio", "outcome", "trio_util", "pytest", "pytest_trio", "tests"}


@dataclass(frozen=True, slots=True)
class Names:
    """The names in a new project: `shop-front` has the package `shop_front`, `ShopFront` in it."""

    project: str
    package: str
    application: str

    def fill(self, template: str) -> str:
        """Return the text of a template with these names in it.

        >>> names_of("tea-shop").fill("{{project}} {{package}} {{application}}")
        'tea-shop tea_shop TeaShop'
        """
        values = {
            "project": self.project,
            "package": self.package,
            "application": self.application,
            "version": __version__.partition("+")[0],
        }
        return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], template)


def names_of(project: str) -> Names:
    """Return the names in a project.

    Raises:
        ValueError: it cannot have this name; the text says what is wrong with it.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*", project, re.ASCII):
        raise ValueError(f"{project!r}: expected small letters, digits, - and _{_instead(project)}")
    package = project.replace("-", "_")
    if why := _taken(package):
        raise ValueError(f"{project!r}: {why}; choose another name")
    return Names(project, package, "".join(part.capitalize() for part in package.split("_")))


def _instead(project: str) -> str:
    """Return the end of an error text that shows the same name in the right form."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", project)
    right = re.sub(r"[^a-z0-9_]+", "-", apart.lower()).strip("-_0123456789")
    return f", such as {right}" if right and not _taken(right.replace("-", "_")) else ""


def _taken(package: str) -> str | None:
    """Return why no package of a new project may have this name, or None if it may."""
    if keyword.iskeyword(package):
        return f"{package} is a keyword of Python"
    if package in sys.stdlib_module_names:
        return f"{package} is a module of Python itself"
    if package in TAKEN or importlib.util.find_spec(package) is not None:
        return f"it would hide {package}, which others import"
    return None
