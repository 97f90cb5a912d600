"""The plugin of trio_otp for pytest; `trio_otp.pytest_plugin` is its public name.

It stands beside the package, since pytest imports it in every run, and the package imports Trio.
Nothing else is imported until a test uses a fixture. For pytest: PYTEST_DONT_REWRITE, there is no
`assert` in here.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator

    from trio_otp.testing import (
        OtpLog,
        OtpSystem,
        Probe,
        StartSupervised,
        StopSupervised,
        VirtualTime,
    )

FIXTURES = frozenset(
    ["otp_log", "otp_system", "probe", "start_supervised", "stop_supervised", "virtual_time"]
)
_USED = pytest.StashKey[bool]()


@pytest.fixture
async def otp_system(request: pytest.FixtureRequest) -> AsyncIterator[OtpSystem]:
    """The system of a test: stopped at its end; what leaks or crashes makes the test fail."""
    from trio_otp.testing.fixtures import system_of  # noqa: PLC0415 - see above

    async with system_of(request.node.name) as system:
        yield system


@pytest.fixture
def start_supervised(otp_system: OtpSystem) -> StartSupervised:
    """Return the function that starts a child, which is stopped at the end of the test."""
    return otp_system.start_supervised


@pytest.fixture
def stop_supervised(otp_system: OtpSystem) -> StopSupervised:
    """Return the function that stops what `start_supervised` has started."""
    return otp_system.stop_supervised


@pytest.fixture
def probe(otp_system: OtpSystem) -> Probe:
    """A process that the test controls; `otp_system.probe(name=...)` makes more."""
    return otp_system.probe()


@pytest.fixture
def otp_log(otp_system: OtpSystem) -> OtpLog:
    """The crashes and supervisor reports of a test; those it does not expect fail it."""
    return otp_system.log


@pytest.fixture
def virtual_time() -> VirtualTime:
    """The clock of the test: it jumps to what is next; `await virtual_time.advance(seconds)`."""
    from trio_otp.testing import virtual_clock  # noqa: PLC0415 - see above

    return virtual_clock()


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> None:
    """Say what is wrong with the use of a fixture, before pytest-trio does in its words."""
    name = fixturedef.argname
    if name not in FIXTURES or fixturedef.func.__module__ != __name__:
        return
    request.node.stash[_USED] = True
    trouble = _trouble(name, request)
    if trouble is None:
        return
    try:
        pytest.fail(f"fixture {_asked(name, request)!r}: {trouble}", pytrace=False)
    except pytest.fail.Exception as exc:
        failure = exc, exc.__traceback__
        fixturedef.cached_result = None, fixturedef.cache_key(request), failure
        raise


def _asked(name: str, request: pytest.FixtureRequest) -> str:
    """Return the fixture that the test has asked for, which may have brought the one at hand."""
    asked = [each for each in inspect.signature(request.function).parameters if each in FIXTURES]
    return name if name in asked or not asked else asked[0]


def _trouble(name: str, request: pytest.FixtureRequest) -> str | None:
    test, function = request.node.name, request.function
    if not request.config.pluginmanager.hasplugin("trio"):
        return "it needs pytest-trio; write: pip install pytest-trio"
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    inner = inspect.unwrap(inner)
    if not inspect.iscoroutinefunction(inner):
        line = f"async def {inner.__name__}"
        return f"{test} is a plain function, and servers run in Trio; write: {line}"
    if request.node.get_closest_marker("trio") is None:
        return (
            f"{test} is async, but nothing says that it runs in Trio; put trio_mode = true below "
            "[pytest] in pytest.ini, or below [tool.pytest.ini_options] in pyproject.toml; or "
            "@pytest.mark.trio before the test"
        )
    if name == "virtual_time" and name not in inspect.signature(function).parameters:
        return (
            "a clock belongs to the whole run, so the test itself has to take it; write: "
            f"async def {inner.__name__}(virtual_time, ...)"
        )
    return None


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Look after a test that uses a fixture, inside of what pytest-trio makes of it."""
    __tracebackhide__ = True
    if item.stash.get(_USED, False):
        _look_after(item)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Leave the frames of the library out of a failure, unless `--full-trace` wants all."""
    if call.excinfo is not None and "trio_otp" in sys.modules and not _wants_all(item.config):
        from trio_otp.testing.own_frames import hide_own_frames  # noqa: PLC0415 - see above

        hide_own_frames(call.excinfo.value)
    return (yield)


def _wants_all(config: pytest.Config) -> bool:
    """Check whether frames of the library are shown: also to who debugs, and in its own tests."""
    own = Path(__file__).parent == config.rootpath
    return own or any(config.getoption(name, False) for name in ("fulltrace", "usepdb"))


def _look_after(item: Any) -> None:
    from trio_otp.testing.fixtures import example, left_out  # noqa: PLC0415 - see above

    for name in left_out(item):
        line = f"async def {item.originalname}({name}, ...)"
        text = f"pytest-trio runs only what a test takes, and leaves this one out; write: {line}"
        pytest.fail(f"fixture {name!r}: {text}", pytrace=False)
    hypothesis = getattr(item.obj, "hypothesis", None)
    if hypothesis is None:
        item.obj = example(item.obj, repeats=False)
    else:
        hypothesis.inner_test = example(hypothesis.inner_test, repeats=True)
