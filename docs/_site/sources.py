"""What is done to the text of a page before it is parsed.

The pages are read in the repository, too, so they link to files beside `docs` by relative paths;
here these lead into the repository. `{api}` is a list of public names, which autodoc explains, and
`{root}` shows a file of the repository as a page.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from pkgutil import resolve_name
from posixpath import dirname, normpath, relpath
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

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
FENCE = re.compile(r"^(```|:::).*?^\1 *$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
API = re.compile(r"^:::\{api\}\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^:::\{root\} (\S+)\n:::$", re.MULTILINE)
BLOCKS = {"AsyncGenerator": "async-with", "Generator": "with", "Iterator": "with"}


def setup(app: Sphinx) -> None:
    """Have the text of each page changed."""
    app.connect("source-read", read)


def read(app: Sphinx, docname: str, source: list[str]) -> None:
    """Change the text of a page."""
    path = Path(app.env.doc2path(docname))
    if path.suffix != ".md":
        return
    place = path.relative_to(ROOT).as_posix()
    shown = SHOWN.search(source[0])
    text, origin = (
        (source[0], place) if shown is None else ((ROOT / shown[1]).read_text(), shown[1])
    )
    if shown is not None:
        app.env.note_dependency(str(ROOT / shown[1]))
    if docname == "index":
        text = "".join(filter(_matches, text.splitlines(keepends=True)))
    source[0] = API.sub(lambda found: api(found[1].split()), linked(text, origin, place))


def _matches(line: str) -> bool:
    """Check whether a line of a toctree is no pattern that matches no page."""
    pattern = line.strip()
    return not re.fullmatch(r"[\w/]+\*", pattern) or any((ROOT / "docs").glob(pattern))


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
    if isinstance(value, ModuleType):
        yield f".. automodule:: {full}"
    elif namespace == "trio_otp.pytest_plugin":
        yield from fixture(full, inspect.unwrap(value))
    elif isinstance(value, FunctionType):
        yield f".. autofunction:: {full}"
        yield from (f"   :{option}:" for option in block(value))
    elif isinstance(value, type):
        yield f".. autoclass:: {full}"
        yield "   :show-inheritance:"
        yield f"   :members: {', '.join(members(value))}"
    else:
        yield f".. autodata:: {full}"


def fixture(full: str, function: Any) -> Iterator[str]:
    """Yield what explains a fixture of pytest; a test names it, and calls nothing."""
    given = re.sub(r"^AsyncIterator.(.*).$", r"\1", function.__annotations__["return"])
    yield f".. py:data:: {full}"
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
    return list(found)
