"""The command `trio-otp`: begin a project, run an application, look into a running one.

    trio-otp new shop
    trio-otp run shop.app:Shop --config app.toml --set port=8080 --set debug=true
    trio-otp run shop.app:Shop --config app.toml --env-prefix SHOP_ --log-format json
    trio-otp run shop.app:Shop --config app.toml --check-config
    trio-otp run shop.app:Shop --observe         (others may look: on a page, by these commands)
    trio-otp run shop.app:Shop --name shop@10.0.0.5 --cookie-file FILE     (a node of a cluster)
    trio-otp list
    trio-otp ps | tree [NAME] | info REF | problems | stacks | crashes | url | shell
    trio-otp completion bash
    trio-otp demo --serve          (where the examples are: in a clone of the repository)

Exit status: that of the program (see `otp.run`, which says as well what signals do); 2 for a wrong
command line, file or variable, with a line for each mistake; 0 from `--check-config` if there is
none. The commands that look into a program have 1 if it answers that it cannot, and 2 if there is
no program or not one alone.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ._application.base import Application
from ._application.config import check_config
from ._application.graph import all_of
from ._application.variables import Given, check_prefix, from_texts, from_variables, nothing_given
from ._exits.errors import SpecError
from ._new.completion import SHELLS, script
from ._program.logs import FORMATS, LEVELS
from ._util.bounded import visible
from ._util.checks import nearest
from ._util.version import __version__
from .observer.commands import add_commands

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

EXAMPLE = Path("examples", "cache_service")
DEMO = "examples.cache_service.demo"
LOOK, ACTIONS = "look", "actions"  # what `--observe` lets others do


class UsageError(Exception):
    """The command line cannot be carried out; each argument is a line that says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out a command line and give the exit status; without `argv` that of this process."""
    parser = _parser()
    _refuse_unknown_command(parser, sys.argv[1:] if argv is None else argv)
    given, rest = parser.parse_known_args(argv)
    if rest and given.command is not _demo:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        status: int = given.command(given, rest)
    except UsageError as exc:
        for mistake in exc.args:
            print(f"trio-otp: error: {visible(mistake)}", file=sys.stderr)
        return 2
    return status


def _refuse_unknown_command(parser: argparse.ArgumentParser, argv: Sequence[str]) -> None:
    """Suggest a command in place of one that there is not; argparse would only list them."""
    [commands] = (list(action.choices or ()) for action in parser._actions if action.required)
    if argv and not argv[0].startswith("-") and argv[0] not in commands:
        parser.error(
            f"there is no command {visible(repr(argv[0]))}{_meant(argv[0], commands)}\n"
            f"the commands are: {', '.join(commands)}"
        )


def _meant(word: str, commands: Sequence[str]) -> str:
    if word == "demo":
        return " here; it is with the examples: run it in a clone of the repository"
    near = nearest(word, commands)
    return "" if near is None else f"; did you mean {near!r}?"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "trio-otp", description="Run applications of trio_otp, and look into running ones."
    )
    parser.add_argument("--version", action="version", version=f"trio-otp {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")
    new = commands.add_parser("new", help="write a project to begin with, and its tests")
    new.add_argument("name", metavar="NAME", help="what it is called, and the folder that it gets")
    new.set_defaults(command=_new)
    run = commands.add_parser("run", help="run an application until it ends or a signal stops it")
    run.add_argument("application", metavar="module:App", help="where its class is")
    run.add_argument(
        "--set", action="append", default=[], metavar="key=value", help="override a setting"
    )
    what = "read settings from a TOML file, a table for each application; all else outranks it"
    run.add_argument("--config", metavar="FILE", help=what)
    what = "take settings from variables, with SHOP_ port from SHOP_PORT; --set outranks them"
    run.add_argument("--env-prefix", metavar="PREFIX", help=what)
    what = "say what is wrong with all these, and run nothing"
    run.add_argument("--check-config", action="store_true", help=what)
    what = f"what to log at least: {', '.join(LEVELS)}; info if left out"
    run.add_argument("--log-level", choices=LEVELS, type=str.lower, metavar="LEVEL", help=what)
    what = "how to log: text, or json with an object in each line"
    run.add_argument("--log-format", choices=FORMATS, help=what)
    what = "warn of who holds the event loop for so long; 1 if left out, 0 for no such warnings"
    run.add_argument("--long-schedule", type=_seconds, default=1.0, metavar="SECONDS", help=what)
    what = "let others look: on a page in a browser, by `trio-otp ps` and the like; or act as well"
    run.add_argument(
        "--observe", nargs="?", const=LOOK, type=_observation, metavar="actions", help=what
    )
    _add_node(run)
    run.set_defaults(command=_run)
    add_commands(commands)
    what = "print a script by which the shell completes these commands and their options"
    completion = commands.add_parser("completion", help=what)
    completion.add_argument("shell", choices=SHELLS, metavar="|".join(SHELLS))
    completion.set_defaults(command=_completion)
    if _repository() is not None:
        # The demonstration has options of its own, and a --help that knows them.
        what = "run the demonstration, about ten seconds"
        demo = commands.add_parser("demo", help=what, add_help=False)
        demo.set_defaults(command=_demo)
    return parser


def _add_node(run: argparse.ArgumentParser) -> None:
    """Add what makes a program a node of a cluster."""
    group = run.add_argument_group("node", "what makes the program a node of an Erlang cluster")
    group.add_argument("--name", metavar="NAME@HOST", help="the name of the node")
    what = (
        "the file of the cluster's cookie, which nobody else may read; ~/.erlang.cookie as Erlang"
    )
    group.add_argument("--cookie-file", metavar="FILE", help=what)
    group.add_argument("--tls-cert", metavar="FILE", help="the certificate of the node, as PEM")
    group.add_argument("--tls-key", metavar="FILE", help="its private key, as PEM")
    what = "the certificates of who may sign those of other nodes, as PEM"
    group.add_argument("--tls-ca", metavar="FILE", help=what)


# -- run -----------------------------------------------------------------------------------------


def _run(given: argparse.Namespace, _rest: list[str]) -> int:
    from ._program.program import run  # noqa: PLC0415 - only `run` needs it

    _put_on_path(Path.cwd())
    application = find_application(given.application)
    arguments, variables = settings_of(application, given)
    if given.check_config:
        for note in variables.unknown:
            print(f"trio-otp: warning: {visible(note)}", file=sys.stderr)
        print(f"trio-otp: the settings of application {application.name!r} are right")
        return 0
    with _as_node(given), _observed(given.observe):
        return run(
            application,
            environment=arguments.settings,
            config=given.config,
            env_prefix=given.env_prefix,
            log_level=given.log_level,
            log_format=given.log_format,
            long_schedule=given.long_schedule or None,
        )


def _as_node(given: argparse.Namespace) -> AbstractContextManager[object]:
    """Have what `run` runs be a node of a cluster."""
    files = {name: getattr(given, name) for name in ("tls_cert", "tls_key", "tls_ca")}
    if given.name is None:
        options = {"cookie_file": given.cookie_file, **files}
        needless = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
        if needless:
            raise UsageError(f"{needless[0]}: needs --name=NAME@HOST, which makes it a node")
        return nullcontext()
    from .cluster.beside import as_node  # noqa: PLC0415 - only `--name` needs it

    try:
        return as_node(given.name, cookie_file=given.cookie_file, **files)
    except (OSError, ValueError) as exc:
        raise UsageError(str(exc)) from None


def _observed(what: str | None) -> AbstractContextManager[object]:
    """Have what `run` runs served to those who look."""
    if what is None:
        return nullcontext()
    from .observer.beside import observing  # noqa: PLC0415 - only `--observe` needs it

    try:
        return observing(actions=what == ACTIONS)
    except ModuleNotFoundError as exc:
        raise UsageError(f"--observe: {exc}") from None


def _observation(text: str) -> str:
    """Parse what `--observe` allows."""
    if text not in {LOOK, ACTIONS}:  # the former comes from here where nothing is given
        expected = "expected --observe at the end of the line, or --observe=actions"
        raise argparse.ArgumentTypeError(f"{text!r}: {expected}")
    return text


def _seconds(text: str) -> float:
    """Parse the limit of `--long-schedule`."""
    from ._inspect.system_monitor import check_schedule  # noqa: PLC0415 - as above

    try:
        seconds = float(text)
        check_schedule(seconds or None)
    except ValueError:
        expected = "expected 0 or a number of seconds >= 0.01"
        raise argparse.ArgumentTypeError(f"{text!r}: {expected}") from None
    return seconds


def _put_on_path(directory: Path) -> None:
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))


def find_application(where: str) -> type[Application]:
    """Import the class behind `module:App`.

    Raises:
        UsageError: there is none.
    """
    module_name, colon, path = where.partition(":")
    if not (module_name and colon and path):
        stem = where.removesuffix(".py")
        hint = f"; for this file write {stem}:App" if where != stem and stem.isidentifier() else ""
        raise UsageError(f"{where!r}: expected module:App, for example shop.app:Shop{hint}")
    module: Any = _import(module_name)
    found = module
    for name in path.split("."):
        if not hasattr(found, name):
            raise UsageError(f"{where!r}: {found!r} has no {name!r}{_applications_in(found)}")
        found = getattr(found, name)
    if not (isinstance(found, type) and issubclass(found, Application)):
        has = _applications_in(module)
        raise UsageError(f"{where!r}: {found!r} is not a subclass of trio_otp.Application{has}")
    return found


def _import(name: str) -> Any:
    if not all(part.isidentifier() for part in name.split(".")):
        raise UsageError(
            f"{name!r} is not the name of a module; expected module:App, for example shop.app:Shop"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not (name == exc.name or name.startswith(f"{exc.name}.")):
            raise  # a module that the application needs
        hint = f"; write {name[:-3]}:App for a file" if name.endswith(".py") else ""
        text = f"no module {exc.name!r} in {Path.cwd()} or elsewhere on the import path{hint}"
        raise UsageError(text) from None


def _applications_in(module: Any) -> str:
    members: dict[str, Any] = vars(module) if isinstance(module, ModuleType) else {}
    names = [
        name
        for name, value in members.items()
        if isinstance(value, type) and issubclass(value, Application) and value is not Application
    ]
    return f"; it has {', '.join(names)}" if names else ""


def settings_of(application: type[Application], given: argparse.Namespace) -> tuple[Given, Given]:
    """Return the settings of `--set` and those of variables, and check these and the file.

    Raises:
        UsageError: something is not accepted; it has all that is not.
    """
    arguments = from_texts(application, given.set)
    variables = _variables(application, given.env_prefix)
    mistakes = [*_mistakes_in(application, given.config), *variables.mistakes, *arguments.mistakes]
    if mistakes:
        raise UsageError(*mistakes)
    return arguments, variables


def _mistakes_in(application: type[Application], config: str | None) -> list[str]:
    """Return what is wrong with a file, as mistakes in the command line."""
    if config is None:
        return []
    return [f"--config {mistake}" for mistake in check_config(config, all_of(application))[1]]


def _variables(application: type[Application], prefix: str | None) -> Given:
    if prefix is None:
        return nothing_given()
    try:
        return from_variables(application, check_prefix(prefix), os.environ)
    except SpecError as exc:
        return Given({}, [f"--env-prefix: {exc}"], [], [])


# -- new and completion --------------------------------------------------------------------------


def _new(given: argparse.Namespace, _rest: list[str]) -> int:
    from ._new.project import COMMANDS, create  # noqa: PLC0415 - only `new` needs it

    try:
        names = create(given.name, Path.cwd())
    except FileExistsError:
        where = Path.cwd() / given.name
        raise UsageError(f"{where} is there already, and stays as it is") from None
    except (ValueError, OSError) as exc:
        raise UsageError(str(exc)) from None
    print(f"{names.project} is written; to go on:\n\n    cd {names.project}")
    for command in COMMANDS:
        print(f"    {names.fill(command)}")
    return 0


def _completion(given: argparse.Namespace, _rest: list[str]) -> int:
    try:
        print(script(_parser(), given.shell))
    except ModuleNotFoundError as exc:
        raise UsageError(str(exc)) from None
    return 0


# -- demo ----------------------------------------------------------------------------------------


def _repository() -> Path | None:
    """Return the clone of the repository that has the demonstration, or None if there is none.

    A wheel holds no examples; the working directory may be a clone all the same.
    """
    places = (Path(__file__).parent.parent, Path.cwd())
    return next((place for place in places if (place / EXAMPLE).is_dir()), None)


def _demo(_given: argparse.Namespace, rest: list[str]) -> int:
    repository = _repository()
    assert repository is not None, "the parser offers the command only if there is one"
    _put_on_path(repository)
    status: int = importlib.import_module(DEMO).main(rest)
    return status
