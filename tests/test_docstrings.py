"""What the docstrings of the library promise, and whether they say what they have to."""

from __future__ import annotations

import ast
import builtins
import difflib
import doctest
import enum
import functools
import importlib
import inspect
import logging
import pkgutil
import re
import textwrap
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, TypeGuard

import public_api
from inside import NoConstructor

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(otp.__file__).parent
MODULES = ["trio_otp", *(m.name for m in pkgutil.walk_packages(otp.__path__, "trio_otp."))]
# Type aliases, type variables and instances of a documented class have no docstring of their own.
DOCUMENTED_NAMES = {
    name.removeprefix("trio_otp."): value for name, value in public_api.documented()
}
CALLABLES: dict[str, FunctionType] = {
    name: inspect.unwrap(value)
    for name, value in DOCUMENTED_NAMES.items()
    if isinstance(value, FunctionType)
}
# A summary that starts so says itself what is returned.
RETURNS = ("Return", "Check whether", "List", "Count", "Make", "Whether", "As `")
# Words that stand in no docstring and no text of an error: there is a plainer one for each.
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
BANNED_OPENINGS = ("Give", "Tell whether", "Say", "Be", "Note that")
BANNED = re.compile(r"\b(accepted (?:is|are)|whoever|lest)\b", re.IGNORECASE)
ODD = re.compile(rf"(?i:{BANNED.pattern})|\b({'|'.join(BANNED_OPENINGS)}) ")


# The inside of the library: what a behaviour, a reply, a registry or an event manager does for the
# library, and the four functions of OTP's via protocol.
INSIDE = re.compile(
    r"(EventManager|From|Registry|ViaModule|alarm_handler\.AlarmHandler|pg\.Scope|cluster\.Peer)\.|"
    r"application\.check_|.*\.(run_process|children_info|item_ended|\w+_name)$"
)
API = [name for name in CALLABLES if INSIDE.match(name) is None]


@functools.cache
def parsed(file: Path) -> ast.Module:
    """Return the source of a module as syntax."""
    return ast.parse(file.read_text())


def public_examples() -> Iterator[doctest.DocTest]:
    """Yield the examples that `help` shows, of each public object once."""
    for name, thing in public_api.documented():
        yield doctest_of(name, thing.__doc__, inspect.getmodule(thing))


def private_examples() -> Iterator[doctest.DocTest]:
    """Yield the examples of all other docstrings, found in the source."""
    public = {inspect.cleandoc(each.__doc__ or "") for _, each in public_api.documented()}
    for name in MODULES:
        module = importlib.import_module(name)
        file = Path(module.__file__ or "")
        for node in ast.walk(parsed(file)) if ">>>" in file.read_text() else ():
            text = ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None
            if text is not None and text not in public:
                yield doctest_of(f"{name}:{getattr(node, 'name', '')}", text, module)


def doctest_of(name: str, docstring: str | None, module: ModuleType | None) -> doctest.DocTest:
    """Return the examples of a docstring, which are run where its module's names are known."""
    found = public_api.examples_in(name, docstring)
    return doctest.DocTest(found, vars(module or builtins).copy(), name, None, None, docstring)


def test_examples_in_docstrings_do_what_they_show() -> None:
    """Every `>>>` example of the library gives what stands below it."""
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    found = [*public_examples(), *private_examples()]

    assert [] == [test.name for test in found if runner.run(test).failed]


def test_each_public_name_has_the_examples_that_are_written_down() -> None:
    """None is lost on the way to the test above; a line with 0 is a name that has none yet."""
    expected = public_api.EXAMPLES.read_text(encoding="utf-8").splitlines()
    now = public_api.count_of_examples().splitlines()
    changed = list(difflib.unified_diff(expected, now, lineterm="", n=0))

    assert [] == changed, "if this is meant: python tests/support/public_api.py"


def test_help_shows_the_examples() -> None:
    """Nearly all examples stand where users look, not in files that they do not open."""
    shown = sum(len(test.examples) for test in public_examples())
    hidden = sum(len(test.examples) for test in private_examples())
    assert 3 * hidden < shown


def test_every_module_and_public_name_says_what_it_is() -> None:
    """Modules, public classes, functions and methods have docstrings that open with one line."""
    things = {name: importlib.import_module(name) for name in MODULES} | DOCUMENTED_NAMES

    assert [] == [name for name, thing in things.items() if not has_summary(thing)]


def has_summary(thing: ModuleType | FunctionType | type[Any]) -> bool:
    """Check whether a docstring opens with one line that ends as a sentence does."""
    first, *more = (thing.__doc__ or "").splitlines() or [""]
    return re.search(r"\S[.:]$", first) is not None and not "".join(more[:1]).strip()


def test_every_parameter_is_explained() -> None:
    """A public function or method that takes arguments says what each of them is."""
    assert [] == [name for name in API if explained(name) != parameters(name)]


def parameters(name: str) -> list[str]:
    """Return what is passed to a public function, without what it is a method of."""
    named = inspect.signature(CALLABLES[name]).parameters
    return [each for each in named if each not in {"self", "cls"}]


def explained(name: str) -> list[str]:
    """Return the parameters of which the docstring of a public function tells."""
    return re.findall(r"^\s+\**(\w+):", section(name, "Args"), re.MULTILINE)


def test_every_argument_of_a_constructor_is_explained() -> None:
    """A class that users make, or take apart by `match`, says what each of its arguments is."""
    made: dict[str, type[Any]] = {
        name: value for name, value in DOCUMENTED_NAMES.items() if is_made_by_users(value)
    }

    assert len(made) > 80
    assert [] == [
        f"{name}: {argument}"
        for name, cls in made.items()
        for argument in inspect.signature(cls).parameters
        if argument not in explained_of(cls)
    ]


NOT_MADE = (BaseException, enum.Enum, NoConstructor, logging.Formatter, dict)


def is_made_by_users(value: Any) -> TypeGuard[type[Any]]:
    """Check whether a class has a constructor of ours: no error, handle, enum or protocol."""
    return (
        isinstance(value, type)
        and not issubclass(value, NOT_MADE)
        and not getattr(value, "_is_protocol", False)
        and value is not otp.WatchedValue  # `otp.watch` makes it
    )


def explained_of(cls: type[Any]) -> set[str]:
    """Return the arguments that the docstrings of a class and of its constructor explain."""
    texts = [inspect.getdoc(cls) or "", inspect.getdoc(cls.__init__) or ""]
    parts = [body_of(text, title) for text in texts for title in ("Args", "Attributes")]
    found = re.findall(r"^\s+(\**\w[\w*, ]*):", "\n".join(parts), re.MULTILINE)
    return {name.lstrip("*") for names in found for name in names.split(", ")}


def test_every_result_is_explained() -> None:
    """A function that returns something says what, in its summary or under Returns."""
    assert [] == [name for name in API if returns_something(name) and not says_what(name)]


def returns_something(name: str) -> bool:
    """Check whether there is a result to explain."""
    silent = {"None", "NoReturn", "AsyncGenerator", "CoroutineType"}
    annotation = str(CALLABLES[name].__annotations__.get("return", "None"))
    return annotation.partition("[")[0] not in silent


def says_what(name: str) -> bool:
    """Check whether a docstring explains the result."""
    text = CALLABLES[name].__doc__ or ""
    return text.startswith(RETURNS) or section(name, "Returns") != ""


def test_every_error_that_is_raised_is_explained() -> None:
    """What the code of a public function raises by name stands in its docstring."""
    assert [] == [
        f"{name}: {error}"
        for name in API
        for error in sorted(raised_by(name))
        if error not in (CALLABLES[name].__doc__ or "")
    ]


def raised_by(name: str) -> set[str]:
    """Return the names of the errors that stand behind `raise` in a public function."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(CALLABLES[name])))
    return {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and isinstance(getattr(otp, node.exc.func.id, getattr(builtins, node.exc.func.id, 0)), type)
    }


def test_docstrings_and_errors_are_in_plain_english() -> None:
    """No docstring and no error uses a word or an opening for which there is a plainer one."""
    assert [] == [
        f"{file.relative_to(PACKAGE)}:{line}: {what}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if ODD.search(file.read_text())  # most have none, and to look at each text takes long
        for line, what in oddities(parsed(file))
    ]


def oddities(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the banned words and openings of a file, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found = BANNED.search(node.value)
            if found is not None:
                yield node.lineno + node.value[: found.start()].count("\n"), found[0]
            if node.value.startswith(tuple(f"{words} " for words in BANNED_OPENINGS)):
                yield node.lineno, node.value.splitlines()[0]


def section(name: str, title: str) -> str:
    """Return the body of a section of the docstring of a public function, or nothing."""
    return body_of(inspect.getdoc(CALLABLES[name]) or "", title)


def body_of(text: str, title: str) -> str:
    """Return the body of a section of a docstring in Google's form, or nothing."""
    found = re.search(rf"^{title}:\n((?:[ ]+.*\n?|\n(?=[ ]))*)", text, re.MULTILINE)
    if found is None:
        return ""
    first = re.match(r" *", found[1])
    indent = "" if first is None else first[0]
    return "\n".join(line for line in found[1].splitlines() if re.match(rf"{indent}\S", line))
