"""Background work of a server, which goes on answering, learns of errors and leaves no task.

A loop that the server cannot do without is linked to it: a crash of one ends both, and both are
restarted. Work that may fail alone is a task of a `TaskSupervisor`: its result or end is a message;
`one_for_all` ends it with the server. When not: work that one caller waits for is simpler with
`otp.reply_from_task`. And never enter a nursery by hand in `init`: nothing would exit it in order.
"""

from __future__ import annotations

from typing import Any

import trio

import trio_otp as otp
from trio_otp.testing import virtual_clock

TASKS = "downloads"


class Mirror(otp.GenServer):
    """Looks for new files each minute, and fetches them."""

    def __init__(self, look: Any, fetch: Any) -> None:
        self.look, self.fetch = look, fetch
        self.files: dict[str, Any] = {}  # {name: content, error, or None while it is fetched}
        self.tasks: dict[otp.Monitor | None, str] = {}
        otp.spawn_link(self.look_again_and_again, Mirror.at(otp.self()))

    async def look_again_and_again(self, mirror: Mirror) -> None:  # in a process of its own
        while True:
            for name in await self.look():
                mirror.want(name)
            await trio.sleep(60)

    @otp.on_cast
    async def want(self, name: str) -> None:
        if name not in self.files:
            start = otp.TaskSupervisor.start_async_nolink
            task = await start(TASKS, self.fetch, name, deliver=True)
            self.files[name], self.tasks[task.ref] = None, name

    @otp.on_info(otp.TaskReply)
    def fetched(self, message: otp.TaskReply[Any]) -> None:
        self.files[self.tasks[message.task.ref]] = message.value

    @otp.on_info(otp.Down)
    def ended(self, message: otp.Down) -> None:  # also after the reply, by NORMAL
        name = self.tasks.pop(message.ref)
        if message.reason != otp.NORMAL:
            self.files[name] = message.reason

    @otp.on_call
    def status(self) -> dict[str, Any]:
        return dict(self.files)


async def look() -> list[str]:
    return ["tea", "milk"]


async def fetch(name: str) -> str:
    await trio.sleep(2.5)
    return f"200 g of {name}" if name == "tea" else f"{1 / 0}"


async def main() -> None:
    tasks = otp.child(otp.TaskSupervisor).having(name=TASKS)
    mirror = otp.child(Mirror, look, fetch).having(name="mirror")
    async with otp.open_supervisor([tasks, mirror], strategy="one_for_all"):
        for _ in range(3):
            await trio.sleep(1)
            print(await Mirror.at("mirror").status())


if __name__ == "__main__":
    trio.run(main, clock=virtual_clock())
