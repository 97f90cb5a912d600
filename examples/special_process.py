"""A hand-written loop that can be suspended, looked into and stopped like a server.

A feed takes readings from a channel, which no server callback could wait for while it also takes
messages. As a plain process it would be deaf: nobody could ask for its state, hold it or tell it to
end. With a `SpecialProcess` it answers all of that, wherever it waits for its next message.
"""

from __future__ import annotations

import trio

import trio_otp as otp


async def pass_on(source: trio.MemoryReceiveChannel[int], feed: otp.Pid[None]) -> None:
    """Turn what comes from outside into messages of the feed."""
    async for reading in source:
        otp.send(feed, reading)


async def feed(  # noqa: ASYNC114  (a child is started by what otp.child makes of it)
    source: trio.MemoryReceiveChannel[int],
    *,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    me = otp.SpecialProcess(state=[])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pass_on, source, otp.self())
        task_status.started(
            "listening"
        )  # until then the supervisor waits; otp.init_ack is the same
        try:
            while True:
                reading = await me.receive(int)  # answers otp.sys meanwhile
                me.state = [*me.state, reading]
        finally:
            print("feed ends with", me.state)


async def main() -> None:
    send, source = trio.open_memory_channel[int](10)
    async with otp.open_supervisor([otp.child(feed, source).having(name="feed")]):
        print("started:", otp.process_info("feed").started)
        await send.send(21)
        await trio.testing.wait_all_tasks_blocked()
        print("state:", await otp.sys.get_state("feed"))
        await otp.sys.suspend("feed")
        await send.send(22)
        await trio.testing.wait_all_tasks_blocked()
        status = await otp.sys.get_status("feed")
        print(status.sys, status.state, "messages that wait:", status.message_queue_len)
        await otp.sys.resume("feed")
        print("state:", await otp.sys.get_state("feed"))


if __name__ == "__main__":
    import trio.testing

    trio.run(main)
