"""Snippets of README and docs run and print what stands below them; links lead somewhere.

The snippets of a file are one program, run from top to bottom. One with `await` outside of a
function runs inside a Trio run of its own. A fence marked `text` right below a snippet is what the
snippet prints. One under the marker `<!-- pytest -->` is a test file and is given to pytest; with
`<!-- pytest: fails -->` its test fails, and the text below is in the report. Such files may import
what the first snippet of the page defines from `shop`. One under `<!-- file: name.py -->` is a
module that those below it can import.
"""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import types
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from textwrap import dedent
from typing import Any

import public_api
import pytest
import trio
from inside import parser

import _trio_otp_pytest
import trio_otp as otp

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))  # run by test_notebook_kernel
SITE = [page for page in sorted((ROOT / "docs").rglob("*.md")) if page not in TUTORIALS]
PAGES = [README, *SITE, ROOT / "examples" / "README.md"]
OTHERS = [ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")]
LIMIT = 60  # seconds for a snippet: some start other programs, on a machine that may be busy
FENCE = re.compile(
    r"(?P<marker><!-- (?:file: (?P<file>[\w.]+)|pytest(?P<fails>: fails)?) -->\n+)?"
    r"^```(?P<kind>\w*)\n(?P<text>.*?)^```\n",
    re.MULTILINE | re.DOTALL,
)
ERROR = re.compile(r"(?:^E .*\n)+", re.MULTILINE)  # what pytest says below the line that failed
KINDS = {
    *("python", "text", "sh", "mermaid", "ini", "dockerfile", "ipython"),
    *("elixir", "erlang"),  # the programs that others come from
}
SETTINGS = """
[pytest]
trio_mode = true
filterwarnings =
    error
    ignore:in .* the event loop (is|was) held
"""  # the latter on a machine that has much else to do
TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page."""

    kind: str
    text: str
    line: int  # of its first line of code
    end: int  # offset in the page
    start: int
    is_test: bool
    fails: bool = False
    file: str | None = None

    def run(self, page: Path, namespace: dict[str, Any]) -> None:
        """Run it; tracebacks point to the line of the page."""
        source = "\n" * (self.line - 1) + self.text
        code = compile(source, str(page), "exec", flags=TOP_LEVEL_AWAIT, dont_inherit=True)
        result = eval(code, namespace)
        if inspect.iscoroutine(result):

            async def main() -> None:
                with trio.fail_after(LIMIT):
                    await result

            trio.run(main)


def snippets(page: Path) -> list[Snippet]:
    """Return the fenced blocks of a page, from top to bottom."""
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(
            found["kind"],
            found["text"],
            text.count("\n", 0, found.start("text")) + 1,
            found.end(),
            found.start(),
            found["marker"] is not None and found["file"] is None,
            found["fails"] is not None,
            found["file"],
        )
        for found in FENCE.finditer(text)
    ]


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_snippets_run_and_print_what_is_shown(
    page: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The snippets of a page, run from top to bottom, print what the page says."""
    monkeypatch.syspath_prepend(tmp_path)
    text = page.read_text(encoding="utf-8")
    module = types.ModuleType("snippets")
    monkeypatch.setitem(sys.modules, "snippets", module)  # where dataclasses look for their types
    blocks = snippets(page)
    for block, following in zip_longest(blocks, blocks[1:]):
        if block.kind != "python" or block.is_test:
            continue
        if block.file is not None:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
            continue
        block.run(page, vars(module))
        printed = capsys.readouterr().out
        shown = ""
        if following is not None and text[block.end : following.start].strip() == "":
            shown = following.text if following.kind == "text" else ""
        assert f"line {block.line}:\n{shown}" == f"line {block.line}:\n{printed}"


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page_id(page), marks=() if page is README else pytest.mark.slow)
        for page in PAGES
        if any(snippet.is_test for snippet in snippets(page))
    ],
)
def test_snippets_that_are_tests_do_what_is_shown(page: Path, tmp_path: Path) -> None:
    """What a page shows as a test file is one: pytest runs it, and it passes or fails as shown."""
    blocks = snippets(page)
    first = next(block for block in blocks if block.kind == "python")
    (tmp_path / "shop.py").write_text(first.text, encoding="utf-8")
    files = {f"test_{n:02}.py": block for n, block in enumerate(blocks) if block.is_test}
    for name, block in files.items():
        (tmp_path / name).write_text(block.text, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "trio_otp.pytest_plugin", "--show-capture=no", "-rfE", str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    failed = re.findall(r"^(?:FAILED|ERROR) .*?(test_\d+\.py)", ran.stdout, re.MULTILINE)
    assert [name for name, block in files.items() if block.fails] == failed, ran.stdout + ran.stderr
    plain = ERROR.sub(lambda block: dedent(re.sub(r"^E", "", block[0], flags=re.M)), ran.stdout)
    plain = re.sub(r"^AssertionError: ", "", plain, flags=re.M)
    plain = re.sub(r"(?:\S*/)?test_\d+\.py", "test_cache.py", plain)
    for block, following in pairwise(blocks):
        if block.fails:
            assert following.kind == "text"
            assert following.text in plain


RUN_BY = {
    "elixir": "elixir program",
    "erlang": "cp program account.erl && erlc account.erl"
    " && erl -noshell -eval 'account:main(), halt().'",
}


@pytest.mark.interop
@pytest.mark.parametrize("kind", RUN_BY)
def test_programs_of_others_print_what_is_shown(kind: str, tmp_path: Path) -> None:
    """The program before, in Elixir or Erlang, runs as well; its log is among what it prints."""
    program, shown = snippets(ROOT / "docs" / "coming_from" / f"{kind}.md")[:2]
    (tmp_path / "program").write_text(program.text, encoding="utf-8")
    shell = ["bash", "-c", RUN_BY[kind]]
    ran = subprocess.run(
        shell, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    lines = shown.text.splitlines()

    assert (kind, "text") == (program.kind, shown.kind)
    assert lines == [line for line in ran.stdout.splitlines() if line in lines], ran.stderr


def test_there_are_snippets() -> None:
    """The pages hold snippets at all, so the tests above are not empty."""
    kinds = [block.kind for page in PAGES for block in snippets(page)]

    assert kinds.count("python") > 20
    assert set(kinds) <= KINDS


def test_commands_that_are_shown_exist() -> None:
    """What a page tells to type is a command of `trio-otp`, with options that it has."""
    [commands] = (action.choices for action in parser()._actions if action.required)
    known = {name: {*each._option_string_actions} for name, each in commands.items()}
    kinds = {"sh", "ini"}
    for page in PAGES:
        shown = "".join(block.text for block in snippets(page) if block.kind in kinds)
        for command, rest in re.findall(r"(?<!install )trio-otp +([a-z][\w-]*)(.*)", shown):
            options = re.findall(r"(?<= )--[\w-]+", rest.partition("#")[0])
            assert command in known, f"{page.name}: trio-otp {command}"
            own = command == "demo"  # its options are not of this parser
            assert own or known[command].issuperset(options), f"{page.name}: {command}{rest}"


def test_extras_are_quoted() -> None:
    """A shell such as zsh takes brackets for a pattern, and refuses the command."""
    texts = [*PAGES, *TUTORIALS, *(ROOT / "trio_otp").rglob("*.py")]
    found = [re.findall(r".*[^'./]trio-otp\[.*", text.read_text("utf-8")) for text in texts]
    assert not [line for lines in found for line in lines]


def test_every_option_of_run_is_on_the_page_on_running() -> None:
    """In the table of its options."""
    page = (ROOT / "docs" / "running.md").read_text("utf-8").partition("## Settings")[0]
    [run] = [sub.choices["run"] for sub in parser()._actions if isinstance(sub.choices, dict)]
    known = [option for action in run._actions for option in action.option_strings]
    options = [option for option in known if option not in {"-h", "--help"}]
    assert options, "there are none"
    assert not [option for option in options if f"`{option}" not in page]


def test_every_variable_of_the_environment_is_in_the_settings() -> None:
    """What the library reads of the environment is in their table."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text("utf-8")
    package = Path(otp.__file__).parent
    modules = [path.read_text("utf-8") for path in package.rglob("*.py")]
    names = {
        name
        for text in modules
        if "os.environ" in text
        for name in re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', text)
    }
    assert {"XDG_RUNTIME_DIR", "ERL_EPMD_PORT"} < names
    assert not [name for name in names - {"AF_UNIX"} if f"`{name}`" not in page]


def test_casts_are_shown_as_plain_functions() -> None:
    """What looks like a function to await is awaited; a cast that waits for something shows it."""
    package = Path(otp.__file__).parent
    files = [*PAGES, *TUTORIALS, *package.rglob("*.py"), *(ROOT / "examples").rglob("*.py")]
    # A decorator, the head of a function, and its body, which is set in deeper.
    cast = re.compile(r"^(\W*)@(?:otp\.)?on_cast\n\1async def (?:.*\n)(?:\1 +.*\n|\W*\n)*", re.M)
    found = [
        f"{file.relative_to(ROOT)}: {shown[0].splitlines()[1]}"
        for file in files
        for shown in cast.finditer(file.read_text(encoding="utf-8"))
        if "await " not in shown[0] and "async with" not in shown[0]
    ]
    assert [] == found


@pytest.mark.parametrize("page", [*PAGES, *TUTORIALS, *OTHERS], ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link of a page to a file or a heading of this repository leads there."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)]+)\)", text)
    local = [link for link in links if not re.match(r"[a-z]+:", link)]

    assert [] == [link for link in local if not leads_somewhere(page, link)]


def test_every_page_can_be_reached_from_the_readme() -> None:
    """Links lead from one to the next, where the repository is browsed and there is no sidebar."""
    wanted = {page for page in SITE if "{root}" not in page.read_text(encoding="utf-8")}
    wanted |= {page.with_suffix(".ipynb") for page in TUTORIALS}
    reached = {README}
    found = [README]
    while found:
        page = found.pop()
        new = {target for target in linked_pages(page) if target in wanted} - reached
        reached |= new
        found += new

    assert [] == sorted(page_id(page) for page in wanted - reached)


def linked_pages(page: Path) -> set[Path]:
    """Return what the links of a page lead to."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in links}


def test_every_error_is_explained() -> None:
    """The page of errors names every error of the library that a user can meet."""
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    errors = [name for name in dir(otp) if is_error(getattr(otp, name))]

    assert len(errors) > 20
    assert [] == [name for name in errors if f"`{name}" not in text and f"`otp.{name}`" not in text]


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, otp.OtpError)


def test_every_public_name_is_in_the_docs() -> None:
    """What can be imported from the library is mentioned on a page."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    words = set(re.findall(r"\w+", text))

    names = [*filter(is_public, dir(otp)), *filter(is_of_the_kit, dir(otp.testing))]
    assert [] == sorted(name for name in names if name not in words)


def test_every_public_name_has_one_place_in_the_reference() -> None:
    """It is in a list of names on one page there, from which the site explains it."""
    lists = re.compile(r"^:::\{api\}\n(.*?)^:::$", re.MULTILINE | re.DOTALL)
    pages = (page.read_text(encoding="utf-8") for page in (ROOT / "docs/reference").glob("*.md"))
    listed = Counter(
        name for page in pages for part in lists.findall(page) for name in part.split()
    )
    names = {
        f"{value.__module__}.{value.__qualname__}"
        if isinstance(value, type | types.FunctionType)
        else f"{namespace}.{name}"
        for namespace, name, value in public_api.exported()
    }
    fixtures = {f"trio_otp.pytest_plugin.{name}" for name in _trio_otp_pytest.FIXTURES}
    modules = {*public_api.NAMESPACES, "trio_otp.pytest_plugin"} - {"trio_otp"}

    expected = {name.removeprefix("trio_otp.") for name in names | fixtures | modules}
    assert dict.fromkeys(sorted(expected), 1) == dict(sorted(listed.items()))


def is_public(name: str) -> bool:
    value = getattr(otp, name)
    return not name.startswith("_") and not isinstance(value, types.ModuleType)


def is_of_the_kit(name: str) -> bool:
    module = getattr(getattr(otp.testing, name), "__module__", "")
    return not name.startswith("_") and module.startswith("trio_otp.testing.")


def leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page if name == "" else page.parent / name
    return target.exists() and (anchor == "" or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """Return the anchors that a forge makes of the headings of a page."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
