"""The sections of the library's docstrings as fields of reStructuredText.

sphinx.ext.napoleon reads other forms than ours, too: it takes what stands before a colon in the
docstring of a property, or under Returns, for a type. Here the form is the one that
`tests/test_docstrings.py` holds.
"""

from __future__ import annotations

import re
from textwrap import dedent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

FIELDS = {
    "Args": "param",
    "Attributes": "ivar",
    "Class attributes": "cvar",
    "Raises": "raises",
}
SECTION = re.compile(rf"^({'|'.join(FIELDS)}|Returns):\n((?: .*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^(\S[^:]*): (.*\n(?:(?: .*)?\n)*)", re.MULTILINE)
LIST = re.compile(r"^((?! *\* )( *)\S.*\n)(?=( *)\* )", re.MULTILINE)  # a line above a list


def setup(app: Sphinx) -> None:
    """Have docstrings changed."""
    app.connect("autodoc-process-docstring", process)


def process(
    _app: Sphinx, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]
) -> None:
    """Change the docstring that autodoc has found."""
    lines[:] = fields("\n".join([*lines, ""])).splitlines()


def fields(docstring: str) -> str:
    r"""Return a docstring with its sections as fields.

    >>> print(fields("Add.\n\nArgs:\n    n: how many.\n"), end="")
    Add.
    <BLANKLINE>
    :param n: how many.
    <BLANKLINE>
    """
    return SECTION.sub(lambda found: _section(found[1], dedent(found[2])) + "\n", docstring)


def _section(title: str, text: str) -> str:
    if title == "Returns":
        return _field("returns", text)
    entries = ENTRY.findall(text)
    return "".join(
        _field(f"{FIELDS[title]} {name}", what)
        for names, what in entries
        for name in _names(title, names)
    )


def _names(title: str, names: str) -> Iterator[str]:
    """Yield the names that an entry explains; stars and a last underscore would be markup."""
    for name in names.split(", "):
        yield name if title == "Raises" else re.sub(r"(\*|_$)", r"\\\1", name)


def _field(name: str, text: str) -> str:
    separated = LIST.sub(r"\1\n", dedent_rest(text))
    first, *rest = separated.rstrip("\n").split("\n")
    return "\n".join([f":{name}: {first}", *(f"    {line}".rstrip() for line in rest), ""])


def dedent_rest(text: str) -> str:
    """Return a text whose lines but the first are set in by what all of them are."""
    first, _, rest = text.partition("\n")
    return f"{first}\n{dedent(rest)}"
