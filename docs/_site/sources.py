"""What is done to the text of a page before it is parsed.

The pages are read in the repository, too, so they link to files beside `docs` by relative paths;
here these lead into the repository. `{api}` is a list of public names, which autodoc explains,
`{cli}` is the command line, and `{root}` shows a file of the repository as a page.
"""

from __future__ import annotations

import enum
import inspect
import json
import re
from pathlib import Path
from pkgutil import resolve_name
from posixpath import dirname, normpath, relpath
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from . import commands
from .names import known_bases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/trio-otp/trio-otp"
# Files of the repository that are pages here, by the directive `{root}`.
PAGES = {
    "CHANGELOG.md": "docs/project/changelog.md",
    "CONTRIBUTING.md": "docs/project/contributing.md",
    "SECURITY.md": "docs/project/security.md",
}
FIXTURES = "trio_otp.pytest_plugin"
FENCE = re.compile(r"^(```|:::).*?^\1 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
API = re.compile(r"^:::\{api\}\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
CLI = ":::{cli}\n:::\n"
SHOWN = re.compile(r"^:::\{root\} (\S+)\n:::$", re.MULTILINE)
# What the library asks of a behaviour, and users neither call nor override.
INSIDE = ("run_process", "children_info", "item_ended")
BLOCKS = {"AsyncGenerator": "async-with", "Generator": "with", "Iterator": "with"}


def setup(app: Sphinx) -> None:
    """Have the text of each page changed."""
    app.connect("source-read", read)


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Change the text of a page."""
    path = Path(app.env.doc2path(docname))
    change = notebook if path.suffix == ".ipynb" else page
    source[0] = change(source[0], path.relative_to(ROOT).as_posix())


def page(text: str, place: str) -> str:
    """Return what a page of Markdown becomes on the site."""
    shown = SHOWN.search(text)
    if shown is not None:
        return linked((ROOT / shown[1]).read_text(encoding="utf-8"), shown[1], place)
    if CLI in text:
        text = text.replace(CLI, commands.page())
    return API.sub(lambda found: api(found[1].split()), linked(text, place, place))


def notebook(text: str, place: str) -> str:
    """Return what a notebook becomes: its own file can be had from its page."""
    content = json.loads(text)
    content["metadata"]["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    texts = [cell for cell in content["cells"] if cell["cell_type"] == "markdown"]
    for cell in texts:
        cell["source"] = linked("".join(cell["source"]), place, place)
    heading, _, rest = texts[0]["source"].partition("\n")
    link = f"{{download}}`Download this notebook <{Path(place).name}>`"
    texts[0]["source"] = f"{heading}\n\n{link}\n{rest}"
    return json.dumps(content)


def linked(text: str, origin: str, place: str) -> str:
    """Return a text of `origin` with the links that it needs as the page `place`."""
    changed, end = [], 0
    for fence in FENCE.finditer(text):
        changed += [_prose(text[end : fence.start()], origin, place), fence[0]]
        end = fence.end()
    return "".join([*changed, _prose(text[end:], origin, place)])


def _prose(text: str, origin: str, place: str) -> str:
    return LINK.sub(
        lambda found: found[1] + target(found[2], origin, place) + (found[3] or ""), text
    )


def target(link: str, origin: str, place: str) -> str:
    """Return where the relative link of a file leads on the site: to a page, or the repository."""
    path = normpath(f"{origin.rpartition('/')[0]}/{link}".lstrip("/"))
    path = PAGES.get(path, path)
    if path.startswith("docs/"):
        return relpath(path, dirname(place))
    kind = "tree" if (ROOT / path).is_dir() else "blob"
    return f"{REPOSITORY}/{kind}/main/{path}"


def api(names: list[str]) -> str:
    """Return what has autodoc explain public names."""
    lines = [line for name in names for line in (*directive(f"trio_otp.{name}"), "")]
    return "\n".join(["```{eval-rst}", *lines, "```"])


def directive(full: str) -> Iterator[str]:
    """Yield the lines of reStructuredText for a public name."""
    namespace = full.rpartition(".")[0]
    value = resolve_name(full)
    if full == FIXTURES:  # its docstring is for those who read the module
        yield f".. py:module:: {full}"
    elif isinstance(value, ModuleType):
        yield f".. automodule:: {full}"
    elif namespace == FIXTURES:
        yield from fixture(full, inspect.unwrap(value))
    elif isinstance(value, FunctionType):
        yield f".. autofunction:: {full}"
        yield from (f"   :{option}:" for option in block(value))
    elif isinstance(value, type):
        yield f".. autoclass:: {full}"
        yield from ["   :show-inheritance:"] * any(known_bases(value))
        yield f"   :members: {', '.join(members(value))}"
    elif isinstance(value, enum.Enum) and len(type(value)) > 1:  # its docstring is that of all
        yield f".. py:data:: {full.rpartition('.')[2]}"
        yield f"   :module: {namespace}"
    else:
        yield f".. autodata:: {full}"


def fixture(full: str, function: Any) -> Iterator[str]:
    """Yield what explains a fixture of pytest; a test names it, and calls nothing."""
    given = re.sub(r"^AsyncIterator.(.*).$", r"\1", function.__annotations__["return"])
    namespace, _, name = full.rpartition(".")
    yield f".. py:data:: {name}"
    yield f"   :module: {namespace}"
    yield f"   :type: {given}"
    yield ""
    yield from (f"   {line}" for line in inspect.getdoc(function).splitlines())


def block(function: Any) -> list[str]:
    """Return how a function is used: the option of sphinxcontrib-trio, if it opens a block."""
    result = str(inspect.unwrap(function).__annotations__.get("return", "")).partition("[")[0]
    wrapped = hasattr(function, "__wrapped__")
    return [BLOCKS[result]] if wrapped and result in BLOCKS else []


def members(cls: type[Any]) -> list[str]:
    """Return the public members of a class: its own, and those of bases without a public name."""
    found: dict[str, None] = {}
    for base in cls.__mro__:
        if base is cls or base.__module__.startswith("trio_otp._"):
            found |= dict.fromkeys(name for name in vars(base) if not name.startswith("_"))
    return [name for name in found if name not in INSIDE]
