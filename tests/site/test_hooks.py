"""What the hooks of the site do with texts, and with the inventories of other projects."""

from __future__ import annotations

import doctest
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from paths import ROOT
from site_kit import build, small_tree, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.browser

PLACE = "docs/howto/pool.md"


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give a function that imports a module of the hooks."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    return lambda name: import_module(f"_site.{name}")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("../pools.md", "../pools.md"),
        ("retry.md#when", "retry.md#when"),
        ("#here", "#here"),
        ("https://example.org/a.md", "https://example.org/a.md"),
        ("../../CHANGELOG.md#unreleased", "../project/changelog.md#unreleased"),
        (
            "../../examples/README.md",
            "https://github.com/trio-otp/trio-otp/blob/main/examples/README.md",
        ),
        ("../../examples", "https://github.com/trio-otp/trio-otp/tree/main/examples"),
    ],
)
def test_links_of_a_page_lead_to_the_site_or_into_the_repository(
    hooks: Any, link: str, expected: str
) -> None:
    """As they do in the repository; and not in code."""
    text = f"See [it]({link}).\n\n```python\nrows[0](../../a.md)\n```\n"

    assert text.replace(f"]({link})", f"]({expected})") == hooks("sources").page(text, PLACE)


def test_a_file_of_the_repository_is_a_page(hooks: Any) -> None:
    """Its links are relative to where it is there."""
    shown = hooks("sources").page(
        ":::{root} CONTRIBUTING.md\n:::\n", "docs/project/contributing.md"
    )

    assert shown.startswith("# Contributing")
    assert "[another way](security.md)" in shown
    assert "[the design](../design.md#layers)" in shown


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("call", [".. autofunction:: trio_otp.call"]),
        ("open_process", [".. autofunction:: trio_otp.open_process", "   :async-with:"]),
        ("NORMAL", [".. py:data:: NORMAL", "   :module: trio_otp"]),
        ("Ref", [".. autodata:: trio_otp.Ref"]),
        ("sys", [".. automodule:: trio_otp.sys"]),
    ],
)
def test_a_name_is_explained_as_what_it_is(hooks: Any, name: str, expected: list[str]) -> None:
    """A function, one that opens a block, a member of an enum, other data, a namespace."""
    assert expected == list(hooks("sources").directive(f"trio_otp.{name}"))


def test_a_fixture_is_no_function(hooks: Any) -> None:
    """Users name it, and call nothing."""
    lines = list(hooks("sources").directive("trio_otp.pytest_plugin.otp_system"))

    assert [".. py:data:: otp_system", "   :module: trio_otp.pytest_plugin"] == lines[:2]
    assert "   :type: OtpSystem" == lines[2]


def test_sections_of_docstrings_become_fields(hooks: Any) -> None:
    """The example of the function that does it."""
    assert 0 == doctest.testmod(hooks("docstrings")).failed


def test_lists_and_stars_in_sections_stay_what_they_are(hooks: Any) -> None:
    """A list has a blank line above it, a star is none of markup."""
    text = "Go.\n\nArgs:\n    **more: any of\n        * one\n        * two\n\nFollows: OTP.\n"
    expected = "Go.\n\n:param \\*\\*more: any of\n\n    * one\n    * two\n\nFollows: OTP.\n"

    assert expected == hooks("docstrings").fields(text)


def test_what_cannot_be_fetched_is_left_out_and_said(
    hooks: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where there is no network, the site is built without links to others."""
    fetch = hooks("fetch")

    def fetched(name: str, scratch: Path) -> Path:
        if name == "python":
            raise OSError("no network")
        (scratch / "objects.inv").write_bytes(name.encode())
        return scratch / "objects.inv"

    monkeypatch.setattr(fetch, "_fetched", fetched)
    fetch.main(tmp_path)

    assert {"trio.inv", "outcome.inv", "pytest.inv"} == {each.name for each in tmp_path.iterdir()}
    assert "no links to https://docs.python.org/3/: no network\n" == capsys.readouterr().err
    monkeypatch.setattr(fetch, "_fetched", lambda *_: pytest.fail("fetched twice"))
    (tmp_path / "python.inv").touch()
    fetch.main(tmp_path)


INVENTORY = b"""# Sphinx inventory version 2
# Project: trio
# Version: 1
# The remainder of this file is compressed using zlib.
"""


def test_names_of_other_projects_lead_to_their_sites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as their inventories are there."""
    inventories = tmp_path / "inventories"
    inventories.mkdir()
    line = zlib.compress(b"trio.Nursery py:class 1 core.html#$ -\n")
    (inventories / "trio.inv").write_bytes(INVENTORY + line)
    monkeypatch.setenv("SITE_INVENTORIES", str(inventories))
    tree = small_tree(tmp_path)
    write(tree, start="# Start\n\n:::{api}\nspawn\nNotAProcess\n:::\n")
    done = build(tree)

    assert done.returncode == 0, done.stderr
    html = (tree / "site" / "start.html").read_text()
    assert "https://trio.readthedocs.io/en/stable/core.html#trio.Nursery" in html
