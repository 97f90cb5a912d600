"""Where each microsecond of a call goes: `python -m tests.benchmarks.pieces`.

What a call does besides what Trio does for it is timed piece by piece, each alone in a loop, less
the loop; the best of some rounds counts. Beside it stand whole calls and the floors of a call.
"""

from __future__ import annotations

from collections import deque
from time import process_time
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.lowlevel import current_task

import trio_otp as otp
from trio_otp._process.names import need_living
from trio_otp._process.request import DEFAULT_TIMEOUT, new_request
from trio_otp._process.runtime import current_process, runtime

from .floors.calls import channel_and_reschedule, checkpoints, ping_pong
from .ours.calls import plain, without_limit
from .ours.servers import Plain

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS: Final = 20_000
ROUNDS: Final = 9


def best(seconds: Callable[[], float]) -> float:
    """Return the microseconds of one call, in the best round."""
    return min(seconds() for _ in range(ROUNDS)) / CALLS * 1e6


def looped(piece: Callable[[], object]) -> float:
    """Return the microseconds of a piece."""

    def seconds() -> float:
        start = process_time()
        for _ in range(CALLS):
            piece()
        return process_time() - start

    return best(seconds)


def pieces(pid: otp.Pid[Any]) -> dict[str, Callable[[], object]]:
    """Return what the caller and the server do for one call, with the caller being a process."""
    here = runtime()
    process = need_living(pid)
    request = new_request(process, pid, 1, DEFAULT_TIMEOUT)
    answered = new_request(process, pid, 1, DEFAULT_TIMEOUT)
    answered.done = True
    server, queue, table = Plain(), deque[Any](), dict[Any, None]()
    fifo = here.timers.limit

    def queued() -> None:
        queue.append(request)
        queue.popleft()

    def opened() -> None:
        table[request] = None
        table.pop(request, None)

    return {
        "find the server": lambda: need_living(pid, 1),
        "make the request": lambda: new_request(process, pid, 1, DEFAULT_TIMEOUT),
        "look at the clock, twice": lambda: (here.now(), here.now()),
        "which task is this, twice": lambda: (current_task(), current_task()),
        "which process is this": lambda: current_process.get(None),
        "into the open calls, and out": opened,
        "into the mailbox, and out": queued,
        "the callback and its Reply": lambda: server.handle_call(1, request),
        "the limit of its time": lambda: fifo(answered, DEFAULT_TIMEOUT, 0.0),
    }


async def measure_pieces() -> dict[str, float]:
    """Time each piece."""
    async with otp.open_process():
        pid = await otp.start(Plain)
        loop = looped(lambda: None)
        return {name: looped(piece) - loop for name, piece in pieces(pid).items()}


def main() -> None:
    """Print the pieces, then whole calls and floors, in microseconds."""
    figures = trio.run(measure_pieces)
    figures["a call"] = best(lambda: trio.run(plain, CALLS, Plain).amount)
    figures["a call without limit"] = best(lambda: trio.run(without_limit, CALLS).amount)
    floors = {"F0": checkpoints, "F1": ping_pong, "F2": channel_and_reschedule}
    for name, floor in floors.items():
        figures[name] = best(lambda floor=floor: trio.run(floor, CALLS).amount)  # type: ignore[misc]
    for name, figure in figures.items():
        print(f"{name:30} {figure:6.2f}")  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
