"""Workers started on demand: one per user, in any number, gone when they are not needed.

A `DynamicSupervisor` starts empty. `ensure_child` gives the worker of a name, starting it if there
is none, however many callers ask at the same time.
"""

from __future__ import annotations

import trio

import trio_otp as otp

USERS = otp.registry("Users")
WORKERS = "workers"  # the name of the dynamic supervisor


class Basket(otp.GenServer, restart="transient"):  # restarted after a crash, not after a quiet end
    def __init__(self, user: str) -> None:
        self.user = user
        self.items: list[str] = []

    @otp.on_call
    async def add(self, item: str) -> int:
        self.items.append(item)
        return len(self.items)

    @otp.on_call
    async def check_out(self) -> list[str] | otp.Stop:
        """Answer, and end: a quiet end, so nobody restarts it."""
        return otp.Stop(otp.NORMAL, reply=sorted(self.items))


async def basket_of(user: str) -> Basket:
    """The client of a user's basket."""
    name = USERS.via(user)
    await otp.ensure_child(WORKERS, otp.child(Basket, user).having(name=name))
    return Basket.at(name)


async def shop(user: str, item: str) -> None:
    basket = await basket_of(user)
    await basket.add(item)


async def main() -> None:
    children = [
        otp.child(otp.Registry, keys="unique").having(name="Users"),
        otp.child(otp.DynamicSupervisor, max_children=3).having(name=WORKERS),
    ]
    async with otp.open_supervisor(children, strategy="rest_for_one"):
        async with trio.open_nursery() as nursery:
            for user, item in [("ada", "tea"), ("joe", "salt"), ("ada", "jam"), ("joe", "rice")]:
                nursery.start_soon(shop, user, item)
        counts = await otp.count_children(WORKERS)
        print("four callers, workers:", counts.active)

        eve = await basket_of("eve")
        print("eve's items:", await eve.add("figs"))
        try:
            await basket_of("tom")
        except otp.MaxChildren as exc:
            print("tom has to wait:", exc)

        ada = await basket_of("ada")
        print("ada buys", await ada.check_out())
        print("ada's worker:", otp.whereis(USERS.via("ada")))
        tom = await basket_of("tom")
        print("tom's items:", await tom.add("nuts"))


if __name__ == "__main__":
    trio.run(main)
