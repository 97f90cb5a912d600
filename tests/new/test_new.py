"""`trio-otp new` writes a project; a command that there is not is met with the nearest."""

from __future__ import annotations

from pathlib import Path

import pytest

from trio_otp import cli


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_project_says_how_to_go_on(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The commands that are shown are those of its README; test_new_project runs them."""
    assert 0 == cli.main(["new", "tea-shop"])

    project = folder / "tea-shop"
    said = capsys.readouterr().out.splitlines()
    assert "cd tea-shop" in said[2]
    commands = [line.strip() for line in said[3:]]
    assert 2 == len(commands)
    assert all(f"\n{line}\n" in (project / "README.md").read_text() for line in commands)


def test_all_names_come_from_that_of_the_project(folder: Path) -> None:
    """The package and the application are called after it; no placeholder is left."""
    cli.main(["new", "s3-front"])

    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.*")}
    assert {
        "s3-front/README.md",
        "s3-front/.gitignore",
        "s3-front/pyproject.toml",
        "s3-front/s3_front/__init__.py",
        "s3-front/s3_front/app.py",
        "s3-front/s3_front/py.typed",
        "s3-front/s3_front/visits.py",
        "s3-front/tests/test_visits.py",
    } == files.keys()
    assert "class S3Front(otp.Application)" in files["s3-front/s3_front/app.py"].read_text()
    assert [] == [name for name, path in files.items() if "{{" in path.read_text()]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "'': expected small letters, digits, - and _"),
        ("Shop", "'Shop': expected small letters, digits, - and _, such as shop"),
        ("TeaShop", "such as tea-shop"),
        ("tea shop", "such as tea-shop"),
        ("../shop", "such as shop"),
        ("-", "expected small letters"),
        ("3d", "such as d"),
        ("shop!", "such as shop"),
        ("Class", "'Class': expected small letters, digits, - and _\n"),
        ("class", "class is a keyword of Python"),
        ("json", "json is a module of Python itself"),
        ("trio-otp", "it would hide trio_otp, which others import"),
        ("outcome", "it would hide outcome"),
        ("tests", "it would hide tests"),
        ("hypothesis", "it would hide hypothesis"),
        ("x\ny", r"'x\ny': expected"),
    ],
)
def test_a_name_that_cannot_be(
    name: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that the package could not have is refused before anything is written."""
    assert 2 == cli.main(["new", "--", name])

    error = capsys.readouterr().err
    assert said in error
    assert 1 == len(error.splitlines())
    assert [] == list(folder.iterdir())


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_what_is_there_stays(kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is overwritten, nor added to."""
    there = folder / "shop"
    match kind:
        case "folder":
            there.mkdir()
        case "file":
            there.write_text("mine")
        case _:
            there.symlink_to(folder / "nowhere")

    assert 2 == cli.main(["new", "shop"])
    assert f"{there} is there already, and stays as it is" in capsys.readouterr().err
    assert [there] == list(folder.iterdir())
    assert not there.is_dir() or [] == list(there.iterdir())
    assert not there.is_file() or "mine" == there.read_text()


def test_a_folder_that_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the system refuses is told as a mistake is, in one line."""
    monkeypatch.setattr(Path, "cwd", lambda: folder / "gone")

    assert 2 == cli.main(["new", "shop"])
    assert "No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("rnu", "there is no command 'rnu'; did you mean 'run'?\n"),
        ("frobnicate", "there is no command 'frobnicate'\n"),
        ("replace_state", "did you mean 'replace-state'?"),
    ],
)
def test_an_unknown_command(word: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest one is suggested, and all are listed."""
    with pytest.raises(SystemExit) as caught:
        cli.main([word, "shop.app:Shop"])

    assert 2 == caught.value.code
    error = capsys.readouterr().err
    assert said in error
    assert "the commands are: new, run, list, ps" in error
