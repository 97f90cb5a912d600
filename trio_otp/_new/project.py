"""Write a new project: the files of the template, with its names in them."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from .names import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from .names import Names

# What the README of the project says as well.
COMMANDS = (
    'python -m pip install -e ".[test]" && python -m pytest',
    "trio-otp run {{package}}.app:{{application}}",
)


def files_of(names: Names) -> dict[str, str]:
    """Return `{path in the project: text}`.

    >>> sorted(files_of(names_of("shop")))[2:5]
    ['pyproject.toml', 'shop/__init__.py', 'shop/app.py']
    """
    template = resources.files("trio_otp._new").joinpath("template")
    return {
        names.fill(path.removesuffix(".in")): names.fill(text) for path, text in _texts(template)
    }


def _texts(folder: Traversable, above: str = "") -> Iterator[tuple[str, str]]:
    for item in sorted(folder.iterdir(), key=lambda each: each.name):
        if item.is_dir():
            yield from _texts(item, f"{above}{item.name}/")
        else:
            yield f"{above}{item.name}", item.read_text(encoding="utf-8")


def create(project: str, parent: Path) -> Names:
    """Write a new project into a folder of its name, and return the names in it.

    Args:
        project: what it is called.
        parent: the folder that is to hold that of the project.

    Raises:
        ValueError: it cannot be called so.
        FileExistsError: there is something of that name; it stays as it is.
        OSError: something cannot be written.
    """
    names = names_of(project)
    folder = parent / project
    folder.mkdir()
    for path, text in files_of(names).items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8", newline="\n") as opened:
            opened.write(text)
    return names
