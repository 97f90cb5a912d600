"""JupyterLab in a browser: a server of its own, and a notebook whose cells are run by keys."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Locator, Page

LIMIT = 60_000  # milliseconds for what has to come, on a machine that has much else to do
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/lab\?token=\w+")
# Nothing is asked of the network; all cells stay in the page, also those out of sight.
CONFIG = {"LabApp": {"news_url": None, "check_for_updates_class": "jupyterlab.NeverCheckForUpdate"}}
SETTINGS: dict[str, dict[str, Any]] = {
    "notebook-extension/tracker": {"windowingMode": "none"},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
}


@contextmanager
def jupyterlab(folder: Path, *, dark: bool) -> Iterator[str]:
    """Run a server in a folder; give its address."""
    theme = {"theme": f"JupyterLab {'Dark' if dark else 'Light'}"}
    for name, values in {**SETTINGS, "apputils-extension/themes": theme}.items():
        file = folder / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values), encoding="utf-8")
    (folder / "config").mkdir()
    config = folder / "config" / "jupyter_lab_config.json"
    config.write_text(json.dumps(CONFIG), encoding="utf-8")
    environment = os.environ | {
        "HOME": str(folder),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0"]
    command += ["--ip=127.0.0.1", f"--ServerApp.root_dir={folder}"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, env=environment, cwd=folder, text=True
    ) as server:
        assert server.stderr is not None
        rest = threading.Thread(target=deque, args=(server.stderr, 0))  # or it would fill up
        try:
            found = next((hit for line in server.stderr if (hit := ADDRESS.search(line))), None)
            assert found is not None, "JupyterLab has ended"
            rest.start()
            yield found[0]
        finally:
            server.terminate()
            if rest.ident is not None:
                rest.join()


class Notebook:
    """A notebook in the browser.

    Args:
        page: where it is open.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.cells: Locator = page.locator(".jp-Notebook .jp-CodeCell")

    @classmethod
    def open(cls, page: Page, address: str, folder: Path, sources: list[str]) -> Notebook:
        """Open a new one with these cells, the first of which has run."""
        from nbformat import v4

        cells = [v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook: Any = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        (folder / "shop.ipynb").write_text(json.dumps(notebook), encoding="utf-8")
        page.set_default_timeout(LIMIT)
        page.goto(address.replace("/lab?", "/lab/tree/shop.ipynb?"))
        opened = cls(page)
        opened.cells.nth(len(sources) - 1).wait_for()
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        opened._run_first()
        return opened

    def _run_first(self) -> None:
        """Run the first cell: JupyterLab drops what is run before it is connected to the kernel.

        Or it asks for a kernel, or says that the server is late: such a dialog is accepted.
        """
        from playwright.sync_api import TimeoutError

        dialog = self.page.locator("dialog.jp-Dialog")
        self.page.add_locator_handler(dialog, _accept)
        for _ in range(20):
            self.start(0)
            try:
                self.wait_for_end(0, timeout=3000)
            except TimeoutError:
                continue
            self.page.remove_locator_handler(dialog)
            return
        raise AssertionError("the kernel runs no cell")

    def start(self, number: int) -> Locator:
        """Run a cell, and do not wait for it; give its output."""
        cell = self.cells.nth(number)
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Control+Enter")
        return cell.locator(".jp-OutputArea-output")

    def run(self, number: int) -> Locator:
        """Run a cell to its end; give its output."""
        output = self.start(number)
        self.wait_for_end(number)
        return output

    def wait_for_end(self, number: int, timeout: float = LIMIT) -> None:
        """Wait until a cell has its number."""
        prompt = self.cells.nth(number).locator(".jp-InputPrompt")
        prompt.filter(has_text=re.compile(r"\[\d+\]")).wait_for(timeout=timeout)

    def interrupt(self) -> None:
        """Press the button."""
        self.page.locator("[data-jp-item-name=interrupt] *").first.click()


def _accept(dialog: Locator) -> None:
    """Press the last button of a dialog of JupyterLab, that agrees, and show what it said."""
    print(dialog.inner_text())  # noqa: T201  (pytest shows it if the test fails)
    dialog.locator(".jp-Dialog-button").last.click()
