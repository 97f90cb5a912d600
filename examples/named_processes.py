"""Name a process; do not keep its pid.

A pid is one incarnation of a process. A supervisor puts a new process in place of a dead one, with
the same name and another pid, so what is kept for long has to be a name: an atom (a string, an enum
member, the class itself), or a via tuple, whose key may be anything hashable.
"""

from __future__ import annotations

import trio

import trio_otp as otp

SHOPS = otp.registry("Shops")


class Prices(otp.GenServer):
    def __init__(self, currency: str) -> None:
        self.currency = currency

    @otp.on_call
    async def price(self, item: str) -> str:
        return f"{len(item)} {self.currency}"


async def replace(sup: otp.OpenSupervisor, pid: otp.Pid[Prices]) -> None:
    """End a process and wait until its supervisor has put a new one in its place."""
    await otp.stop(pid)
    await otp.which_children(sup)  # answered in turn: by then the restart has been done


async def main() -> None:
    children = [
        otp.child(otp.Registry, keys="unique").having(name="Shops"),
        otp.child(Prices, "EUR").having(name="prices"),
        otp.child(Prices, "JPY").having(name=SHOPS.via(("tokyo", 7))),
    ]
    async with otp.open_supervisor(children) as sup:
        kept = otp.whereis("prices")
        assert kept is not None
        print("by pid:     ", await Prices.price(kept, "apple"))
        print("by name:    ", await Prices.price("prices", "apple"))

        await replace(sup, kept)

        # Bad: the pid is that of the dead one.
        try:
            await Prices.price(kept, "apple")
        except otp.NoProcess:
            print("by kept pid: NoProcess")

        # Good: a name is looked up anew at every use.
        print("by name:    ", await Prices.price("prices", "apple"))
        print("another pid:", otp.whereis("prices") != kept)

        # The same with a via tuple. It can be stored, passed on and made before anything runs.
        tokyo = Prices.at(SHOPS.via(("tokyo", 7)))
        print("via:        ", await tokyo.price("apple"))


if __name__ == "__main__":
    trio.run(main)
