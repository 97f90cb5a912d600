"""Work that needs the processor, on all cores: a node for each, behind one name.

    python -m examples.cluster.all_cores

Each peer is a Python of its own with an interpreter lock of its own. They are the partitions of a
supervisor: one that is killed is started again, and its keys are nobody's meanwhile.
"""

from __future__ import annotations

import os
import signal
import time

import trio

import trio_otp as otp

PEERS = otp.partitions("peers")
JOBS = [200_000 + number for number in range(16)]


class Primes(otp.GenServer):
    """Counts primes, in the slowest way there is."""

    @otp.on_call(timeout=60.0)
    def count(self, below: int) -> int:
        sieve = bytearray([1]) * below
        sieve[:2] = b"\0\0"
        for number in range(2, int(below**0.5) + 1):
            if sieve[number]:
                sieve[number * number :: number] = bytes(len(sieve[number * number :: number]))
        return sum(sieve)


async def serve(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Be one of the peers: what it runs has to be found by its name, as `main` of a module."""
    async with otp.open_supervisor([otp.child(Primes).having(name="primes")]) as sup:
        task_status.started()
        await sup.wait()


def peer(number: int) -> otp.Child[otp.cluster.Peer]:
    """Return the node of a core."""
    return otp.child(otp.cluster.Peer, "examples.cluster.all_cores:serve", node=f"core{number}")


async def ask(key: int, answers: dict[int, int]) -> None:
    """Have a job done by the peer of its key."""
    node = await otp.cluster.Peer.at(PEERS.via(key)).node()
    answers[key] = await Primes.at(("primes", node)).count(key)


async def ask_all() -> dict[int, int]:
    """Have all jobs done."""
    answers: dict[int, int] = {}
    async with trio.open_nursery() as nursery:
        for job in JOBS:
            nursery.start_soon(ask, job, answers)
    return answers


async def main(cores: int | None = None) -> None:
    cores = cores or os.cpu_count() or 1
    peers = otp.child(otp.PartitionSupervisor, peer, partitions=cores).having(name="peers")
    async with (
        otp.cluster.open_node("parent@127.0.0.1", epmd=False),
        otp.open_supervisor([peers]),
    ):
        began = time.perf_counter()
        answers = await ask_all()
        took = time.perf_counter() - began
        print(f"{answers[JOBS[0]]} primes below {JOBS[0]}; {len(answers)} answers", flush=True)
        print(f"{cores} nodes took {took:.2f} s", flush=True)

        # One that is killed comes back under its name, and its keys with it.
        killed = await otp.wait_for_name(PEERS.via(0))
        number = otp.process_info(killed).os_pid
        assert number is not None
        os.kill(number, signal.SIGKILL)
        try:
            print("not reached:", await Primes.at(("primes", "core0@127.0.0.1")).count(10))
        except otp.NoConnection as exc:
            print(f"lost; may it have been done? {exc.sent}", flush=True)
        await otp.wait_down(killed)
        await otp.wait_for_name(PEERS.via(0), timeout=30)
        print("again:", await Primes.at(("primes", "core0@127.0.0.1")).count(10), flush=True)


if __name__ == "__main__":
    trio.run(main)
