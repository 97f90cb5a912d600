"""A program of the operating system and a blocking function, as children of one supervisor.

The program does sums: it reads a line, writes the answer, and exits with status 3 when it is asked
to divide by zero. Its port is `transient`, so that is a failure and it is started again. The
function blocks in `queue.get`; what is called when it has to stop wakes it up. When the block is
left both are stopped, the newer first: the thread by its callback, the program by SIGTERM.
"""

from __future__ import annotations

import queue
import sys

import trio

import trio_otp as otp

SUMS = """
import sys
for line in sys.stdin:
    one, two = line.split("/")
    if two.strip() == "0":
        sys.exit(3)
    print(int(one) // int(two), flush=True)
"""


def write_down(paper: queue.SimpleQueue[str | None]) -> None:
    """Run in a thread: wait for something to write down."""
    otp.WorkerThread.on_stop(lambda: paper.put(None))  # else get() would wait for ever
    while (line := paper.get()) is not None:
        print("written down:", line)
        trio.from_thread.run_sync(otp.send, "main", "written")


async def ask(text: str) -> str:
    await otp.Port.command("sums", text + "\n")
    return (await otp.receive(otp.PortLine)).text


async def main() -> None:
    paper: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    sums = otp.child(otp.Port, [sys.executable, "-c", SUMS], stdout="send", owner="main")
    thread = otp.child(otp.WorkerThread, write_down, paper)
    children = [sums.having(name="sums", restart="transient"), thread.having(name="writer")]
    async with otp.open_process(name="main"), otp.open_supervisor(children) as sup:
        paper.put(f"12 / 4 = {await ask('12/4')}")
        await otp.receive(str)

        otp.monitor("sums")
        await otp.Port.command("sums", "1/0\n")
        reason = (await otp.receive(otp.Down)).reason
        assert isinstance(reason, otp.ExitStatus)
        print("ended with status", reason.returncode)
        await otp.which_children(sup)  # answered when the supervisor has started it again
        print("and goes on: 9 / 3 =", await ask("9/3"))


if __name__ == "__main__":
    trio.run(main)
