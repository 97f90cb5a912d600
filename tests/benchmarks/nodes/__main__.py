"""Measure calls and casts between nodes: `python -m tests.benchmarks.nodes [ROUNDS]`.

All lanes take turns, and a figure is the median of the ratios of the rounds. Needs `elixir` and
msgspec.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import trio

import trio_otp as otp

from .server import FloorClient, Server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

HOST = "127.0.0.1"
HERE = Path(__file__).parent
COOKIE = "crumbs"
EPMD_PORT = 24_369
SERVER = ("server", f"py@{HOST}")
THERE = ("server", f"there@{HOST}")
# {name: (lane, what it is divided by, the target)}; a rate to a rate.
RATIOS = {
    "calls, one in flight, Python to Python / floor": ("py.1", "floor.1", 0.5),
    "calls, 64 in flight, Python to Python / floor": ("py.64", "floor.64", 0.5),
    "calls, one in flight, Elixir to Python / Elixir": ("from.1", "elixir.1", 0.15),
    "calls, 64 in flight, Elixir to Python / Elixir": ("from.64", "elixir.64", 0.25),
    "calls, one in flight, Python to Elixir / Elixir": ("to.1", "elixir.1", 0.15),
    "calls, 64 in flight, Python to Elixir / Elixir": ("to.64", "elixir.64", 0.25),
    "casts, Elixir to Python / Elixir": ("from.cast", "elixir.cast", 0.15),
    "casts, Python to Elixir / Elixir": ("to.cast", "elixir.cast", 0.15),
    "CPU-bound calls, two Peers / one process": ("peers", "alone", 1.6),
}


class Program:
    """A program that answers a line with a line."""

    def __init__(self, stack: ExitStack, *command: str) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ERL_EPMD_PORT": str(EPMD_PORT)},
        )
        stack.callback(self.process.kill)

    def ask(self, line: str = "") -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if line:
            self.process.stdin.write(f"{line}\n")
            self.process.stdin.flush()
        return self.process.stdout.readline().strip()


async def each(call: Callable[[int], Awaitable[object]], in_flight: int, n: int) -> float:
    """Call so many times, with so many at once; return the seconds."""

    async def some() -> None:
        for number in range(n // in_flight):
            await call(number)

    await call(0)
    began = time.perf_counter()
    async with trio.open_nursery() as nursery:
        for _ in range(in_flight):
            nursery.start_soon(some)
    return time.perf_counter() - began


async def floor(port: int, in_flight: int, n: int) -> float:
    async with await trio.open_tcp_stream(HOST, port) as stream, trio.open_nursery() as nursery:
        client = FloorClient(stream)
        nursery.start_soon(client.read)
        took = await each(client.call, in_flight, n)
        nursery.cancel_scope.cancel()
    return took


async def from_python(cookie: Path, ref: Any, in_flight: int, n: int) -> float:
    server = Server.at(ref)
    async with otp.cluster.open_node(f"bench@{HOST}", cookie_file=cookie, epmd=EPMD_PORT):
        return await each(server.add, in_flight, n)


async def casts(cookie: Path, ref: Any, n: int) -> float:
    server = Server.at(ref)
    async with otp.cluster.open_node(f"bench@{HOST}", cookie_file=cookie, epmd=EPMD_PORT):
        await server.total()
        began = time.perf_counter()
        for _ in range(n):
            server.note(1)
        await otp.call(ref, otp.cluster.Atom("total"), timeout=60)
        return time.perf_counter() - began


BELOW = 30_000


async def alone(n: int) -> float:
    server = Server()
    began = time.perf_counter()
    for _ in range(n):
        Server.primes.__wrapped__(server, BELOW)  # type: ignore[attr-defined]  # of a decorator
    return time.perf_counter() - began


async def peers(n: int) -> float:
    main = "tests.benchmarks.nodes.server:serve"
    names = ("one", "two")
    children = [otp.child(otp.cluster.Peer, main).having(name=name) for name in names]

    async def some(name: str) -> None:
        for _ in range(n // 2):
            ref = ("server", f"{name}@{HOST}")
            await otp.call(ref, (otp.cluster.Atom("primes"), BELOW), timeout=60)

    async with (
        otp.cluster.open_node(f"cores@{HOST}", epmd=False),
        otp.open_supervisor(children),
    ):
        began = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(some, name)
        return time.perf_counter() - began


def lanes(cookie: Path, stack: ExitStack) -> dict[str, Callable[[], float]]:
    """Start what takes part; return {lane: one round of it, which gives its rate}."""
    epmd = ["epmd", "-address", HOST, "-port", str(EPMD_PORT)]
    stack.callback(subprocess.Popen(epmd).kill)
    beam = str(HERE / "beam.exs")
    flags = ["--erl", "-kernel prevent_overlapping_partitions false -kernel connect_all false"]
    here, there = (
        Program(stack, "elixir", "--name", f"{name}@{HOST}", "--cookie", COOKIE, *flags, beam)
        for name in ("here", "there")
    )
    words = ["-m", "tests.benchmarks.nodes.server", f"py@{HOST}", str(cookie), str(EPMD_PORT)]
    assert (here.ask(), there.ask()) == ("up", "up")
    port = int(Program(stack, sys.executable, *words).ask())

    def beam_lane(what: str, ref: tuple[str, str], in_flight: int, n: int) -> Callable[[], float]:
        return lambda: n / float(here.ask(f"{what} {ref[1]} {in_flight} {n}"))

    def lane(work: Callable[..., Awaitable[float]], *args: Any) -> Callable[[], float]:
        n: int = args[-1]
        return lambda: n / trio.run(work, *args)

    found = {"peers": lane(peers, 20), "alone": lane(alone, 20)}
    for in_flight, n in ((1, 1500), (64, 6400)):
        found[f"floor.{in_flight}"] = lane(floor, port, in_flight, n)
        found[f"py.{in_flight}"] = lane(from_python, cookie, SERVER, in_flight, n)
        found[f"to.{in_flight}"] = lane(from_python, cookie, THERE, in_flight, n)
        found[f"from.{in_flight}"] = beam_lane("call", SERVER, in_flight, n)
        found[f"elixir.{in_flight}"] = beam_lane("call", THERE, in_flight, n)
    found["to.cast"] = lane(casts, cookie, THERE, 20_000)
    found["from.cast"] = beam_lane("cast", SERVER, 1, 20_000)
    found["elixir.cast"] = beam_lane("cast", THERE, 1, 20_000)
    return found


def main(rounds: int) -> None:
    with ExitStack() as stack, tempfile.TemporaryDirectory() as directory:
        cookie = Path(directory, "cookie")
        cookie.touch(0o600)
        cookie.write_text(COOKIE)
        all_lanes = lanes(cookie, stack)
        figures: dict[str, list[float]] = {name: [] for name in all_lanes}
        for number in range(rounds + 1):
            for name, run in all_lanes.items():
                rate = run()
                if number:  # the first round is a warm-up
                    figures[name].append(rate)
        for name, rates in figures.items():
            print(f"{name:12} {median(rates):10.0f} /s")
        for title, (lane, other, target) in RATIOS.items():
            ratios = [a / b for a, b in zip(figures[lane], figures[other], strict=True)]
            low, _, high = quantiles(ratios, n=4) if len(ratios) > 1 else (ratios[0],) * 3
            verdict = "reached" if median(ratios) >= target else "missed"
            shown = f"{median(ratios):.2f} ({low:.2f}-{high:.2f})"
            print(f"{title:50} {shown:20} target {target}: {verdict}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
