"""Lanes take turns; what fails leaves; targets are judged; the output says so."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from . import run, table
from .__main__ import main
from .chart import Bar, chart
from .lanes import Kind, Lane, Race, Sizes
from .measure import Measure, Sample
from .page import BEGIN, END, charts, figures, write
from .peers import PEERS
from .peers.company import ROOT, Company, Worker
from .report import as_json
from .run import Result, Times, run_all, run_race
from .targets import TARGETS, Target, Verdict, judge, part_of, to_floor, to_peers, worst_to_peers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# The self-tests of the benchmarks took a third of the default run, so they run with the long tests.
pytestmark = pytest.mark.slow


def lane(kind: Kind, name: str, seconds: float, log: list[str] | None = None) -> Lane:
    """Make a lane that needs so long for each thing, and says when it had its turn."""

    def run(n: int) -> Sample:
        if log is not None:
            log.append(name)
        return Sample(seconds * n, n)

    return Lane(kind, name, f"title of {name}", run)


def race(*lanes: Lane, name: str = "call", warm_up: bool = True) -> Race:
    sizes = Sizes(10, 5, 3, 2)
    return Race(name, "calling", "calls", Measure.RATE, sizes, lanes, warm_up=warm_up)


def result_of(*lanes: Lane, name: str = "call", rounds: int = 3) -> Result:
    made = race(*lanes, name=name)
    return run_race(made, made.lanes, 10, rounds)


FLOOR = lane(Kind.FLOOR, "F2", 0.01)
OURS = lane(Kind.OURS, "plain", 0.02)
PEER = lane(Kind.PEER, "pykka", 0.08)


def test_lanes_take_turns() -> None:
    """Three lanes in two rounds run A B C A B C, after a round that does not count."""
    log: list[str] = []
    lanes = [lane(kind, kind.value, 1, log) for kind in Kind]

    result = run_race(race(*lanes), lanes, 5, 2)

    assert ["floor", "ours", "peer"] * 3 == log
    assert [2, 2, 2] == [len(times.figures) for times in result.times]


def test_a_race_without_warm_up_counts_every_round() -> None:
    """What is too long to be done twice is done as often as there are rounds."""
    log: list[str] = []
    alone = lane(Kind.OURS, "plain", 1, log)

    run_race(race(alone, warm_up=False), [alone], 5, 1)

    assert ["plain"] == log


def _raises(n: int) -> Sample:
    raise ValueError(f"no {n}")


def _does_less(n: int) -> Sample:
    return Sample(1.0, n - 1)


@pytest.mark.parametrize(
    ("work", "failure"),
    [(_raises, "ValueError: no 10"), (_does_less, "LaneFailed: 9 of 10 calls were done")],
)
def test_a_lane_that_fails_leaves_the_race(work: Callable[[int], Sample], failure: str) -> None:
    """Others go on; the reason is kept, figures are not."""
    broken = Lane(Kind.PEER, "broken", "broken", work)

    result = result_of(broken, OURS)

    assert [failure] == [times.failure for times in result.failures]
    assert [OURS] == [times.lane for kind in Kind for times in result.of(kind)]
    assert f"broken: {failure}" in table.render([result])


def test_a_lane_may_do_more_than_others() -> None:
    """A lane with a scale is told to do so many times as much; its rate counts that."""
    big = Lane(Kind.OURS, "8n", "8n", lambda n: Sample(n * 0.5, n), scale=8)

    result = run_race(race(big), [big], 10, 1)

    assert [2.0] == result.times[0].figures


@pytest.mark.parametrize(("quick", "n", "rounds"), [(True, 5, 2), (False, 10, 3)])
def test_a_quick_run_does_less(*, quick: bool, n: int, rounds: int) -> None:
    """Sizes say how much is done, and how often."""
    (result,) = run_all([race(OURS)], lambda made: list(made.lanes), quick=quick)

    assert (n, rounds) == (result.n, len(result.times[0].figures))


@pytest.mark.parametrize(
    ("seconds", "counts"), [(math.inf, [9, 9]), (0, [3, 3]), (100, [6, 9])], ids=str
)
def test_a_run_with_little_time_has_fewer_rounds(
    seconds: float, counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A race takes no more than its share of what is left; all its lanes have as many rounds."""
    clock = [0.0]
    monkeypatch.setattr(run, "perf_counter", lambda: clock[0])

    def takes(time: float) -> Callable[[int], Sample]:
        def work(n: int) -> Sample:
            clock[0] += time
            return Sample(time, n)

        return work

    slow, fast = (
        race(Lane(Kind.OURS, "a", "a", takes(time)), Lane(Kind.PEER, "b", "b", takes(time)))
        for time in (6.0, 0.5)
    )

    results = run_all(
        [slow, fast], lambda race: list(race.lanes), quick=False, rounds=9, seconds=seconds
    )

    assert [[count] * 2 for count in counts] == [
        [len(times.figures) for times in result.times] for result in results
    ]


def test_the_exponent_of_a_race_is_that_of_the_whole_time() -> None:
    """If each of n things takes the same, the time for all grows as n."""
    lanes = [Lane(Kind.OURS, f"{k}n", "", lambda n: Sample(n * 0.1, n), k) for k in (1, 2, 4, 8)]

    assert pytest.approx(1) == run_race(race(*lanes), lanes, 10, 1).exponent


@pytest.mark.parametrize(
    ("target", "verdict", "value"),
    [
        (Target("", to_floor("call", "plain", "F2"), least=0.5), Verdict.REACHED, 0.5),
        (Target("", to_floor("call", "plain", "F2"), least=0.6), Verdict.MISSED, 0.5),
        (Target("", to_floor("call", "plain", "F2"), most=0.4), Verdict.MISSED, 0.5),
        (Target("", to_floor("call", "plain", "F9"), least=0.6), Verdict.OPEN, None),
        (Target("", to_floor("cast", "plain", "F2"), least=0.6), Verdict.OPEN, None),
        (Target("", to_peers("call", "plain"), least=1), Verdict.REACHED, 4.0),
        (Target("", to_peers("call", "plain", "triotp"), least=1), Verdict.OPEN, None),
        (Target("", worst_to_peers("pykka", "triotp"), least=1), Verdict.REACHED, 4.0),
        (Target("", worst_to_peers("triotp"), least=1), Verdict.OPEN, None),
    ],
)
def test_a_target_is_judged_by_a_run(target: Target, verdict: Verdict, value: float | None) -> None:
    """It is reached, missed, or, without the lanes it compares, not measured."""
    judgement = target.judge({"call": result_of(FLOOR, OURS, PEER)})

    assert verdict is judgement.verdict
    assert (None if value is None else pytest.approx(value)) == judgement.value


def test_the_best_peer_is_one_in_this_process() -> None:
    """A target about Python peers leaves Elixir out."""
    elixir = lane(Kind.PEER, "elixir", 0.0001)
    target = Target("", to_peers("call", "plain"), least=1)

    assert pytest.approx(4) == target.judge({"call": result_of(OURS, PEER, elixir)}).value


@pytest.mark.parametrize(
    ("without", "part", "beyond"), [([1.2, 1.3, 1.4], 1 - 1.05 / 1.3, 0.059), ([1.1] * 3, 0.045, 0)]
)
def test_a_part_is_measurable_if_equal_copies_differ_less(
    without: list[float], part: float, beyond: float
) -> None:
    """It is held to the mean of two whole copies, and to what lies between these."""
    figures = {"whole": [1.0] * 3, "other": [1.1] * 3, "no hooks": without}
    names = {"whole": Kind.OURS, "other": Kind.FLOOR, "no hooks": Kind.FLOOR}
    made = race(name="bookkeeping.call")
    times = [
        Times(lane(kind, "whole" if name == "other" else name, 1), list(figures[name]))
        for name, kind in names.items()
    ]
    result = {"bookkeeping.call": Result(made, 1, times)}
    values = {target.text: target.judge(result).value for target in TARGETS}

    assert pytest.approx(beyond, abs=0.001) == values["idle hooks, measurable part of a call"]
    assert values["idle hooks, measurable part of a cast"] is None
    shares = Target("", part_of("call", "no hooks"), most=0.1).judge(result)
    assert pytest.approx(part, abs=0.001) == shares.value


def test_the_table_has_a_row_for_each_way_and_a_column_for_each_other() -> None:
    """A cell is a median with spread, and how many times trio_otp's figure it is."""
    lines = table.render([result_of(FLOOR, OURS, PEER)]).splitlines()

    assert ["trio_otp", "F2", "pykka"] == lines[1].split()
    assert "title of plain 50.0 /s 100 /s 12.5 /s" == " ".join(lines[2].split())
    assert "±0% ±0% 2.00x ±0% 0.25x" == " ".join(lines[3].split())


@pytest.mark.parametrize(
    ("value", "measure", "text"),
    [
        (63_210, Measure.RATE, "63.2 k/s"),
        (1_350_000, Measure.RATE, "1.35 M/s"),
        (5_400, Measure.MEMORY, "5.40 kB"),
        (869, Measure.MEMORY, "869 B"),
        (0.0613, Measure.TIME, "61.3 ms"),
        (0.0000832, Measure.DELAY, "83.2 us"),
        (64, Measure.MESSAGES, "64.0"),
        (0, Measure.MESSAGES, "0"),
    ],
)
def test_a_figure_has_three_digits_and_a_unit(value: float, measure: Measure, text: str) -> None:
    """Figures are as long as they are sure."""
    assert text == table.figure(value, measure)


def test_a_chart_has_a_bar_for_each_value() -> None:
    """It is well-formed, names what it shows, and lengths are in proportion."""
    svg = chart("A & B", "calls/s", [Bar("F2", "floor", 200, "200"), Bar("<us>", "ours", 100, "1")])

    root = ET.fromstring(svg)
    widths = [float(r.attrib["width"]) for r in root.iter("{http://www.w3.org/2000/svg}rect")]
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert pytest.approx(widths[0] / 2, abs=0.1) == widths[1]
    assert {"A & B", "calls/s", "F2", "<us>"} <= set(texts)


def report() -> dict[str, object]:
    results = [result_of(FLOOR, OURS, PEER)]
    return as_json(results, judge(results), {"triotp": "it needs Python 3.13"})


def test_the_report_holds_everything() -> None:
    """Facts, all figures, targets and who was missing; it is JSON."""
    told = json.loads(json.dumps(report()))

    assert {"facts", "races", "targets", "missing"} == set(told)
    assert {"python", "trio", "trio_otp", "machine", "cores", "date"} <= set(told["facts"])
    (made,) = told["races"]
    assert ["F2", "plain", "pykka"] == [entry["name"] for entry in made["lanes"]]
    assert [3, 3, 3] == [len(entry["figures"]) for entry in made["lanes"]]
    assert {"plain": pytest.approx(2)} == made["lanes"][0]["ratios"]
    assert "missed" == told["targets"][0]["verdict"]
    assert {"triotp": "it needs Python 3.13"} == told["missing"]


def test_the_page_has_table_targets_and_charts(tmp_path: Path) -> None:
    """Only what is between the markers is written anew."""
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n", encoding="utf-8")

    write(report(), tmp_path)

    assert f"before\n{BEGIN}{figures(report())}{END}after\n" == page.read_text(encoding="utf-8")
    assert ["call.svg"] == [path.name for path in (tmp_path / "performance").iterdir()]
    assert "title of plain | 50.0 /s ±0% | 100 /s ±0%<br>2.00x" in figures(report())
    assert ["call"] == [name for name, _ in charts(report())]


def test_the_page_says_who_took_no_part_and_who_left() -> None:
    """Nobody is left out silently, and those who took part have a version."""
    gone = lane(Kind.PEER, "transitions", 0.0)
    results = [result_of(OURS, PEER)]
    results[0].times.append(Times(gone, failure="LaneFailed: its process has ended"))
    told = as_json(results, judge(results), {"triotp": "it needs Python 3.13"})
    told["facts"]["peers"] = {"pykka": "4.5.0", "elixir": "1.14.0"}

    lines = figures(told).splitlines()
    at = lines.index("Peers: pykka 4.5.0, elixir 1.14.0.")
    assert ["triotp took no part: it needs Python 3.13.", ""] == lines[at + 1 : at + 3]
    assert ["", "transitions left this race: LaneFailed: its process has ended."] == lines[-2:]
    assert "| | trio_otp | pykka |" in lines


def test_a_peer_that_is_not_installed_is_reported() -> None:
    """It says why, and the others are there."""
    with Company(["pykka", "transitions"], {"transitions": "pip has failed"}) as company:
        assert {"pykka", "transitions"} == set(company.missing)
        assert "pip has failed" == company.missing["transitions"]
        assert [] == company.lanes(race(OURS))


WORKER = """
import time
print("ready call", flush=True)
for line in iter(input, "end"):
    if line == "call 1":
        break
    print("ok 0.5 10" if line == "call 10" else "no reason", flush=True)
"""


def test_a_peer_works_in_a_process_of_its_own() -> None:
    """It does what it is told, says what it cannot do, and its end is no end of the others."""
    import sys

    worker = Worker("peer", [sys.executable, "-c", WORKER])
    worker.meet()
    company = Company(["peer"])
    company._workers.append(worker)
    (joined,) = company.lanes(race(OURS))

    assert Sample(0.5, 10) == joined.run(10)
    failures = [run_race(race(joined), [joined], n, 1).times[0].failure for n in (2, 1)]
    worker.close()
    assert "LaneFailed: reason" == failures[0]
    assert failures[1].startswith("LaneFailed: its process ")


def test_the_command_measures_and_writes_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A race and contestants can be chosen; the table is printed and the file written."""
    file = tmp_path / "out.json"

    chosen = ["--workload", "lookup", "--contestant", "trio_otp", "dict"]
    status = main(["--quick", "--rounds", "1", *chosen, "--json", str(file)])

    printed = capsys.readouterr().out
    told = json.loads(file.read_text(encoding="utf-8"))
    assert 0 == status
    assert "REG.lookup" in printed
    assert "not measured" in printed
    assert {"dict", "trio_otp"} == {x["contestant"] for x in told["races"][0]["lanes"]}


def test_the_session_installs_every_peer() -> None:
    """What is to be installed stands in the noxfile as it stands here."""
    session = (ROOT / "noxfile.py").read_text(encoding="utf-8")

    assert [] == [peer for peer in PEERS if f'"{peer.requirement}"' not in session]


def test_the_command_lists_the_workloads(capsys: pytest.CaptureFixture[str]) -> None:
    """`--list` names each race on a line."""
    assert 0 == main(["--list"])
    assert "call " in capsys.readouterr().out
