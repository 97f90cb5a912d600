"""State that survives its server's crash: a keeper, which does nothing else, inherits it.

For state that is costly to rebuild: sessions, counts, a warm cache. A server borrows its table in
`init` and changes it in place, each time in one step, since half a change would be inherited too.
The next server goes on with it, as with the heir of an ETS table: one owner at a time. If the table
itself crashes each server, their supervisor gives up, and the next keeper begins with none. When
not: state that has to survive the program belongs on disk; state that is quick to build is rebuilt.
"""

from __future__ import annotations

from typing import Any

import trio

import trio_otp as otp


class Owned(Exception):
    """Another process that is alive has this table."""


class Keeper(otp.GenServer):
    def __init__(self) -> None:
        self.tables: dict[str, dict[Any, Any]] = {}
        self.owners: dict[otp.Monitor, str] = {}  # {monitor of an owner: its table}

    @otp.on_call(raises=(Owned,))
    def borrow(self, name: str, owner: otp.Pid) -> dict[Any, Any]:
        """Make a process the owner of a table until it ends; a new table is empty."""
        if name in self.owners.values():
            raise Owned(name)
        self.owners[otp.monitor(owner)] = name
        return self.tables.setdefault(name, {})

    @otp.on_info(otp.Down)
    def inherit(self, message: otp.Down) -> None:
        del self.owners[message.ref]


class Visits(otp.GenServer):
    """An example of a server that borrows."""

    async def init(self) -> None:
        self.counts: dict[str, int] = await Keeper.borrow("keeper", "visits", otp.self())

    @otp.on_call
    def visit(self, page: str) -> int:
        count = self.counts.get(page.lower(), 0) + 1  # whatever can fail comes first
        self.counts[page.lower()] = count  # the change is one step
        return count


async def main() -> None:
    children = [otp.child(Keeper).having(name="keeper"), otp.child(Visits).having(name="visits")]
    async with otp.open_supervisor(children, strategy="rest_for_one") as sup:
        visits = Visits.at("visits")
        for page in ("home", "home", None, "home"):
            try:
                print(page, await visits.visit(page))  # type: ignore[arg-type]  # None is the bug
            except otp.ServerExited as exc:
                print("crashed:", exc.reason)
                await otp.which_children(sup)  # answered when the next one has started


if __name__ == "__main__":
    trio.run(main)
