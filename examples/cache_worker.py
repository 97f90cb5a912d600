"""A cache worker and its client API.

The class is both: its instance is the inside of the server, which only the server's own task
touches, and its decorated methods are the messages that anybody may send. `CacheWorker.at(ref)` is
a typed client, so callers see `await cache.get("k")` and never a queue, a lock or a message format.
"""

from __future__ import annotations

import trio

import trio_otp as otp


class CacheWorker(otp.GenServer):
    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.data: dict[str, bytes] = {}  # oldest first

    @otp.on_call
    async def get(self, key: str) -> bytes | None:
        """A call: the caller waits for the value."""
        return self.data.get(key)

    @otp.on_call(raises=(KeyError,))
    async def take(self, key: str) -> bytes:
        """A KeyError is the caller's business: it is raised there, and the server lives."""
        return self.data.pop(key)

    @otp.on_cast
    def put(self, key: str, value: bytes) -> None:
        """A cast: the caller does not wait. One caller's casts and calls arrive in their order."""
        self.data[key] = value
        self.drop_oldest()

    def drop_oldest(self) -> None:
        """Undecorated, so no message: a plain method of the inside."""
        while len(self.data) > self.limit:
            del self.data[next(iter(self.data))]


async def main() -> None:
    async with otp.open_supervisor([otp.child(CacheWorker, limit=2).having(name="cache")]):
        cache = CacheWorker.at("cache")

        cache.put("a", b"1")
        cache.put("b", b"2")
        cache.put("c", b"3")
        print("a:", await cache.get("a"))  # pushed out by c
        print("c:", await cache.get("c"))

        print("take b:", await cache.take("b"))
        try:
            await cache.take("b")
        except KeyError as exc:
            print("take b again: KeyError", exc)

        try:
            cache.put("d")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
        except TypeError as exc:  # found here, in the caller; the server never sees the message
            print("TypeError:", str(exc).partition(";")[0])
        print("c is still there:", await cache.get("c"))


if __name__ == "__main__":
    trio.run(main)
