"""Whole programs as nodes: `trio-otp run --name`, the examples, and the page of the docs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trio
from beam_kit import COOKIE
from cluster_kit import HOST, LIMIT
from paths import ROOT

from trio_otp import cli

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from beam_kit import Beam, Epmd
    from cluster_kit import Tls

pytestmark = pytest.mark.interop

APP = """
import trio_otp as otp

class Desk(otp.GenServer):
    @otp.on_call
    def add(self, a: int, b: int) -> int:
        return a + b

    @otp.on_call
    def node(self) -> str | None:
        return otp.cluster.node()

class App(otp.Application):
    def start(self):
        print("begun", otp.cluster.node(), flush=True)
        return otp.Supervisor.spec([otp.child(Desk).having(name="desk")])

    def stop(self):
        print("ended", otp.cluster.node(), flush=True)
"""


@asynccontextmanager
async def program(epmd: Epmd, *command: str, cwd: Path = ROOT) -> AsyncIterator[trio.Process]:
    """Run a program; kill it if it has not ended by itself."""
    env = {**os.environ, **epmd.variables}
    with trio.fail_after(2 * LIMIT):
        process = await trio.lowlevel.open_process(
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=env,
        )
        try:
            yield process
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None
                await pipe.aclose()


async def read_until(stream: Any, text: str) -> str:
    """Read until a text has come."""
    said = ""
    while text not in said:
        chunk = bytes(await stream.receive_some()).decode()
        assert chunk, f"{text!r} never came; {said}"
        said += chunk
    return said


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """A folder with an application."""
    (tmp_path / "desk_app.py").write_text(APP)
    return tmp_path


FILES = [word for option in ("ca", "cert", "key") for word in (f"--tls-{option}", "desk_app.py")]


def run_app(name: str, cookie_file: Path, *more: str) -> list[str]:
    words = ["-m", "trio_otp", "run", "desk_app:App", "--name", name]
    return [sys.executable, *words, "--cookie-file", str(cookie_file), *more]


@pytest.mark.parametrize("is_tls", [False, True], ids=["tcp", "tls"])
async def test_run_makes_a_node(  # noqa: PLR0917 - fixtures
    request: pytest.FixtureRequest, epmd: Epmd, app: Path, cookie_file: Path, name: str,
    tls: Tls, is_tls: bool,
) -> None:  # fmt: skip
    """`trio-otp run --name` is a node before its application begins and until after its end."""
    beam: Beam = request.getfixturevalue("tls_beam" if is_tls else "beam")
    options = zip(("--tls-cert", "--tls-key", "--tls-ca"), (tls.cert, tls.key, tls.ca), strict=True)
    more = [word for option in options for word in option] if is_tls else []
    async with program(epmd, *run_app(name, cookie_file, *more), cwd=app) as process:
        await read_until(process.stdout, f"begun {name}")
        async with beam.open(PY=name) as ex:
            assert await ex.run("GenServer.call({:desk, PY}, {:add, 1, 2})") == "3"
        process.send_signal(signal.SIGTERM)
        await read_until(process.stdout, f"ended {name}")
        assert await process.wait() == 0


async def test_run_without_epmd(tmp_path: Path, app: Path, cookie_file: Path, name: str) -> None:
    """A program that cannot become a node says so and does not run."""
    from beam_kit import free_port

    class Nowhere:
        variables = {"ERL_EPMD_PORT": str(free_port())}  # noqa: RUF012 - of this test alone

    nowhere: Any = Nowhere
    async with program(nowhere, *run_app(name, cookie_file), cwd=app) as process:
        said = await read_until(process.stderr, "epmd -daemon")
        assert "resolve=" in said
        assert await process.wait() == 1


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--cookie-file", "x"], "--cookie-file: needs --name=NAME@HOST"),
        (["--tls-ca", "x"], "--tls-ca: needs --name=NAME@HOST"),
        (["--name", "a@b", "--tls-ca", "x"], "--tls-cert: needed for TLS"),
        (
            ["--name", "a@b", "--tls-ca", "x", "--tls-cert", "y", "--tls-key", "z"],
            "--tls-ca x: No such file or directory",
        ),
    ],
)
def test_a_wrong_command_line(
    app: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Options that do not fit are refused before anything runs."""
    monkeypatch.chdir(app)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(["run", "desk_app:App", *words]) == 2
    assert text in capsys.readouterr().err


def test_a_file_that_is_no_certificate(
    app: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the option."""
    monkeypatch.chdir(app)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert cli.main(["run", "desk_app:App", "--name", "a@b", *FILES]) == 2
    assert "--tls-ca desk_app.py: " in capsys.readouterr().err


async def test_the_example_for_elixir(epmd: Epmd, cookie_file: Path, name: str) -> None:
    """The Elixir script of the examples asks the model server of the examples."""
    node = name.replace("py", "model")
    server = [sys.executable, "-m", "examples.cluster.model_server", node, str(cookie_file)]
    async with program(epmd, *server) as process:
        await read_until(process.stdout, "serves")
        script = ["examples/cluster/shop.exs", node]
        named = ["--name", name.replace("py", "shop"), "--cookie", COOKIE]
        async with program(epmd, "elixir", *named, *script) as shop:
            said = await read_until(shop.stdout, "unavailable")
            assert await shop.wait() == 0
    assert said.splitlines() == [
        "spam 0.99 Free money for the winner",
        "ham 0.12 The meeting is at nine",
        "ham 0.38 Your invoice",
        "now spam",
        "{:error, :unavailable}",
    ]


async def test_the_example_of_all_cores(epmd: Epmd) -> None:
    """It counts on two cores, loses a node, and goes on."""
    async with program(epmd, sys.executable, "-m", "examples.cluster.all_cores") as process:
        said = await read_until(process.stdout, "again: 4\n")
        assert await process.wait() == 0
    assert re.sub(r"\d+ nodes took .* s", "took", said).splitlines() == [
        "17984 primes below 200000; 16 answers",
        "took",
        "lost; may it have been done? True",
        "again: 4",
    ]


def block_of_page(kind: str, containing: str) -> str:
    """Return the block of the page about nodes that contains a text."""
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", text, re.M | re.S)
    (found,) = [block for block in blocks if containing in block]
    return found


async def test_the_page_about_certificates(
    epmd: Epmd, app: Path, cookie_file: Path, name: str
) -> None:
    """What the page tells to type makes nodes, of ours and of Elixir, that trust each other."""
    (app / "cookie").write_text(COOKIE)
    shell = ["sh", "-e", "-c", block_of_page("sh", "openssl req")]
    await trio.run_process(shell, cwd=app, capture_stdout=True, capture_stderr=True)
    files = ["--tls-cert", "node.pem", "--tls-key", "node.key", "--tls-ca", "ca.pem"]
    code = f"IO.inspect(GenServer.call({{:desk, :'{name}'}}, {{:add, 1, 2}}))"
    theirs = block_of_page("sh", "ssl_dist_optfile").strip().replace("ex@", f"{name[:-10]}_ex@")
    async with program(epmd, *run_app(name, cookie_file, *files), cwd=app) as process:
        await read_until(process.stdout, f"begun {name}")
        async with program(epmd, "sh", "-c", f'{theirs} -e "{code}"', cwd=app) as elixir:
            assert (await read_until(elixir.stdout, "3\n")).strip() == "3"
            assert await elixir.wait() == 0


async def test_the_page_about_nodes(beam: Beam, epmd: Epmd, cookie_file: Path) -> None:
    """What the page shows of two nodes and of Elixir does what it says."""
    text = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
    python, elixir = (
        re.findall(rf"^```{kind}\n(.*?)^```", text, re.M | re.S) for kind in ("python", "elixir")
    )
    shown: dict[str, Any] = {}
    for block in python[:2]:
        exec(compile(block, "cluster.md", "exec", dont_inherit=True), shown)
    serve = f"""
import trio, trio_otp as otp
{python[0]}
async def main():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve, "py@127.0.0.1", {str(cookie_file)!r})
        await otp.wait_for_name("counter")
        print("up", flush=True)
trio.run(main)
"""
    async with program(epmd, sys.executable, "-c", serve) as process:
        await read_until(process.stdout, "up")
        async with beam.open() as ex:
            for line in elixir[0].splitlines():
                code, _, answer = line.partition(" # ")
                assert await ex.run(code) == answer.strip()
        ask = f"{python[0]}\n{python[1]}\ntrio.run(ask, 'other@{HOST}', {str(cookie_file)!r})"
        async with program(epmd, sys.executable, "-c", ask) as other:
            assert (await read_until(other.stdout, "6")).split() == ["4", "6"]
            assert await other.wait() == 0
