"""The notebooks of the tutorial: read, run in Jupyter's kernel, compared, and written anew.

`python tests/support/tutorial_kit.py` runs all notebooks of `docs/tutorial`, or those whose names
begin as its arguments do, and writes what they show into their `.ipynb` files. An output that is
the same but for what differs from run to run stays as it was: a diff shows what has changed.
"""

from __future__ import annotations

import copy
import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[2] / "docs" / "tutorial"
PAGES: Final = sorted(FOLDER.glob("[0-9]*.md"))
# What the kernel says of itself, without the version of Python.
LANGUAGE: Final = {"file_extension": ".py", "name": "python", "pygments_lexer": "ipython3"}
SOLUTION: Final = re.compile(r"<details>.*?```python\n(.*?)```", re.DOTALL)
COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
# What may differ from run to run, and what stands for it. Last: frames of the library.
VARYING: Final = {
    re.compile(r"0x[0-9a-f]{6,}"): "0x...",
    re.compile(r"(127\.0\.0\.1(?:', |:))\d+"): r"\1PORT",
    re.compile(r"\d+\.\d{3} s\b|\bin \d+\.\d\ds\b"): "SECONDS",
    re.compile(r"… \d+ frames? of Trio"): "… frames of Trio",
    re.compile(r'  File "[^"\n]*trio_otp/.*\n(?:    .*\n)*'): "",
}
# Where the library is installed, in a traceback; not to be stored.
INSTALLED: Final = re.compile(r'(?<=File ")[^"\n]*/(?=trio_otp/)')


def read(page: Path) -> Any:
    """Read a notebook from its Markdown; its cells have names that stay the same."""
    import jupytext

    notebook: Any = jupytext.read(page)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    return notebook


def run(notebook: Any, folder: Path, *, allow_errors: bool = False) -> None:
    """Run a notebook from top to bottom, in a kernel of its own and in a folder."""
    from nbclient import NotebookClient

    NotebookClient(
        notebook,
        timeout=60,
        kernel_name="python3",
        allow_errors=allow_errors,
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    ).execute()


def tags(cell: Any) -> list[str]:
    return cell["metadata"].get("tags", [])


def exercises(notebook: Any) -> list[tuple[Any, Any, str]]:
    """Return of each exercise the cell to fill in, the one that checks it, and the solution."""
    cells = notebook["cells"]
    tagged = [(n, cell) for n, cell in enumerate(cells) if "exercise" in tags(cell)]
    found: list[tuple[Any, Any, str]] = []
    for at, cell in tagged:
        check, solution = cells[at + 1 : at + 3]
        folded = SOLUTION.search("".join(solution["source"]))
        assert "check" in tags(check), f"cell {at + 1}: expected the check of an exercise"
        assert folded, f"cell {at + 2}: expected a solution"
        found.append((cell, check, folded[1]))
    return found


def solved(notebook: Any) -> Any:
    """Return a copy of a notebook in which each solution has the place that it is for."""
    whole = copy.deepcopy(notebook)
    for cell, check, solution in exercises(whole):
        cell.source = solution
        check.metadata["tags"] = ["check"]  # it has to pass
    return whole


def shown(cell: Any) -> list[object]:
    """Return what a cell shows, but for what differs from run to run.

    The stream below a cell may come in several parts, and of an error only the last line counts:
    the frames above it are those of this version of Python. Of a cell that is tagged `varies`, as
    one that follows what happens in time, only the kinds of its outputs count.
    """
    found: list[object] = []
    streams: dict[str, str] = {}
    for output in cell["outputs"]:
        kind = output["output_type"]
        if kind == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + _joined(output["text"])
        elif kind == "error":
            found.append([output["ename"], settled(output["evalue"])])
        elif "varies" in tags(cell):
            found.append(sorted(output["data"]))
        else:
            found.append({key: settled(_joined(text)) for key, text in output["data"].items()})
    if "varies" in tags(cell):
        return found
    return [{name: settled(text) for name, text in streams.items()}, *found]


def _joined(text: str | list[str]) -> str:
    """Return a text, which is a list of lines in a file of JSON."""
    return "".join(text)


def settled(text: str) -> str:
    """Return a text without what differs from run to run."""
    text = COLOUR.sub("", text)
    for pattern, instead in VARYING.items():
        text = pattern.sub(instead, text)
    return text


def write(page: Path) -> None:
    """Run a notebook, and write it with its outputs."""
    import nbformat

    notebook, target = read(page), page.with_suffix(".ipynb")
    with TemporaryDirectory() as folder:
        run(notebook, Path(folder))
    notebook.metadata.language_info = LANGUAGE
    for output in (each for cell in notebook.cells for each in cell.get("outputs", ())):
        if output.output_type == "stream":
            output.text = INSTALLED.sub("", output.text)
    if target.exists():
        _keep(json.loads(target.read_text(encoding="utf-8"))["cells"], notebook.cells)
    nbformat.write(notebook, target)


def _keep(old: list[Any], new: list[Any]) -> None:
    """Keep the outputs that are as they were."""
    outputs = {"".join(cell["source"]): cell for cell in old if cell["cell_type"] == "code"}
    for cell in new:
        before = outputs.get(cell.source)
        if cell.cell_type == "code" and before is not None and shown(before) == shown(cell):
            import nbformat

            cell.outputs = [nbformat.from_dict(each) for each in before["outputs"]]


if __name__ == "__main__":
    for each in PAGES:
        if not sys.argv[1:] or each.stem.startswith(tuple(sys.argv[1:])):
            write(each)
            sys.stdout.write(f"{each.with_suffix('.ipynb').name}\n")
