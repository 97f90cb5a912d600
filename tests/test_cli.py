"""The command `trio-otp`: what it accepts, what it says, its exit statuses."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path
from typing import Any

import pytest
from inside import parse_setting, parser
from paths import ROOT

import trio_otp as otp
from trio_otp import cli

EXAMPLES = ROOT / "examples"
SHOP = """
import sys
import trio
import trio_otp as otp

class Shop(otp.Application):
    environment = {"port": 80, "name": "shop", "rate": 0.5, "debug": False, "limit": None}

    def start(self):
        print(dict(self.environment), flush=True)
        if self.environment["port"] == 0:
            raise OSError("no port")
        job = otp.child(trio.lowlevel.checkpoint).having(significant=True, restart="temporary")
        return otp.Supervisor.spec([job], auto_shutdown="any_significant")

class Nested:
    class Inner(Shop):
        pass

not_an_application = 5
"""


def work_beside(name: str, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a module, which no test before has imported."""
    (folder / f"{name}.py").write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a directory with a program."""
    work_beside("cli_shop", SHOP, tmp_path, monkeypatch)


@pytest.mark.usefixtures("shop")
def test_run(capsys: pytest.CaptureFixture[str]) -> None:
    """`run module:App` finds a module in the working directory and gives the program's status."""
    assert 0 == cli.main(["run", "cli_shop:Shop"])
    assert "'port': 80" in capsys.readouterr().out
    assert 0 == cli.main(["run", "cli_shop:Nested.Inner"])


@pytest.mark.usefixtures("shop")
def test_set(capsys: pytest.CaptureFixture[str]) -> None:
    """`--set key=value` overrides settings, each value taken as the type of its default."""
    arguments = ["port=8080", "name=a=b", "rate=2", "debug=yes", "limit=7"]
    options = [word for argument in arguments for word in ("--set", argument)]
    assert 0 == cli.main(["run", "cli_shop:Shop", *options])
    expected = {"port": 8080, "name": "a=b", "rate": 2.0, "debug": True, "limit": 7}
    assert f"{expected}\n" == capsys.readouterr().out


@pytest.mark.usefixtures("shop")
def test_a_program_that_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    """Its status is 1, and the reason comes first."""
    assert 1 == cli.main(["run", "cli_shop:Shop", "--set", "port=0"])
    said = capsys.readouterr().err.splitlines()
    assert "application 'shop' did not start: OSError: no port" == said[0]
    assert "cli_shop.py" in said[1]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cli_shop"], "expected module:App"),
        (["cli_shop:"], "expected module:App"),
        (["cli_shop.py"], "shop.app:Shop; for this file write cli_shop:App"),
        (["cli_nowhere:Shop"], "no module 'cli_nowhere'"),
        (["cli_shop.deeper:Shop"], "no module 'cli_shop.deeper'"),
        ([".cli_shop:Shop"], "is not the name of a module"),
        (["cli_shop.py:Shop"], "write cli_shop:App for a file"),
        (["cli_shop:Shp"], "has no 'Shp'; it has Shop"),
        (["cli_shop:Shop.Inner"], "has no 'Inner'"),
        (
            ["cli_shop:not_an_application"],
            "5 is not a subclass of trio_otp.Application; it has Shop",
        ),
        (["cli_shop:Nested"], "is not a subclass of trio_otp.Application"),
        (["cli_shop:Shop", "--set", "port"], "expected key=value"),
        (["cli_shop:Shop", "--set", "prot=1"], "did you mean 'port'?"),
        (["cli_shop:Shop", "--set", "port=x"], "port='x': expected a whole number"),
    ],
)
def test_wrong_command_lines(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be carried out has status 2 and one line that says why."""
    assert 2 == cli.main(["run", *words])
    error = capsys.readouterr().err
    assert said in error
    assert 1 == len(error.splitlines())


@pytest.mark.parametrize("words", [[], ["run"], ["frobnicate"], ["run", "a:B", "--bogus"]])
def test_usage_errors(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What the parser refuses has status 2 and shows the usage."""
    with pytest.raises(SystemExit) as caught:
        cli.main(words)
    assert 2 == caught.value.code
    assert "usage: trio-otp" in capsys.readouterr().err


def test_a_bug_in_the_module_shows_its_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that needs another one that is missing is no wrong command line."""
    (tmp_path / "cli_needy.py").write_text("import cli_missing_dependency\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(ModuleNotFoundError, match="cli_missing_dependency"):
        cli.main(["run", "cli_needy:App"])


@pytest.mark.parametrize(
    ("default", "text", "value"),
    [
        (True, "off", False),
        (1, "-3", -3),
        (1.5, "1e3", 1000.0),
        ("x", "5", "5"),
        (Path("a"), "b/c", Path("b/c")),
        ([1], "[2, 3]", [2, 3]),
        ({"a": 1}, "{'b': 2}", {"b": 2}),
        (None, "5", 5),
        (None, "5.5", 5.5),
        (None, "true", True),
        (None, "red", "red"),
    ],
)
def test_values_of_settings(default: Any, text: str, value: Any) -> None:
    """The default says what a text is; where it is None the text itself does."""
    parsed = parse_setting("shop", {"key": default}, "key", text)
    assert (value, type(value)) == (parsed, type(parsed))


@pytest.mark.parametrize(
    ("default", "text", "said"),
    [
        (True, "maybe", "expected one of true"),
        (1, "1.5", "expected a whole number"),
        (1.5, "x", "expected a number"),
        ([1], "{1}", "expected list"),
        ([1], "[", "expected list"),
        ({1}, "{[]}", "expected set"),
        ([1], "[" * 5000, "expected list"),
        ([1], "[" + "-" * 100_000 + "1]", "expected list"),
    ],
)
def test_values_that_are_refused(default: Any, text: str, said: str) -> None:
    """A text that is no value of the default's type is refused, saying what is."""
    with pytest.raises(otp.SpecError, match=said):
        parse_setting("shop", {"key": default}, "key", text)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` prints the version of the installed package."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert 0 == caught.value.code
    assert f"trio-otp {importlib.metadata.version('trio-otp')}\n" == capsys.readouterr().out


def run_python(*words: str, cwd: Path, path: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(path)}
    return subprocess.run(
        [sys.executable, *words],
        check=False,
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
    )


def run_without_repository(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command where the package is importable, and not its examples."""
    library = directory / "site"
    library.mkdir()
    (library / "trio_otp").symlink_to(Path(otp.__file__).parent)
    code = (
        "import sys; from pathlib import Path; "
        "sys.path[:] = [path for path in sys.path if not Path(path, 'examples').is_dir()]; "
        "from trio_otp.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return run_python("-c", code, *words, cwd=directory, path=library)


def test_demo_without_the_repository(tmp_path: Path) -> None:
    """An installed package has no demonstration, and says where it is."""
    done = run_without_repository(tmp_path, "demo")
    assert (2, "") == (done.returncode, done.stdout)
    assert "there is no command 'demo' here" in done.stderr
    assert "in a clone of the repository" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_the_demo_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` lists `demo` beside the examples and in a clone, and nowhere else."""
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site" / "trio_otp" / "cli.py"))
    for folder, offered in ((tmp_path, False), (EXAMPLES.parent, True)):
        monkeypatch.chdir(folder)
        with pytest.raises(SystemExit):
            cli.main(["--help"])
        assert offered is ("demo" in capsys.readouterr().out)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        cli.main(["demo"])
    assert "there is no command 'demo' here; it is with the examples" in capsys.readouterr().err


def test_demo_in_the_repository(tmp_path: Path) -> None:
    """In a clone the demonstration is found, and has options of its own."""
    done = run_python("-m", "trio_otp", "demo", "--bogus", cwd=EXAMPLES.parent, path=tmp_path)
    assert 2 == done.returncode
    assert "trio-otp demo" in done.stderr
    assert "--bogus" in done.stderr


def test_python_m(tmp_path: Path) -> None:
    """`python -m trio_otp` is the command."""
    repository = Path(otp.__file__).parent.parent
    done = run_python("-m", "trio_otp", "run", "nowhere:App", cwd=tmp_path, path=repository)
    assert 2 == done.returncode
    assert "no module 'nowhere'" in done.stderr


def test_console_script_is_declared() -> None:
    """The installed package has the command `trio-otp`."""
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="trio-otp")
    assert cli.main is script.load()
    assert Path(sysconfig.get_path("scripts")).is_dir()


# -- settings from everywhere ----------------------------------------------------------------------

SAFE = """
import trio_otp as otp

class Store(otp.Application):
    environment = {"path": "store.db"}

class Safe(otp.Application):
    dependencies = (Store,)
    environment = {"port": 80, "max_open": 5, "debug": False, "password": "", "limit": 0.5}
    private = ("password",)

    def start(self):
        print(dict(self.environment), repr(self.environment), flush=True)
        job = otp.child(nothing).having(significant=True, restart="temporary")
        return otp.Supervisor.spec([job], auto_shutdown="any_significant")

async def nothing():
    pass
"""


@pytest.fixture
def safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with a program and a configuration."""
    work_beside("cli_safe", SAFE, tmp_path, monkeypatch)
    config = tmp_path / "safe.toml"
    config.write_text("[safe]\nport = 1\nmax_open = 1\nlimit = 1\n")
    return config


@pytest.mark.parametrize("prefix", ["SAFE", "SAFE_"])
def test_variables_stand_between_the_file_and_set(
    prefix: str, safe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is taken as `--set` takes it; those of others are left alone."""
    variables = {"MAX_OPEN": "2", "LIMIT": "2", "DEBUG": "yes", "SERVICE_HOST": "10.0.0.1"}
    for name, value in variables.items():
        monkeypatch.setenv(f"SAFE_{name}", value)
    words = ["--config", str(safe), "--env-prefix", prefix, "--set", "limit=3"]
    assert 0 == cli.main(["run", "cli_safe:Safe", *words])
    expected = {"port": 1, "max_open": 2, "debug": True, "password": "", "limit": 3.0}
    assert str(expected) in capsys.readouterr().out


@pytest.mark.usefixtures("safe")
def test_a_variable_that_is_nearly_one_is_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It may be meant for somebody else, so the program runs; a check tells of all others too."""
    monkeypatch.setenv("SAFE_PROT", "8080")
    monkeypatch.setenv("SAFE_SERVICE_HOST", "10.0.0.1")
    told = "SAFE_PROT: application 'safe' has no such setting; did you mean SAFE_PORT?"
    words = ["run", "cli_safe:Safe", "--env-prefix", "SAFE_"]
    assert 0 == cli.main(words)
    assert [told] == [each.getMessage() for each in caplog.records if "SAFE_" in each.getMessage()]
    assert "" == capsys.readouterr().err
    assert 0 == cli.main([*words, "--check-config"])
    said = capsys.readouterr().err.splitlines()
    assert f"trio-otp: warning: {told}" == said[0]
    assert "trio-otp: warning: SAFE_SERVICE_HOST: application 'safe' has no such setting" == said[1]


def test_check_config_tells_all_mistakes(
    safe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the file, the variables and the command line, a line each; nothing runs; status 2."""
    safe.write_text('[safe]\nport = "x"\nprot = 1\n[stores]\npath = ""\n[store]\npath = 5\n')
    monkeypatch.setenv("SAFE_MAX_OPEN", "many")
    monkeypatch.setenv("SAFE_DEBUG", "perhaps")
    words = ["--config", str(safe), "--env-prefix", "SAFE", "--set", "limit=x", "--set", "limits=1"]
    for check in (["--check-config"], []):  # a program that is to run says the same
        assert 2 == cli.main(["run", "cli_safe:Safe", *words, *check])
        said = capsys.readouterr()
        assert "" == said.out
        lines = said.err.splitlines()
        expected = [
            f"--config {safe}: [safe] port = 'x': expected a whole number",
            f"--config {safe}: application 'safe' has no setting 'prot'",
            f"--config {safe}: no application 'stores'",
            f"--config {safe}: [store] path = 5: expected a text",
            "SAFE_DEBUG: debug='perhaps': expected one of true",
            "SAFE_MAX_OPEN: max_open='many': expected a whole number",
            "--set limit: limit='x': expected a number",
            "--set limits: application 'safe' has no setting 'limits'",
        ]
        for line, start in zip(lines, expected, strict=True):
            assert line.startswith(f"trio-otp: error: {start}")


def test_check_config_finds_no_mistake(safe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, runs nothing, and has status 0."""
    words = ["--config", str(safe), "--set", "port=5", "--check-config"]
    assert 0 == cli.main(["run", "cli_safe:Safe", *words])
    assert "trio-otp: the settings of application 'safe' are right\n" == capsys.readouterr().out


@pytest.mark.usefixtures("safe")
@pytest.mark.parametrize("prefix", ["", "_ ", "1X", "A-B", "A=B"])
def test_prefixes_that_are_refused(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any, each variable of the system would be looked at: PATH for `path`."""
    assert 2 == cli.main(["run", "cli_safe:Safe", f"--env-prefix={prefix}"])
    said = capsys.readouterr().err
    assert "expected letters, digits and _, as in SHOP_" in said


def test_a_private_setting_is_not_shown(
    safe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither in an error, be it of a file, a variable or an argument, nor by the environment."""
    safe.write_text("[safe]\npassword = 4711\n")
    assert 2 == cli.main(["run", "cli_safe:Safe", "--config", str(safe)])
    assert "[safe] password = <private>: expected a text" in capsys.readouterr().err
    monkeypatch.setenv("SAFE_PASSWORD", "hunter2")
    assert 0 == cli.main(["run", "cli_safe:Safe", "--env-prefix", "SAFE"])
    shown = capsys.readouterr().out
    assert "'password': 'hunter2'" in shown  # the settings themselves are there
    assert "'password': <private>" in shown

    class Key(otp.Application):
        environment = {"key": 1}  # noqa: RUF012
        private = ("key",)

    with pytest.raises(otp.SpecError, match="key=<private>: expected a whole number"):
        parse_setting("app", Key.environment, "key", "hunter2", Key.private)


@pytest.mark.parametrize("words", [["--log-level", "loud"], ["--log-format", "xml"]])
def test_wrong_words_for_the_log(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The parser says which there are."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "a:B", *words])
    assert 2 == caught.value.code
    assert "choose from" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0.001", "-1", "inf", "soon"])
def test_wrong_limits_for_who_holds_the_loop(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The parser says what is accepted."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["run", "a:B", "--long-schedule", seconds])
    assert 2 == caught.value.code
    assert "expected 0 or a number of seconds >= 0.01" in capsys.readouterr().err


HELD = """
import sys
import trio_otp as otp

class Shop(otp.GenServer):
    def handle_continue(self, _):
        sys.stdin.readline()  # a mistake: the whole program waits for it
        return otp.Stop(otp.NORMAL)

    def init(self):
        return otp.NoReply(continue_="read")

class Held(otp.Application):
    def start(self):
        shop = otp.child(Shop).having(significant=True, restart="temporary")
        return otp.Supervisor.spec([shop], auto_shutdown="any_significant")
"""


@pytest.mark.parametrize("seconds", ["0.05", "0"])
def test_run_tells_who_holds_the_loop_unless_it_is_not_to(tmp_path: Path, seconds: str) -> None:
    """On standard error, while it lasts; with 0 there is not even a thread."""
    (tmp_path / "cli_held.py").write_text(HELD)
    words = ["-m", "trio_otp", "run", "cli_held:Held", "--long-schedule", seconds]
    with subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(otp.__file__).parent.parent)},
        text=True,
    ) as program:
        assert program.stdin is not None
        assert program.stderr is not None
        limit = threading.Timer(60, program.kill)
        limit.start()
        if seconds != "0":
            told = next(line for line in program.stderr if "the event loop is held for" in line)
            assert re.search(r"<Pid \d+ Shop>, handling `'read'`, at .*cli_held\.py:7 in", told)
        program.stdin.write("\n")
        program.stdin.close()
        rest = program.stderr.read()
        limit.cancel()
    assert 0 == program.returncode
    assert "is held" not in rest


@pytest.mark.usefixtures("shop")
def test_run_watches_the_loop_with_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing else is said; `otp.run` leaves that to the application."""
    asked: list[Any] = []
    run = otp.run  # imported late, and then kept
    monkeypatch.setattr("trio_otp._program.program.run", lambda *_, **more: asked.append(more) or 0)
    cli.main(["run", "cli_shop:Shop"])
    cli.main(["run", "cli_shop:Shop", "--long-schedule", "0"])
    assert [1.0, None] == [each["long_schedule"] for each in asked]
    with pytest.raises(ValueError, match="long_schedule=0: expected a number of seconds"):
        run(otp.Application, long_schedule=0)


def test_the_options_of_the_log(safe: Path) -> None:
    """They reach the program, in whatever case the level is written."""
    words = ["run", "cli_safe:Safe", "--log-level", "DEBUG", "--log-format", "json"]
    done = run_python(
        "-m", "trio_otp", *words, cwd=safe.parent, path=Path(otp.__file__).parent.parent
    )
    assert 0 == done.returncode
    said = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"DEBUG", "INFO"} == {each["level"] for each in said}


def test_variables_in_a_program_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """`otp.run(env_prefix=)` does the same; arguments outrank the variables."""
    seen: list[dict[str, Any]] = []

    class Small(otp.Application):
        environment = {"port": 1, "host": ""}  # noqa: RUF012

        def start(self) -> Any:
            seen.append(dict(self.environment))
            raise OSError("enough")

    monkeypatch.setenv("SMALL_PORT", "2")
    monkeypatch.setenv("SMALL_HOST", "here")
    assert 1 == otp.run(Small, env_prefix="SMALL", environment={"host": "there"})
    assert [{"port": 2, "host": "there"}] == seen
    monkeypatch.setenv("SMALL_PORT", "x")
    with pytest.raises(otp.SpecError, match="SMALL_PORT: port='x': expected a whole number"):
        otp.run(Small, env_prefix="SMALL")
    with pytest.raises(otp.SpecError, match="env_prefix='': expected letters"):
        otp.run(Small, env_prefix="")


def commands() -> list[str]:
    """Return the command lines of the pages: of shells, of a unit of systemd, of a Dockerfile."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    found = re.findall(r"^(?:\$ |ExecStart=\S*/)?trio-otp (run .*)$", text, re.MULTILINE)
    entry, more = re.search(r"^ENTRYPOINT (.*)\nCMD (.*)$", text, re.MULTILINE).groups()  # type: ignore[union-attr]  # it is there
    return [*found, " ".join([*json.loads(entry), *json.loads(more)]).removeprefix("trio-otp ")]


def test_commands_of_the_pages_are_accepted() -> None:
    """Each option that a page shows is one, and what follows it is a value."""
    found = commands()
    assert len(found) >= 4
    for command in found:
        given, rest = parser().parse_known_args(command.split())
        assert [] == rest
        assert "shop.app:Shop" == given.application
