"""Settings for all tests."""

from __future__ import annotations

import gc
import os
import random
from collections import defaultdict
from typing import TYPE_CHECKING

import depth
import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# The second is here for those who run the tests without having installed the library.
pytest_plugins = ["pytester", "trio_otp.pytest_plugin"]


def pytest_configure(config: pytest.Config) -> None:
    """Say how deep random tests look, before they are imported."""
    # Each of the programs that tests start would compile the library anew, for a third of a second.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    depth.deep = "not slow" not in str(config.option.markexpr)
    # A limit per example in real time would make slow machines fail.
    settings.register_profile("trio_otp", deadline=None, max_examples=depth.few(100))
    settings.load_profile("trio_otp")
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(Outside())


@pytest.hookimpl(tryfirst=True)  # before those are left out that are slow
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let some cases of each test that is marked `sampled` run by default; the others are slow.

    They are chosen by chance, but the same ones in every run.
    """
    tests: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("sampled") is not None:
            tests[item.nodeid.partition("[")[0]].append(item)
        if depth.deep and getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker("slow")  # again, with all its examples
    for name, cases in tests.items():
        (count,) = cases[0].get_closest_marker("sampled").args  # type: ignore[union-attr]
        chosen = random.Random(name.rpartition("::")[2]).sample(cases, min(count, len(cases)))
        for case in set(cases).difference(chosen):
            case.add_marker("slow")


class Outside:
    """Keep the tests of a folder that need other programs in one worker, with what they share.

    A plugin of its own, since the mark that says so is that of pytest-xdist.
    """

    MARKS = ("browser", "command", "interop", "kernel")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Group them by folder, for `--dist loadgroup`."""
        for item in items:
            if any(item.get_closest_marker(mark) for mark in self.MARKS):
                item.add_marker(pytest.mark.xdist_group(item.path.parent.name))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Freeze what pytest has collected, so that no garbage collection scans it again.

    Collecting makes millions of objects, most of them to rewrite assertions: little is garbage.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="module", autouse=True)
def _frozen() -> Iterator[None]:
    """Freeze what the tests of a file have left, too; garbage complains in the last of them.

    In the end, caches and reports would be so many that each `gc.collect` takes 0.2 s.
    """
    yield
    gc.collect()
    gc.freeze()
