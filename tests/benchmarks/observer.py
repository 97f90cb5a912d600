"""What the observer costs the program: calls per second of the processor time of the loop's thread.

    python -m tests.benchmarks.observer [--rounds 9]

Rounds without an observer, with one that nobody looks at, and with one whose page is open (another
process that subscribes to what the page shows, once a second) take turns in one run, so each ratio
is of neighbours in time. The median of the ratios is printed, with the quartiles.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio
import trio.lowlevel

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS: Final = 2.0  # of a round
SIZES: Final = (1_000, 10_000)
FLOORS: Final = {"served": (0.97, 0.97), "page": (0.95, 0.92)}  # of each size
PAGE: Final = """
import os, sys, threading
from pathlib import Path
from trio_otp.observer.socket.client import Client

def look(what, arguments):
    with Client(Path(sys.argv[1]), os.geteuid(), 60) as client:
        for answer in client.answers(what, every=1.0, **arguments):
            print(what, flush=True)

asked = {"overview": {}, "rows": {"count": 60}, "problems": {}}
for each in asked.items():
    threading.Thread(target=look, args=each).start()
"""


class Server(otp.GenServer):
    """Answers."""

    @otp.on_call
    async def ping(self, number: int) -> int:
        return number


async def rate(clients: list[Any]) -> float:
    """Return the calls in a second of the processor, of a round."""
    until, began, calls = time.monotonic() + SECONDS, time.thread_time(), 0
    while time.monotonic() < until:
        for client in clients[calls % len(clients) :][:100]:
            await client.ping(calls)
            calls += 1
        if calls % 1000 < 100:
            await trio.lowlevel.checkpoint()
    return calls / (time.thread_time() - began)


@asynccontextmanager
async def served(nursery: trio.Nursery) -> AsyncIterator[otp.observer.Served]:
    """Open an observer that nobody looks at."""
    seen = await otp.observer.serve(nursery=nursery, port=None)
    try:
        yield seen
    finally:
        await otp.stop(seen.pid)


@asynccontextmanager
async def looked_at(nursery: trio.Nursery) -> AsyncIterator[None]:
    """Open an observer, and a page that shows what it says."""
    async with served(nursery) as seen:
        command = [sys.executable, "-c", PAGE, str(seen.socket)]
        page = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
        try:
            assert page.stdout is not None
            await page.stdout.receive_some()
            yield
        finally:
            page.kill()
            await page.wait()


async def measure(size: int, rounds: int) -> dict[str, list[float]]:
    """Return the ratios of each way to the rounds without an observer around it."""
    found: dict[str, list[float]] = {"served": [], "page": []}
    children = [otp.child(Server).having(id=number) for number in range(size)]
    async with otp.open_supervisor(children) as sup, trio.open_nursery() as nursery:
        pids = [info.pid for info in await otp.which_children(sup)]
        clients = [Server.at(pid) for pid in pids if pid is not None]
        await rate(clients)
        for _ in range(rounds):
            none = await rate(clients)
            async with served(nursery):
                quiet = await rate(clients)
            async with looked_at(nursery):
                open_ = await rate(clients)
            after = await rate(clients)
            found["served"].append(2 * quiet / (none + after))
            found["page"].append(2 * open_ / (none + after))
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    given = parser.parse_args()
    print(f"{'servers':>8} {'way':<8} {'median':>7} {'quartiles':>15} {'wanted':>7}")
    for index, size in enumerate(given.sizes):
        for way, ratios in trio.run(measure, size, given.rounds).items():
            low, middle, high = statistics.quantiles(ratios, n=4)
            wanted = FLOORS[way][min(index, 1)]
            print(f"{size:>8} {way:<8} {middle:>7.3f} {low:>7.3f} {high:>7.3f} {wanted:>7.2f}")


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = str(Path(otp.__file__).parents[1])
    main()
