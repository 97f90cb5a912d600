"""What pyproject.toml promises."""

from __future__ import annotations

import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


def test_old_and_new_pip_install_the_same_test_tools() -> None:
    """The extra `test` and the dependency group `test` do not drift apart."""
    extra = PROJECT["project"]["optional-dependencies"]["test"]

    assert extra == PROJECT["dependency-groups"]["test"]


def test_the_tests_have_what_is_optional() -> None:
    """What an extra of the library brings is there when its tests run."""
    extras = PROJECT["project"]["optional-dependencies"]

    assert {*extras["observer"], *extras["notebook"]} <= set(extras["test"])
