"""The server that the tests between nodes call, and a program that is a node with it.

It answers as the `Desk` of `beam.exs` does, so one test can be about either.

    python desk.py NAME COOKIE_FILE EPMD_PORT [TICK [insecure]]

It says `up`, then runs until its stdin ends.
"""

from __future__ import annotations

import sys
from typing import Any

import trio

import trio_otp as otp


class Desk(otp.GenServer):
    """Keeps what it is told, and does with itself what it is asked for."""

    def __init__(self, *, trap: bool = False) -> None:
        self.trap = trap
        self.notes: list[Any] = []
        self.waiting: list[otp.From[Any]] = []

    def init(self) -> None:
        otp.trap_exit(self.trap)

    @otp.on_call
    def add(self, a: int, b: int) -> int:
        return a + b

    @otp.on_call
    def echo(self, term: Any) -> Any:
        return term

    @otp.on_call
    def greet(self, name: str) -> str:
        return f"hello, {name}"

    @otp.on_call
    def log(self) -> list[Any]:
        return self.notes

    @otp.on_call_deferred
    def me(self, from_: otp.From[Any]) -> None:
        otp.reply(from_, from_.caller)

    @otp.on_call
    def pid(self) -> otp.Pid[Any]:
        return otp.self()

    @otp.on_call
    def crash(self) -> None:
        raise RuntimeError("boom")

    @otp.on_call(raises=(LookupError,))
    def refuse(self, why: Any) -> None:
        raise LookupError(why)

    @otp.on_call
    def exit(self, reason: Any) -> None:
        otp.exit(reason)

    @otp.on_call
    def stop(self, reason: Any) -> Any:
        return otp.Stop(reason)

    @otp.on_call_deferred
    def never(self, from_: otp.From[Any]) -> None:
        self.waiting.append(from_)

    @otp.on_call
    def answer_all(self, value: Any) -> int:
        """Answer all calls that wait; return how many they were."""
        count = len(self.waiting)
        for from_ in self.waiting:
            otp.reply(from_, value)
        self.waiting.clear()
        return count

    @otp.on_call_deferred
    def hand_over(self, from_: otp.From[Any], term: Any) -> None:
        """Have another process answer."""

        async def other() -> None:
            otp.reply(from_, term)

        otp.spawn(other)

    @otp.on_call_deferred
    def watch_me(self, from_: otp.From[Any], value: Any) -> None:
        assert from_.caller is not None
        otp.monitor(from_.caller)
        otp.reply(from_, value)

    @otp.on_call
    def watch(self, ref: Any) -> None:
        otp.monitor(ref)

    @otp.on_call
    def link(self, pid: Any) -> bool:
        otp.link(pid)
        return True

    @otp.on_call
    def unlink(self, pid: Any) -> bool:
        otp.unlink(pid)
        return True

    @otp.on_call_deferred
    def tell(self, from_: otp.From[Any], term: Any) -> None:
        """Send the caller a message, then answer."""
        assert from_.caller is not None
        otp.send(from_.caller, term)
        otp.reply(from_, otp.cluster.Atom("ok"))

    @otp.on_cast
    def note(self, term: Any) -> None:
        self.notes.append(term)

    def handle_cast(self, message: Any) -> None:
        self.notes.append(message)

    def handle_info(self, message: Any) -> None:
        match message:
            case otp.Down(reason=reason):
                self.notes.append(("down", message.pid, reason))
            case otp.Exit(pid=pid, reason=reason):
                self.notes.append(("exit", pid, reason))
            case _:
                self.notes.append(message)


class Switch(otp.GenStatem[str]):
    """A machine that Elixir calls by `:gen_statem.call`."""

    initial = "off"

    def handle_event(self, kind: Any, content: Any, state: str) -> Any:
        new = "off" if state == "on" else "on"
        match kind, content:
            case otp.From(), "flip":
                return otp.NextState(new, otp.Reply(otp.cluster.Atom(new)))
            case otp.Event.CAST, "flip":
                return otp.NextState(new)
            case _:
                return None


def node_options(arguments: list[str]) -> dict[str, Any]:
    """Return what a command line says of a node."""
    cookie_file, port, *more = arguments
    return {
        "cookie_file": cookie_file,
        "epmd": ("127.0.0.1", int(port)),
        "tick": float(more[0]) if more else 15.0,
        "insecure": "insecure" in more,
    }


async def main(name: str, *arguments: str) -> None:
    """Be a node with a desk, until stdin ends."""
    desk = otp.child(Desk).having(name="desk", restart="permanent")
    trapper = otp.child(Desk, trap=True).having(name="trapper", restart="permanent")
    async with (
        otp.cluster.open_node(name, **node_options(list(arguments))),
        otp.open_supervisor([desk, trapper], max_restarts=1000),
    ):
        sys.stdout.write("up\n")
        sys.stdout.flush()
        await trio.to_thread.run_sync(sys.stdin.read)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
