"""Notebooks in Jupyter's kernel: the tutorial, and what the extension does there.

The session `nox -s tutorial` runs them; it installs jupytext, nbclient and ipykernel.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from tutorial_kit import PAGES, exercises, read, run, shown, solved, tags

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.kernel

SERVER = """
import signal, os, sys
from pathlib import Path
import trio
import trio_otp as otp

class Worker(otp.GenServer):
    def __init__(self, name):
        self.name = name
    @otp.on_cast
    async def say(self, text: str) -> None:
        print(self.name, "says", text)
    def terminate(self, reason):
        with Path("ends.txt").open("a") as file:
            print(self.name, reason, file=file)

children = [otp.child(Worker, name).having(name=name) for name in "ab"]
top = await otp.start_link(otp.child(otp.Supervisor, children))
"""
INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)\n"
CELLS = [
    "%load_ext trio_otp.notebook",
    SERVER,
    "Worker.at('a').say('one')\nawait otp.sys.get_state('a')\nNone",
    "Worker.at('a').say('two')\nawait otp.sys.get_state('a')\nNone",
    "1 / 0",
    INTERRUPT + "await trio.sleep_forever()",
    INTERRUPT + "while True: pass",
    "len(await otp.which_children(top))",
    "otp.tree()",
    "%otp_tree a",
    "otp.process_info('a')",
]


class Ran(NamedTuple):
    """What the cells of a notebook have shown, and the folder they ran in."""

    shown: list[str]
    data: list[dict[str, str]]  # of the last output of each
    folder: Path


def text_of(cell: Any) -> str:
    """Return what a cell prints, its value and its error, without what was logged."""
    parts = []
    for output in cell.outputs:
        if output.output_type == "error":
            parts.append(f"{output.ename}: {output.evalue}\n")
        elif output.output_type in ("execute_result", "display_data"):
            parts.append(output.data["text/plain"] + "\n")
        elif output.name == "stdout":
            parts.append(output.text)
    return "".join(parts)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run one notebook for all tests but that of the tutorial: a kernel takes a second to start."""
    from nbformat import v4

    folder = tmp_path_factory.mktemp("notebook")
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source) for source in CELLS])
    run(notebook, folder, allow_errors=True)
    data = [cell.outputs[-1].get("data", {}) if cell.outputs else {} for cell in notebook.cells]
    return Ran([text_of(cell) for cell in notebook.cells], data, folder)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_notebook_shows_what_is_stored_and_its_exercises_can_be_solved(
    page: Path, tmp_path: Path
) -> None:
    """Run twice: as it stands, where exercises are not solved; and with their solutions."""
    stored = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))
    first, second = read(page), solved(read(page))
    for name, each in (("first", first), ("second", second)):
        (folder := tmp_path / name).mkdir()
        run(each, folder)
    expected = [shown(cell) for cell in code(stored)]
    for before, cell in zip(expected, code(first), strict=True):
        assert before == shown(cell), cell.source
    begin = next(n for n, cell in enumerate(code(first)) if "exercise" in tags(cell))
    for before, cell in zip(expected[:begin], code(second)[:begin], strict=True):
        assert before == shown(cell), cell.source

    for _, check, _ in exercises(first):
        assert check.outputs[-1].output_type == "error", "it passes without the solution"
    for _, check, _ in exercises(second):
        assert text_of(check).endswith("right\n")


def test_what_a_server_prints_stands_below_the_current_cell(ran: Ran) -> None:
    """The output of a process started in one cell stands below the one that makes it print."""
    assert ["a says one\n", "a says two\n"] == ran.shown[2:4]


def test_errors_and_interrupts_leave_the_kernel_running(ran: Ran) -> None:
    """A cell that fails or is interrupted shows its error; the tree and later cells are well."""
    assert "ZeroDivisionError: division by zero\n" == ran.shown[4]
    assert ["KeyboardInterrupt: \n"] * 2 == ran.shown[5:7]
    assert "2\n" == ran.shown[7]


def test_trees_are_drawn_and_processes_are_tables(ran: Ran) -> None:
    """As the value of a cell and by the magic, beside the text that a terminal shows."""
    whole, part, info = ran.data[8:11]
    assert all("<svg " in data["image/svg+xml"] for data in (whole, part))
    assert "Worker 'a'> worker, idle" in part["text/plain"]
    assert whole["text/plain"].startswith("outside of supervisors:\n")
    assert info["text/html"].startswith("<table>")


def test_the_end_of_the_kernel_stops_everything_in_order(ran: Ran) -> None:
    """A kernel that is shut down stops the tree, the newest child first."""
    assert "b SHUTDOWN\na SHUTDOWN\n" == (ran.folder / "ends.txt").read_text()
