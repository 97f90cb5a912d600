"""A large frame of another node does not keep the loop of the run waiting, whatever is in it."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing
from hostile_terms import hostile
from scripted_peer import Server, played, server

import trio_otp as otp

if TYPE_CHECKING:
    from other_node import Net

MEBIBYTE = hostile(1 << 20)
A = otp.cluster.Atom
LIMIT = 0.1
# Seconds without work, in which the thread that decodes gets Python's lock: on two idle cores, a
# loop that never waits takes it back each time before the thread has woken.
A_MOMENT = 0.001


class Beat:
    """Measures turns of the scheduler, in processor time: what else the machine does is not in it.

    That of all threads: one that decodes keeps the loop waiting while it holds Python's lock.
    """

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        last = time.process_time()
        while True:
            await trio.testing.wait_all_tasks_blocked(A_MOMENT)
            now = time.process_time()
            self.longest, last = max(self.longest, now - last), now


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.parametrize("name", MEBIBYTE)
async def test_a_frame_of_a_mebibyte_does_not_stop_the_loop(net: Net, name: str) -> None:
    """It arrives, or ends its connection. The best of five runs counts, not a bad moment."""
    longest = [await longest_turn(net, MEBIBYTE[name])]
    while longest[-1] >= LIMIT and len(longest) < 5:
        longest.append(await longest_turn(net, MEBIBYTE[name]))

    assert longest[-1] < LIMIT, longest


async def longest_turn(net: Net, term: bytes) -> float:
    """Return the longest turn of the scheduler while another node sends a term, in seconds."""
    beat = Beat()
    gc.collect()
    gc.disable()  # `test_decoder.py` bounds its pauses; here they would be all that is seen
    try:
        await send_beside(beat, net, term)
    finally:
        gc.enable()
    return beat.longest


async def send_beside(beat: Beat, net: Net, term: bytes) -> None:
    async with played(net, server()) as peer, trio.open_nursery() as nursery:
        head = (6, peer.pid(), A(""), A("server"))
        frame = b"p" + peer.codec.encode_term(head) + b"\x83h\2w\5large" + term
        nursery.start_soon(peer.stream.send_all, len(frame).to_bytes(4, "big") + frame)
        nursery.start_soon(beat.run)
        with trio.fail_after(60):
            while otp.cluster.nodes() and not await Server.at("server").count():
                await trio.testing.wait_all_tasks_blocked(A_MOMENT)
        nursery.cancel_scope.cancel()
