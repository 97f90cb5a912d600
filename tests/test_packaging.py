"""What pyproject.toml promises, and what an installed package holds."""

from __future__ import annotations

import importlib.metadata
import json
import re
import runpy
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
from inside import version

import trio_otp as otp

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY = PROJECT["project"]["urls"]["Repository"]
LINK = re.compile(r"\]\(([^)]+)\)")
INSTALLED = importlib.metadata.distribution("trio-otp")


def test_one_place_names_the_version() -> None:
    """`trio_otp.__version__` is what pyproject.toml says and the installed package tells."""
    assert PROJECT["project"]["version"] == otp.__version__ == INSTALLED.version


def test_sources_that_are_not_installed_have_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an installed package, `__version__` is one that no release has."""
    monkeypatch.setattr(importlib.metadata.Distribution, "from_name", no_package)

    assert "0+unknown" == runpy.run_path(version.__file__)["__version__"]


def no_package(name: str) -> importlib.metadata.Distribution:
    raise importlib.metadata.PackageNotFoundError(name)


def test_old_and_new_pip_install_the_same_test_tools() -> None:
    """The extra `test` and the dependency group `test` do not drift apart."""
    extra = PROJECT["project"]["optional-dependencies"]["test"]

    assert extra == PROJECT["dependency-groups"]["test"]


def test_the_tests_have_what_is_optional() -> None:
    """What an extra of the library brings is there when its tests run."""
    extras = PROJECT["project"]["optional-dependencies"]

    optional = ("observer", "notebook", "completion")
    assert {*chain.from_iterable(extras[name] for name in optional)} <= set(extras["test"])


def test_links_of_the_readme_work_on_pypi() -> None:
    """Where the README is shown alone, what is a relative link in a clone leads to a file there."""
    (readme,) = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["fragments"]
    text = (ROOT / readme["path"]).read_text(encoding="utf-8")
    relative = {link for link in LINK.findall(text) if not re.match(r"[a-z]+:|#", link)}
    for each in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    shown = LINK.findall(text)

    assert len(relative) > 10
    assert {f"{REPOSITORY}/blob/main/{link}" for link in relative} <= set(shown)
    assert [] == [link for link in shown if not re.match(r"https://|#", link)]


def test_the_addresses_of_the_project_are_of_one_repository() -> None:
    """All links of the package's page lead into the repository that is named there."""
    addresses = PROJECT["project"]["urls"].values()

    assert [] == [address for address in addresses if not address.startswith(REPOSITORY)]


def test_a_commit_is_checked_as_lint_does() -> None:
    """Each tool of the session `lint`, in the same version, checks a commit, but the slow one."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    installed = {json.loads(found)[0] for found in re.findall(r"dependencies: (\[.*\])", hooks)}
    commands = set(re.findall(r"entry: ([\w-]+)", hooks))
    lint = (ROOT / "noxfile.py").read_text(encoding="utf-8").partition("def lint(")[2]
    run = set(re.findall(r'session\.run\("([\w-]+)"', lint.partition("@nox.session")[0]))

    tools = {tool for tool in PROJECT["dependency-groups"]["lint"] if "flake8-async" not in tool}
    assert tools == installed
    assert commands == run


@pytest.mark.built
def test_the_page_on_pypi_has_absolute_links_only() -> None:
    """The text that a built package brings for its page on PyPI leads to no file beside it."""
    links = LINK.findall(INSTALLED.metadata.get_payload() or INSTALLED.metadata["Description"])

    assert len(links) > 10
    assert [] == [link for link in links if not re.match(r"https://|#", link)]


@pytest.mark.built
def test_a_built_package_holds_the_library_and_its_licence() -> None:
    """A wheel has no tests, examples or docs, and the licence of nothing that it does not hold."""
    files = [str(file) for file in INSTALLED.files or []]
    held = {file.partition("/")[0] for file in files if not file.startswith("..")}

    assert ["LICENSE"] == INSTALLED.metadata.get_all("License-File")
    licences = [file for file in files if "LICEN" in file.upper()]
    assert 1 == len(licences)
    assert {"trio_otp", "_trio_otp_pytest.py"} == {
        name for name in held if not name.endswith(".dist-info") and name != "__pycache__"
    }


@pytest.mark.built
def test_a_built_package_holds_the_page_of_the_observer() -> None:
    """What browsers load of the observer is installed with it."""
    folder = "trio_otp/observer/page/"
    held = {name.removeprefix(folder) for name in map(str, INSTALLED.files or []) if folder in name}
    page = (ROOT / "trio_otp" / "observer" / "page") if (ROOT / "trio_otp").is_dir() else None

    assert {"index.html", "main.js", "style.css", "favicon.svg"} <= held
    assert page is None or {each.name for each in page.iterdir()} == held


@pytest.mark.built
def test_an_installed_command_offers_no_demonstration(tmp_path: Path) -> None:
    """Without the examples, `trio-otp --help` does not name what cannot be run."""
    command = [sys.executable, "-m", "trio_otp", "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)

    assert "run" in done.stdout
    assert "demo" not in done.stdout


@pytest.mark.built
def test_a_built_package_holds_the_template_of_a_project() -> None:
    """What `trio-otp new` fills in is installed with it, also the file with a dot."""
    folder = "trio_otp/_new/template/"
    held = {name.removeprefix(folder) for name in map(str, INSTALLED.files or []) if folder in name}

    assert {".gitignore.in", "pyproject.toml.in", "{{package}}/app.py.in"} <= held
