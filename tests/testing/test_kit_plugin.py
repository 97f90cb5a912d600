"""The plugin for pytest: tests of a user that pass, fail, leak and crash, and what is written."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from paths import ROOT, SUPPORT
from testing_kit import run, section

if TYPE_CHECKING:
    from pathlib import Path

ALL = '''
@pytest.fixture
async def shop(start_supervised):
    """Builds on a fixture of the kit."""
    await start_supervised(otp.child(Counter).having(name="counter"))
    return Counter.at("counter")

{mark}
async def test_all(shop, stop_supervised, probe, otp_log, otp_system, virtual_time):
    shop.add("tea")
    assert 1 == await shop.count("tea")
    probe.watch("counter")
    await virtual_time.advance(3600)
    assert 3600 == trio.current_time()
    with otp_log.expect_crash(KeyError):
        await assert_call_fails(shop.count("x"), KeyError)
    await probe.receive(like(otp.Down, reason=KeyError))
    await assert_restarted("counter")
    assert_tree(["counter"])
    await stop_supervised("counter")

@pytest.mark.parametrize("number", range(3))
{mark}
async def test_again(number, shop):
    shop.add("tea", number)
    assert number == await shop.count("tea")
'''


@pytest.mark.parametrize("mode", ["trio_mode = true", "trio_mode = false"])
def test_tests_that_pass(pytester: pytest.Pytester, mode: str) -> None:
    """All fixtures, with pytest-trio's `trio_mode` and without, and with warnings as errors."""
    source = ALL.format(mark="" if "true" in mode else "@pytest.mark.trio")
    outcomes, text = run(pytester, source, mode=mode)
    assert {"passed": 4} == outcomes, text


def test_tests_that_fail(pytester: pytest.Pytester) -> None:
    """The failure is shown bare, at the line of the test; what it has left is not mentioned."""
    outcomes, text = run(
        pytester,
        """
async def test_assert(otp_system):
    otp.spawn(forever)
    assert 1 == 2

async def test_receive(probe):
    otp.send(otp.self(), "other")
    await assert_receive(int, within=0)

async def test_skip(probe):
    pytest.skip("not today")

@pytest.mark.xfail(strict=True)
async def test_xfail(probe):
    assert False

async def test_two(otp_system):
    async with trio.open_nursery() as nursery:
        nursery.start_soon(fail, 1)
        nursery.start_soon(fail, 2)

async def fail(number):
    raise ValueError(number)
""",
    )
    assert {"failed": 3, "skipped": 1, "xfailed": 1} == outcomes, text
    assert "Group" not in section(text, "test_assert")
    assert section(text, "test_assert").endswith(
        "    async def test_assert(otp_system):\n"
        "        otp.spawn(forever)\n"
        ">       assert 1 == 2\n"
        "E       assert 1 == 2\n\n"
        "test_tests_that_fail.py:LINE: AssertionError"
    )
    assert section(text, "test_receive").endswith(
        '        otp.send(otp.self(), "other")\n'
        ">       await assert_receive(int, within=0)\n"
        "E       AssertionError: no message matching int within 0 s\n"
        "E       mailbox of <Pid 1 test_receive>, oldest first:\n"
        "E         'other'\n\n"
        "test_tests_that_fail.py:LINE: AssertionError"
    )
    assert "ExceptionGroup: Exceptions from Trio nursery (2 sub-exceptions)" in text
    assert "left behind" not in text


def test_tests_that_leak(pytester: pytest.Pytester) -> None:
    """Such a test fails with the report alone, without a traceback."""
    outcomes, text = run(
        pytester,
        """
async def test_leak(otp_system, virtual_time):
    otp.spawn(forever)
    otp.send_after("nobody", "tick", 60)
    otp.register("me", otp.self())
    otp.task.start_async(forever)

async def test_next(otp_system, virtual_time):
    assert otp.whereis("me") is None
    assert 1 == otp.process_count()
""",
    )
    assert {"failed": 1, "passed": 1} == outcomes, text
    assert (
        "test_leak has left behind:\n"
        "  process <Pid 2 forever>: stop it, link it to the test, or start it with "
        "start_supervised\n"
        "    it waits in testing_kit.py:LINE in forever\n"
        "  name 'me' of the test itself: otp.unregister it\n"
        "  <Task forever <Pid 3 forever>>: nobody has awaited it, and it runs\n"
        "  timer to 'nobody' with 'tick', due in 60 s: otp.cancel_timer it"
    ) == section(text, "test_leak")


def test_tests_that_crash(pytester: pytest.Pytester) -> None:
    """A crash that is not expected fails the test, also if the test has seen its effect."""
    outcomes, text = run(
        pytester,
        """
async def test_crash(start_supervised):
    await start_supervised(otp.child(Counter).having(name="counter"))
    with pytest.raises(otp.ServerExited):
        await Counter.count("counter", "tea")

async def test_killed(otp_system):
    otp.exit(otp.self(), otp.KILL)
    await trio.sleep_forever()
""",
    )
    assert {"failed": 2} == outcomes, text
    assert section(text, "test_crash").startswith(
        "test_crash has left behind:\n"
        "  crash of <Pid 3 Counter 'counter'>: KeyError('tea'), message in hand: call "
        "count('tea')\n"
        "    if it is to be: with otp_log.expect_crash(KeyError): ..."
    )
    assert "trio_otp.ProcessExited: exit signal: KILLED" in text


def test_fixtures_used_in_a_wrong_way(pytester: pytest.Pytester) -> None:
    """Each error says what to write instead, and has no traceback."""
    outcomes, text = run(
        pytester,
        """
def test_sync(probe): pass

async def test_unmarked(start_supervised): pass

@pytest.fixture
def clock(virtual_time): return virtual_time

@pytest.mark.trio
async def test_clock(clock): pass

kept = []

@pytest.mark.trio
async def test_keep(probe):
    kept.append(probe)

@pytest.mark.trio
async def test_late(otp_system):
    await kept[0].receive()

@pytest.mark.trio
async def test_unknown(otp_system):
    crash_next_call("nobody")
""",
        mode="",
    )
    assert {"failed": 2, "errors": 3, "passed": 1} == outcomes, text
    assert (
        "fixture 'probe': test_sync is a plain function, and servers run in Trio; write: async "
        "def test_sync"
    ) == section(text, "ERROR at setup of test_sync")
    assert (
        "fixture 'start_supervised': test_unmarked is async, but nothing says that it runs in "
        "Trio; put trio_mode = true below [pytest] in pytest.ini, or below "
        "[tool.pytest.ini_options] in pyproject.toml; or @pytest.mark.trio before the test"
    ) == section(text, "ERROR at setup of test_unmarked")
    assert (
        "fixture 'virtual_time': a clock belongs to the whole run, so the test itself has to take "
        "it; write: async def test_clock(virtual_time, ...)"
    ) == section(text, "ERROR at setup of test_clock")
    late = "UsedAfterTest: a probe was used after the end of test_keep, to which it belongs"
    assert late in section(text, "test_late")
    unknown = "UnknownServer: crash_next_call: no process behind 'nobody'; names in use: none"
    assert unknown in section(text, "test_unknown")


LEFT_OUT = """
@pytest.fixture
async def extra(): yield

@pytest.fixture(autouse=True)
def idle(extra): pass

@pytest.mark.usefixtures("otp_log")
async def test_used(): pass

@pytest.mark.usefixtures("otp_log")
async def test_taken(otp_system, otp_log): pass

@pytest.mark.usefixtures("extra")
async def test_of_others(): pass

class TestShop:
    @pytest.fixture(autouse=True)
    async def shop(self, start_supervised):
        await start_supervised(otp.child(Counter).having(name="counter"))

    async def test_shop(self, otp_system): pass
    async def test_taken(self, shop): otp.whereis("counter")
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=2)
    @given(st.none())
    async def test_given(self, otp_system, nothing): pass
"""


def test_fixtures_that_pytest_trio_leaves_out(pytester: pytest.Pytester) -> None:
    """Those of autouse and usefixtures; a leak or crash would pass without a word."""
    outcomes, text = run(pytester, LEFT_OUT)
    assert {"passed": 3, "failed": 3} == outcomes, text
    for title, name in [
        ("test_used", "otp_log"),
        ("TestShop.test_shop", "shop"),
        ("TestShop.test_given", "shop"),
    ]:
        assert (
            f"fixture {name!r}: pytest-trio runs only what a test takes, and leaves this one out; "
            f"write: async def {title.split('.')[-1]}({name}, ...)"
        ) == section(text, title)


def test_an_error_of_another_task_begins_where_it_was_raised(pytester: pytest.Pytester) -> None:
    """No line of the plugin is shown before."""
    source = """
async def test_background(otp_system, nursery):
    async def check():
        assert 1 == 2
    nursery.start_soon(check)
    await trio.sleep(1)
"""
    outcomes, text = run(pytester, source)
    assert {"failed": 1} == outcomes, text
    assert "assert 1 == 2" in text
    assert "pytest_runtest_call" not in text


def test_without_pytest_trio(pytester: pytest.Pytester) -> None:
    """The error says what to install."""
    outcomes, text = run(pytester, "async def test_it(otp_log): pass", "-p", "no:trio", mode="")
    assert {"errors": 1} == outcomes, text
    assert "fixture 'otp_log': it needs pytest-trio; write: pip install pytest-trio" == section(
        text, "ERROR at setup of test_it"
    )


def test_fixtures_of_the_same_name(pytester: pytest.Pytester) -> None:
    """A fixture of a user takes the place of one of the kit, also in a plain test."""
    source = """
@pytest.fixture
def probe(): return 3
def test_it(probe): assert 3 == probe
"""
    outcomes, text = run(pytester, source)
    assert {"passed": 1} == outcomes, text


GIVEN = """
@pytest.fixture
async def counter(start_supervised):
    await start_supervised(otp.child(Counter).having(name="counter"))

@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None,
          max_examples=10, database=None, phases=[Phase.generate, Phase.shrink], derandomize=True)
@given(st.integers(0, 9))
async def test_{what}(counter, virtual_time, number):
    assert 0 == trio.current_time()
    with pytest.raises(otp.NoProcess):
        await otp.call("before", 1)
    Counter.add("counter", "tea", number)
    assert number == await Counter.count("counter", "tea")
    otp.spawn_link(forever)
    {line}
"""


def test_hypothesis(pytester: pytest.Pytester) -> None:
    """Each example has processes and a time of its own; one that leaks or fails is made smaller."""
    source = (
        GIVEN.format(what="good", line="await virtual_time.advance(10)")
        + GIVEN.format(what="bad", line="assert number < 3")
        + GIVEN.format(what="leaks", line="if number > 4: otp.spawn(forever)")
    )
    outcomes, text = run(pytester, source)
    assert {"passed": 1, "failed": 2} == outcomes, text
    assert "E       assert 3 < 3" in section(text, "test_bad")
    assert "number=3," in section(text, "test_bad")
    assert "test_leaks has left behind:" in section(text, "test_leaks")
    assert "number=5," in section(text, "test_leaks")
    assert "Group" not in text


FAILING = """
class Shop(otp.GenServer):
    @otp.on_call
    async def sell(self, tea):
        return weigh(tea)

    @otp.on_call(raises=(LookupError,))
    async def find(self, tea):
        return weigh(tea)

    @otp.on_cast
    def close(self):
        weigh("the till")

def weigh(tea):
    raise LookupError(tea)

@pytest.fixture
async def shop(start_supervised):
    return Shop.at(await start_supervised(Shop))
"""


IN_A_GROUP = """
    async with otp.open_supervisor([otp.child(Shop).having(name='s')]):
        await Shop.at('s').sell('mint')
"""


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('await shop.sell("mint")', "LookupError: mint|weigh sell|ServerExited|test_it"),
        ('await shop.find("mint")', "LookupError: mint|weigh find test_it"),
        ('await Shop.at("nobody").sell("mint")', "NoProcess|test_it"),
        ("shop.close(1)", "TypeError|test_it"),
        ("await otp.call(otp.spawn(forever), 1, timeout=0)", "CallTimeout|test_it"),
        ("otp.child(Shop).having(restart='x')", "SpecError|test_it"),
        ("await assert_call_fails(shop.find('x'), KeyError)", "LookupError: x|weigh find|test_it"),
    ],
)
def test_a_failure_shows_no_frame_of_the_library(
    pytester: pytest.Pytester, body: str, expected: str
) -> None:
    """What a failing test shows are lines of the test and of its servers, and the errors."""
    shows_no_frame_of_the_library(pytester, body, expected)


def test_an_error_from_a_block_shows_no_frame_of_the_library(pytester: pytest.Pytester) -> None:
    """It comes from a group, which is unwrapped."""
    expected = "LookupError: mint|weigh sell|ServerExited|test_it"
    shows_no_frame_of_the_library(pytester, IN_A_GROUP, expected)


def shows_no_frame_of_the_library(pytester: pytest.Pytester, body: str, expected: str) -> None:
    source = f"{FAILING}\nasync def test_it(shop, otp_log):\n    {body}\n"
    outcomes, text = run(pytester, source, "--show-capture=no", "--tb=long")

    assert {"failed": 1} == outcomes, text
    for word in expected.replace("|", " ").split():
        assert word in text
    for other in ("trio_otp/", "outcome/", "_traps.py", "message_loop.py", "methods.py"):
        assert other not in text
    assert text.count(".py:LINE") < 9, text
    _, full = run(pytester, source, "--show-capture=no", "--full-trace")
    assert text.count(".py:LINE") < full.count(".py:LINE")


def test_frames_of_trio_that_a_test_has_called_stay(pytester: pytest.Pytester) -> None:
    """What is not the library's is left as it is."""
    source = "async def test_it(otp_system):\n    await trio.sleep(-1)\n"
    outcomes, text = run(pytester, source)
    assert {"failed": 1} == outcomes, text
    assert "_timeouts.py:LINE: ValueError" in section(text, "test_it")


def test_the_line_of_a_crash_is_shown(pytester: pytest.Pytester) -> None:
    """What is logged of a crash stands at the line of the server where it was raised."""
    source = f"{FAILING}\nasync def test_it(shop):\n    shop.close()\n    await trio.sleep(0)\n"
    outcomes, _ = run(pytester, source)
    assert {"failed": 1} == outcomes

    [file] = pytester.path.glob("test_*.py")
    lines = file.read_text(encoding="utf-8").splitlines()
    number = 1 + lines.index("    raise LookupError(tea)")
    again = pytester.runpytest_inprocess("-p", "trio_otp.pytest_plugin", "-p", "no:cacheprovider")
    assert f"trio_otp.crash:{file.name}:{number} <Pid 3 Shop> terminated" in again.stdout.str()


WITHOUT_HYPOTHESIS = """
import sys
sys.modules["hypothesis"] = None
names = {}
exec("from trio_otp.testing import *", names)
import trio_otp.testing
assert set(trio_otp.testing.__all__) <= set(names), set(trio_otp.testing.__all__) - set(names)
assert set(trio_otp.testing.__all__) <= set(dir(trio_otp.testing))
uses = [
    lambda: names["schedules"](),
    lambda: names["ServerMachine"](),
    lambda: type("Machine", (names["ServerMachine"],), {}),
]
for use in uses:
    try:
        use()
    except ModuleNotFoundError as exc:
        assert "pip install hypothesis" in str(exc), exc
        assert exc.name == "hypothesis"
    else:
        raise AssertionError(use)
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "trio", *sys.argv[1:]]))
"""


def test_without_hypothesis(tmp_path: Path) -> None:
    """All names are there, what needs hypothesis says so when it is used, and the rest works."""
    (tmp_path / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(
        "import trio_otp as otp\n"
        "from trio_otp.testing import *\n"
        "async def test_it(start_supervised, otp_log, probe, virtual_time):\n"
        "    await start_supervised(otp.child(otp.Agent, dict).having(name='a'))\n"
        "    crash_next_call('a')\n"
        "    await assert_call_fails(otp.Agent.get('a', len))\n"
        "    await assert_restarted('a')\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_HYPOTHESIS, "-p", "_trio_otp_pytest"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


@pytest.mark.slow
def test_xdist(pytester: pytest.Pytester) -> None:
    """Tests that are spread over processes."""
    pytester.makeconftest(f"import sys\nsys.path[:0] = [{str(ROOT)!r}, {str(SUPPORT)!r}]\n")
    outcomes, text = run(pytester, ALL.format(mark=""), "-n", "1")
    assert {"passed": 4} == outcomes, text


def test_nothing_is_imported_before_a_fixture_is_used(tmp_path: Path) -> None:
    """A run of pytest without a test of servers imports neither Trio nor the library."""
    (tmp_path / "test_it.py").write_text("def test_it(): pass\n", encoding="utf-8")
    code = (
        "import sys, pytest\n"
        "assert pytest.main(['-q', '-p', '_trio_otp_pytest', '-p', 'no:cacheprovider']) == 0\n"
        "assert '_trio_otp_pytest' in sys.modules\n"
        "print([n for n in sys.modules if n.split('.')[0] in ('trio', 'trio_otp', 'pytest_trio')])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "[]" == ran.stdout.splitlines()[-1], ran.stdout + ran.stderr


def test_the_public_name_is_the_plugin() -> None:
    """`-p trio_otp.pytest_plugin` is the module that the entry point names, not a second one."""
    import _trio_otp_pytest
    import trio_otp.pytest_plugin  # noqa: F401

    assert sys.modules["trio_otp.pytest_plugin"] is _trio_otp_pytest


def test_hypothesis_with_parameters(pytester: pytest.Pytester) -> None:
    """A test that pytest runs several times, and hypothesis each time."""
    source = """
@pytest.mark.parametrize("word", ["tea", "mint"])
@settings(max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.integers(1, 3))
async def test_count(otp_system, word, times):
    await otp_system.start_supervised(otp.child(Counter).having(name="counter"))
    Counter.at("counter").add(word, times)
    assert times == await Counter.at("counter").count(word)
"""
    outcomes, text = run(pytester, source)
    assert {"passed": 2} == outcomes, text
