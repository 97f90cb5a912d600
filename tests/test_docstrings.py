"""What the docstrings of the library promise, and whether they say what they have to."""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib
import inspect
import pkgutil
import re
import textwrap
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = ["trio_otp", *(m.name for m in pkgutil.walk_packages(otp.__path__, "trio_otp."))]
# Type aliases, type variables and instances of a documented class have no docstring of their own.
PUBLIC = {
    name: value
    for name, value in inspect.getmembers(otp)
    if not name.startswith("_") and isinstance(value, type | FunctionType)
} | {
    f"testing.{name}": value
    for name, value in inspect.getmembers(otp.testing)
    if not name.startswith("_") and isinstance(value, type | FunctionType)
}
MODULES_OF_FUNCTIONS = (
    otp.alarm_handler,
    otp.application,
    otp.gen_event,
    otp.observer,
    otp.pg,
    otp.sys,
    otp.task,
)
# A summary that starts so says itself what is returned.
GIVES = (
    "Return",
    "Check whether",
    "Give",
    "Tell",
    "List",
    "Count",
    "Say",
    "Make",
    "Let",
    "Whether",
    "As `",
)


def callables() -> Iterator[tuple[str, FunctionType]]:
    """Return the public functions, and the public methods of public classes, by name."""
    for module in MODULES_OF_FUNCTIONS:
        short = module.__name__.removeprefix("trio_otp.")
        for name, value in vars(module).items():
            own = name in getattr(module, "__all__", [name]) and (
                getattr(value, "__module__", "").startswith(module.__name__)
            )
            if own and isinstance(value, FunctionType) and not name.startswith("_"):
                yield f"{short}.{name}", inspect.unwrap(value)
    for name, value in PUBLIC.items():
        if isinstance(value, FunctionType):
            yield name, inspect.unwrap(value)
            continue
        for attribute, member in own_members(value):
            function = getattr(member, "__func__", member)
            if isinstance(function, FunctionType) and not attribute.startswith("_"):
                yield f"{name}.{attribute}", inspect.unwrap(function)


def own_members(cls: type[Any]) -> Iterator[tuple[str, Any]]:
    """Return what a class defines, itself or in a base that has no public name."""
    for base in cls.__mro__:
        ours = base.__module__.startswith("trio_otp")
        if base is cls or (ours and base not in PUBLIC.values()):
            yield from vars(base).items()


CALLABLES = dict(callables())
# The inside of the library: what a behaviour, a reply, a registry or an event manager does for the
# library, and the four functions of OTP's via protocol.
INSIDE = re.compile(
    r"(EventManager|From|Registry|ViaModule)\.|"
    r"application\.check_|.*\.(run_process|children_info|\w+_name)$"
)
API = [name for name in CALLABLES if INSIDE.match(name) is None]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_do_what_they_show(name: str) -> None:
    """Every `>>>` example of the library gives what stands below it."""
    module = importlib.import_module(name)

    failed, _ = doctest.testmod(module, optionflags=doctest.ELLIPSIS)

    assert failed == 0


def test_the_examples_are_found() -> None:
    """The docstrings hold examples at all: the test above is not empty."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(importlib.import_module(name))]

    assert sum(len(test.examples) for test in found) > 20


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name: str) -> None:
    """Every module has a docstring that opens with one line."""
    check_summary(importlib.import_module(name))


@pytest.mark.parametrize("name", [*PUBLIC, *CALLABLES])
def test_every_public_name_says_what_it_is(name: str) -> None:
    """Every public class, function and method has a docstring that opens with one line."""
    check_summary(CALLABLES.get(name) or PUBLIC[name])


def check_summary(thing: ModuleType | FunctionType | type[Any]) -> None:
    lines = (thing.__doc__ or "").splitlines()

    assert lines
    assert lines[0].strip() != ""
    assert re.search(r"[.:]$", lines[0]) is not None
    assert "" == "".join(lines[1:2]).strip()


@pytest.mark.parametrize("name", API)
def test_every_parameter_is_explained(name: str) -> None:
    """A public function or method that takes arguments says what each of them is."""
    parameters = [p for p in inspect.signature(CALLABLES[name]).parameters if p != "self"]
    explained = re.findall(r"^\s+\**(\w+):", section(name, "Args"), re.MULTILINE)

    assert [p for p in parameters if p != "cls"] == explained


@pytest.mark.parametrize("name", API)
def test_every_result_is_explained(name: str) -> None:
    """A function that returns something says what, in its summary or under Returns."""
    function = CALLABLES[name]
    text = function.__doc__ or ""
    silent = {"None", "NoReturn", "AsyncGenerator", "CoroutineType"}
    result = str(function.__annotations__.get("return", "None")).partition("[")[0]

    assert result in silent or text.startswith(GIVES) or section(name, "Returns") != ""


@pytest.mark.parametrize("name", API)
def test_every_error_that_is_raised_is_explained(name: str) -> None:
    """What the code of a public function raises by name stands in its docstring."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(CALLABLES[name])))
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and isinstance(getattr(otp, node.exc.func.id, getattr(builtins, node.exc.func.id, 0)), type)
    }
    text = CALLABLES[name].__doc__ or ""

    assert [] == sorted(error for error in raised if error not in text)


def section(name: str, title: str) -> str:
    """Return the body of a section of a docstring in Google's form, or nothing."""
    text = inspect.getdoc(CALLABLES[name]) or ""
    found = re.search(rf"^{title}:\n((?:[ ]+.*\n?|\n(?=[ ]))*)", text, re.MULTILINE)
    if found is None:
        return ""
    first = re.match(r" *", found[1])
    indent = "" if first is None else first[0]
    return "\n".join(line for line in found[1].splitlines() if re.match(rf"{indent}\S", line))
