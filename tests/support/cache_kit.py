"""A server with a decorated method of every kind."""

from __future__ import annotations

from typing import Any

import trio
from inside import process_of

import trio_otp as otp


class Cache(otp.GenServer):
    def __init__(self, limit: int = 1000) -> None:
        self.limit = limit
        self.data: dict[str, bytes] = {}
        self.waiting: list[otp.From[bytes]] = []
        self.notes: list[Any] = []

    @otp.on_call
    async def get(self, key: str) -> bytes | None:
        """Return a value."""
        return self.data.get(key)

    @otp.on_call
    def size(self) -> int:
        return len(self.data)

    @otp.on_call(raises=(KeyError,))
    async def pop(self, key: str, *, default: bytes | None = None) -> bytes:
        if default is not None:
            return self.data.pop(key, default)
        return self.data.pop(key)

    @otp.on_call(timeout=1.5)
    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    @otp.on_call
    async def close(self, why: str) -> str:
        return otp.Stop(why, reply=f"closed: {why}")

    @otp.on_call
    def touch(self) -> str:
        return otp.Reply("touched", timeout=5, continue_="touch")

    @otp.on_call_deferred
    async def fetch(self, from_: otp.From[bytes], url: str) -> None:
        self.waiting.append(from_)

    @otp.on_call_deferred(timeout=60)
    def fetch_slowly(self, from_: otp.From[bytes], url: str = "x") -> Any:
        return otp.Reply(url.encode())

    @otp.on_cast
    async def put(self, key: str, value: bytes) -> None:
        self.data[key] = value

    @otp.on_cast
    def clear(self) -> Any:
        self.data.clear()
        return otp.Stop("cleared") if self.limit == 0 else None

    @otp.on_info(otp.Down, otp.Timeout)
    def notice(self, message: Any) -> None:
        self.notes.append(message)

    @otp.on_info(str)
    async def note_str(self, message: str) -> None:
        self.notes.append(message)

    def handle_continue(self, token: Any) -> None:
        self.notes.append(token)


class Loud(Cache):
    """Overrides a decorated method, once with a decorator and once without."""

    @otp.on_call
    async def get(self, key: str) -> bytes | None:
        return (self.data.get(key) or b"").upper()

    def size(self) -> int:
        return -1

    def notice(self, message: Any) -> None:
        self.notes.append(("loud", message))


def inside(pid: otp.Pid[Any]) -> Cache:
    process = process_of(pid)
    instance: Cache = process.instance
    return instance
