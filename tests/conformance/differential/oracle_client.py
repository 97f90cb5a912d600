"""Real OTP as an oracle: a VM that runs one scenario after another."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

SCRIPT: Final = Path(__file__).with_name("serve.exs")


class OracleFailed(Exception):
    """The oracle could not run a scenario; the text says why."""


def find_elixir() -> str | None:
    """Return the path of `elixir`, None where it is not installed."""
    return shutil.which("elixir")


class Oracle:
    """A VM of real OTP; a context manager, which ends it.

    Args:
        elixir: the path of the command.
    """

    def __init__(self, elixir: str) -> None:
        self._vm = subprocess.Popen(
            [elixir, str(SCRIPT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._vm:
            self._vm.kill()

    def trace(self, scenario: dict[str, Any]) -> dict[str, Any]:
        """Run a scenario on real OTP and give its trace.

        Raises:
            OracleFailed: it did not come to its end.
        """
        assert self._vm.stdin is not None
        assert self._vm.stdout is not None
        self._vm.stdin.write(json.dumps(scenario) + "\n")
        self._vm.stdin.flush()
        answer = self._vm.stdout.readline()
        if not answer:
            raise OracleFailed(f"elixir ended with status {self._vm.wait()}")
        trace: dict[str, Any] = json.loads(answer)
        if "harness_error" in trace:
            raise OracleFailed(trace["harness_error"])
        return trace
