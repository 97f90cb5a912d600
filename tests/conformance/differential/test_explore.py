"""A failure that was found is reported soon, however much smaller it could become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.conformance.differential.explore import Judge, judged_by
from tests.conformance.differential.oracle_client import Oracle
from tests.conformance.differential.trial import AGAIN

if TYPE_CHECKING:
    from pathlib import Path

# Contradicts each scenario with the word in it, and notes it; the others it cannot run.
CONTRADICTS_SOME = """\
#!/bin/sh
while read -r scenario; do
    case $scenario in
    *rest_for_one*)
        echo asked >>"$(dirname "$0")/asked"
        echo '{}'
        ;;
    *) echo '{"harness_error": "not the word"}' ;;
    esac
done
"""


def judged(folder: Path, shrinking: float) -> tuple[int, int]:
    """Say how long the failure is that was found and how often the oracle was asked."""
    command = folder / "elixir"
    command.write_text(CONTRADICTS_SOME)
    command.chmod(0o755)
    with Oracle(str(command)) as oracle:
        findings = judged_by(Judge(oracle, shrinking), number=4, count=50)
    (failure,) = findings.failures
    return len(str(failure.scenario)), len((folder / "asked").read_text().split())


def test_the_first_failure_stands_when_there_is_no_time_to_shrink_it(tmp_path: Path) -> None:
    """Without time to shrink, the first scenario that fails is reported, with OTP's trace."""
    _, asked = judged(tmp_path, shrinking=0)
    assert AGAIN + 1 == asked


def test_hypothesis_goes_on_while_there_is_time(tmp_path: Path) -> None:
    """With time to shrink, more is tried than the first scenario, and none larger is reported."""
    folders = [tmp_path / "hurried", tmp_path / "patient"]
    for folder in folders:
        folder.mkdir()
    hurried, patient = map(judged, folders, (0, 60))
    assert patient[1] > hurried[1]
    assert patient[0] <= hurried[0]
