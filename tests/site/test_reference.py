"""The reference has every public name, and explains what each takes and raises."""

from __future__ import annotations

import functools
import inspect
import re
from collections import Counter
from types import FunctionType
from typing import TYPE_CHECKING, Any

import public_api
import pytest
from site_kit import build, small_tree, write

import _trio_otp_pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.browser


# What the library asks of a behaviour.
INSIDE = ("run_process", "children_info", "item_ended")


@functools.cache
def named(folder: Path) -> Counter[str]:
    """Return how often each name of Python is in the inventory of the site."""
    from sphinx.util.inventory import InventoryFile

    with (folder / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda *_: "")
    return Counter(name for kind in inventory if kind.startswith("py:") for name in inventory[kind])


def public() -> dict[str, Any]:
    """Return what is public, by the name under which users find it."""
    found = {f"{namespace}.{name}": value for namespace, name, value in public_api.exported()}
    elsewhere = [name for name, value in found.items() if canonical(name, value) in found]
    return {name: value for name, value in found.items() if name not in elsewhere}


def canonical(name: str, value: Any) -> str | None:
    """Return the other name of what two namespaces export."""
    if not isinstance(value, type | FunctionType):
        return None
    full = f"{value.__module__}.{value.__qualname__}"
    return None if full == name else full


def test_every_public_name_is_in_the_inventory_once(folder: Path) -> None:
    """Namespaces, classes, functions, constants, and the fixtures of pytest."""
    fixtures = {f"trio_otp.pytest_plugin.{name}" for name in _trio_otp_pytest.FIXTURES}
    expected = {*public(), *fixtures}

    assert 300 < len(expected)
    assert dict.fromkeys(sorted(expected), 1) == {
        name: named(folder)[name] for name in sorted(expected)
    }


def test_no_private_name_is_in_the_inventory(folder: Path) -> None:
    """Everything stands under the name that users type."""
    assert [] == [name for name in named(folder) if "._" in name]


def test_every_method_is_in_the_inventory(folder: Path) -> None:
    """What a class offers users, itself or by a base without a public name."""
    methods = {
        name
        for name, value in public_api.documented()
        if isinstance(value, FunctionType | property)
        and value.__doc__
        and name.rpartition(".")[2] not in INSIDE
    }

    assert 400 < len(methods)
    assert [] == sorted(methods - named(folder).keys())


def functions() -> Iterator[tuple[str, Any]]:
    """Yield what is called: functions and methods, by name."""
    for name, value in public_api.documented():
        if isinstance(value, FunctionType) and name.rpartition(".")[2] not in INSIDE:
            yield name, inspect.unwrap(value)


def explained(folder: Path) -> dict[str, tuple[set[str], set[str]]]:
    """Return, of each name, the arguments and the errors that the page explains."""
    from bs4 import BeautifulSoup, SoupStrainer

    found: dict[str, tuple[set[str], set[str]]] = {}
    for page in (folder / "reference").glob("*.html"):
        only = SoupStrainer("dl", attrs={"class": re.compile("^py ")})
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser", parse_only=only)
        for head in soup.select("dl.py > dt[id]"):
            body = head.find_next_sibling("dd")
            found[str(head["id"])] = (listed(body, "Parameters"), listed(body, "Raises"))
    return found


def listed(body: Any, title: str) -> set[str]:
    """Return what stands in a list of fields of a description, and of no other within it.

    A name of another project is whole where its site is not known, and so cannot be led to.
    """
    fields = body.select(":scope > dl.field-list > dt") if body is not None else []
    return {
        each.get_text().lstrip("*").rpartition(".")[2]
        for field in fields
        if field.get_text().strip(":") == title
        for each in field.find_next_sibling("dd").find_all("strong")
    }


def test_every_argument_and_error_is_on_the_page(folder: Path) -> None:
    """As they stand in the signature and in the docstring."""
    shown = explained(folder)
    wrong = {}
    for name, function in functions():
        text = function.__doc__ or ""
        arguments, errors = shown.get(name, (set(), set()))
        missing = section(text, "Args") - arguments | section(text, "Raises") - errors
        if missing:
            wrong[name] = missing

    assert 300 < len(shown)
    assert {} == wrong


def section(docstring: str, title: str) -> set[str]:
    """Return the names that a section of a docstring explains."""
    body = re.search(rf"^{title}:\n((?:    .*\n|\n)+)", inspect.cleandoc(docstring) + "\n", re.M)
    entries = re.findall(r"^    \**(\w[\w., ]*): ", body[1] if body else "", re.MULTILINE)
    # The page has the last part of an error of another library.
    return {name.rpartition(".")[2] for entry in entries for name in entry.split(", ")}


BROKEN = """# Broken

`otp.no_such_function` is not there, and [this page](nowhere.md) neither, nor [this](#heading).

:::{api}
call
:::
"""


def test_what_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    """A name, a link, a heading, an error under Raises: each is named with its place."""
    tree = small_tree(tmp_path)
    write(tree, broken=BROKEN)
    server = tree / "trio_otp" / "_gen_server" / "server.py"
    server.write_text(re.sub(r"\bNoProcess: nobody", "NoSuchError: nobody", server.read_text()))
    done = build(tree)

    assert done.returncode != 0
    for missing in ("otp.no_such_function", "nowhere.md", "heading", "NoSuchError"):
        assert re.search(f"WARNING: .*{re.escape(missing)}", done.stderr), done.stderr
