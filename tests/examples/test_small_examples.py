"""The small examples do what they say: each is run as a program, and what it prints is checked."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PRINTED = {
    "cache_worker": """
a: None
c: b'3'
take b: b'2'
take b again: KeyError 'b'
TypeError: CacheWorker.put: missing a required argument: 'value'
c is still there: b'3'
""",
    "named_processes": """
by pid:      5 EUR
by name:     5 EUR
by kept pid: NoProcess
by name:     5 EUR
another pid: True
via:         5 JPY
""",
    "one_for_one_app": """
Oslo: 268 K | Rome: 291 K
Oslo crashed: division by zero
restarts: {'Oslo': 1, 'Rome': 0}
Oslo: nothing yet | Rome: 291 K
""",
    "dynamic_workers": """
four callers, workers: 2
eve's items: 1
tom has to wait: max_children=3 reached
ada buys ['jam', 'tea']
ada's worker: None
tom's items: 1
""",
    "blocking_callback": """
blocking:
  pong after 4 s
  report of 2024 after 2 s
  report of 2025 after 4 s
cured:
  pong after 0 s
  report of 2024 after 2 s
  report of 2025 after 2 s
by a supervised task:
  pong after 0 s
  report of 2024 after 2 s
  report of 2025 after 2 s
""",
    "shared_state": """
dict: 10 took one each, 9 left
server: 10 took one each, 0 left
""",
    "programs_and_threads": """
written down: 12 / 4 = 3
ended with status 3
and goes on: 9 / 3 = 3
""",
    "special_process": """
started: listening
state: [21]
suspended [21] messages that wait: 1
state: [21, 22]
feed ends with [21, 22]
""",
    "elixir_log_text": """
GenServer 'counter' terminating
** (exit) ZeroDivisionError: integer division or modulo by zero
    in divide: return 12 // number
Last message (from task '__main__.main'): call divide(0)
State: {}
Child 'counter' of Supervisor <Pid 1 Supervisor> terminated
Pid: <Pid 2 Counter 'counter'>
** (exit) ZeroDivisionError: integer division or modulo by zero
    in divide: return 12 // number
""",
    "pub_sub": """
reached: 2
Ida: goal in minute 12, hallo
Luc: goal in minute 12, salut
Max: nothing
reached without Luc: 1
""",
}


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_is_about(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A small example, run as a program, prints what its prose says."""
    runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")

    assert PRINTED[name].lstrip() == capsys.readouterr().out


def test_every_example_is_run() -> None:
    """No small example is left out above, nor out of the list that readers see."""
    names = {path.stem for path in EXAMPLES.glob("*.py")} - {"__init__"}
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")

    assert names == set(PRINTED)
    assert [] == [name for name in sorted(names) if f"({name}.py)" not in listed]


def test_examples_and_recipes_are_small() -> None:
    """Each can be read in one go."""
    small = [*EXAMPLES.glob("*.py"), *EXAMPLES.glob("recipes/*.py")]
    long = [path.name for path in small if len(path.read_text("utf-8").splitlines()) > 80]
    assert [] == long


def test_every_recipe_is_tested() -> None:
    """Beside the tests of all recipes there is a file of its own for each."""
    recipes = {path.name for path in EXAMPLES.glob("recipes/[a-z]*.py")}
    tests = {
        path.name.removeprefix("test_") for path in Path(__file__).parent.glob("recipes/test_*")
    }
    assert recipes == tests
