"""A failure that was found is reported soon, however much smaller it could become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.differential.explore import Judge, judged_by
from tests.conformance.differential.oracle_client import Oracle
from tests.conformance.differential.trial import AGAIN

if TYPE_CHECKING:
    from pathlib import Path

# Contradicts each scenario that is long, and notes it; the others it cannot run.
CONTRADICTS_THE_LONG = """\
#!/bin/sh
while read -r scenario; do
    if [ ${#scenario} -lt 1000 ]; then
        echo '{"harness_error": "short"}'
    else
        echo asked >>"$(dirname "$0")/asked"
        echo '{}'
    fi
done
"""


def judged(folder: Path, shrinking: float) -> tuple[int, int]:
    """Say how long the failure is that was found and how often the oracle was asked."""
    command = folder / "elixir"
    command.write_text(CONTRADICTS_THE_LONG)
    command.chmod(0o755)
    with Oracle(str(command)) as oracle:
        findings = judged_by(Judge(oracle, shrinking), number=1, count=50)
    (failure,) = findings.failures
    return len(str(failure.scenario)), len((folder / "asked").read_text().split())


def test_the_first_failure_stands_when_there_is_no_time_to_shrink_it(tmp_path: Path) -> None:
    """Without time to shrink, the first scenario that fails is reported, with OTP's trace."""
    _, asked = judged(tmp_path, shrinking=0)
    assert AGAIN + 1 == asked


def test_a_failure_is_made_smaller_while_there_is_time(tmp_path: Path) -> None:
    """With a second to shrink, a smaller scenario is reported than without."""
    folders = [tmp_path / "hurried", tmp_path / "patient"]
    for folder in folders:
        folder.mkdir()
    (hurried, _), (patient, _) = map(judged, folders, (0, 1))
    assert patient < hurried
