"""The folders of the library are the rows of the table that `docs/design.md` opens with."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from paths import ROOT

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(otp.__file__).parent
DESIGN = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
TABLE = DESIGN[DESIGN.index("| folders |") : DESIGN.index("## Laws")]
ROWS = re.findall(r"^\| (`[^|]+) \|", TABLE, re.MULTILINE)
HEIGHT = {name: -number for number, row in enumerate(ROWS) for name in re.findall(r"\w+", row)}


def arrows() -> Iterator[tuple[str, str]]:
    """Yield `(module, module that it imports)`, also where it is for types or late."""
    for path in PACKAGE.rglob("*.py"):
        place = path.relative_to(PACKAGE).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level and place[0] in HEIGHT:
                parts = [*place[: len(place) - node.level], *(node.module or "").split(".")]
                base = ".".join(filter(None, parts))
                for alias in node.names:
                    whole = ".".join(filter(None, [base, alias.name]))
                    is_module = PACKAGE.joinpath(*whole.split(".")).with_suffix(".py").exists()
                    yield ".".join(place).removesuffix(".__init__"), whole if is_module else base


@cache
def all_arrows() -> list[tuple[str, str]]:
    """Return those between different modules, in order; the library is parsed once for it."""
    return sorted({(user, used) for user, used in arrows() if used and user != used})


def folder(module: str) -> str:
    """Return the folder or public module that a module belongs to."""
    return module.partition(".")[0]


def test_the_table_names_every_folder() -> None:
    """A new folder gets a place in the picture first."""
    inside = {path.stem for path in PACKAGE.iterdir() if path.suffix in {"", ".py"}}

    assert inside - {"__init__", "__main__", "__pycache__"} == HEIGHT.keys()


def test_arrows_run_down() -> None:
    """A module imports from its own folder and from rows below, also what is for types only."""
    assert len(all_arrows()) > 500
    assert [] == [
        f"{user} imports {used}"
        for user, used in all_arrows()
        if folder(user) != folder(used) and HEIGHT[folder(user)] <= HEIGHT[folder(used)]
    ]


def test_no_modules_need_each_other() -> None:
    """But those of `_process`, which are the parts of one thing."""
    graph: dict[str, set[str]] = {}
    for arrow in all_arrows():
        user, used = ("_process" if folder(name) == "_process" else name for name in arrow)
        if user != used:
            graph.setdefault(user, set()).add(used)

    TopologicalSorter(graph).prepare()  # raises CycleError, whose text has the circle


def test_faces_are_re_exports() -> None:
    """A namespace that users type teaches in its docstring, and takes what it has from a folder."""
    for name in ("application", "gen_event", "pg", "task", "reports"):
        said, *rest = ast.parse((PACKAGE / f"{name}.py").read_text(encoding="utf-8")).body
        *imports, exported, shown = rest

        assert ">>> " in ast.unparse(said)
        assert {ast.ImportFrom} == {type(node) for node in imports}
        assert ast.unparse(exported).startswith("__all__ = ")
        assert ast.unparse(shown).startswith("def __dir__()")
