"""Servers for tests of the testing kit, and a way to run tests of a user in this process."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import trio_otp as otp

if TYPE_CHECKING:
    import pytest

INI = "[pytest]\n{mode}\nfilterwarnings = error\n"
IMPORTS = """
import pytest, trio
import trio_otp as otp
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from testing_kit import Counter, forever
from trio_otp.testing import *
"""


class Counter(otp.GenServer):
    """Counts words; one that it does not know crashes it."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    @otp.on_cast
    def add(self, word: str, times: int = 1) -> None:
        self.counts[word] = self.counts.get(word, 0) + times

    @otp.on_call
    def count(self, word: str) -> int:
        return self.counts[word]

    def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        return otp.Reply(request)


class Noted(otp.GenServer):
    """Notes its end."""

    def __init__(self, notes: list[Any], name: str, error: Exception | None = None) -> None:
        self.notes, self.name, self.error = notes, name, error

    def terminate(self, reason: object) -> None:
        self.notes.append((self.name, reason))
        if self.error is not None:
            raise self.error


COUNTER = otp.child(Counter).having(name="counter")


async def forever() -> None:
    """Be a process that does not end."""
    await otp.receive(lambda _: False)


# pytester takes back what is imported meanwhile, and would leave two classes of one name.
for _namespace in (otp, otp.testing):
    for _name in dir(_namespace):
        getattr(_namespace, _name)


def run(
    pytester: pytest.Pytester, source: str, *args: str, mode: str = "trio_mode = true"
) -> tuple[Any, str]:
    """Run a test file of a user; give what came of it, and what was written."""
    pytester.makeini(INI.format(mode=mode))
    pytester.makepyfile(IMPORTS + source)
    ran = pytester.runpytest_inprocess(
        "-p", "trio_otp.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:randomly", *args
    )
    return ran.parseoutcomes(), plain(ran.stdout.str())


def plain(text: str) -> str:
    """Take out what differs from run to run: paths, lines, addresses."""
    text = re.sub(r"(?:\S*/)?(\w+\.py):\d+", r"\1:LINE", text)
    return re.sub(r"0x[0-9a-f]+", "0xADDRESS", text)


def section(text: str, title: str) -> str:
    """Return what pytest has written of one failure, without its traceback."""
    found = re.search(rf"^_+ {re.escape(title)} _+\n(.*?)(?=^[_=-]{{5}})", text, re.M | re.S)
    assert found is not None, text
    return found[1].strip()
