"""Publish and subscribe over a registry with duplicate keys.

Any number of processes register under a topic, each with a value of its own, and a publisher sends
to all of them. Nobody unsubscribes the dead: entries are gone before anyone hears of a death.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import trio

import trio_otp as otp

TOPICS = otp.registry("Topics")


@dataclass(frozen=True)
class Goal:
    """A message. Frozen, because all who receive it get the same object."""

    team: str
    minute: int


class Fan(otp.GenServer):
    def __init__(self, name: str, team: str, language: str) -> None:
        self.name = name
        self.seen: list[str] = []
        TOPICS.register(team, language)

    @otp.on_info(Goal)
    def goal(self, goal: Goal) -> None:
        self.seen.append(f"goal in minute {goal.minute}")

    @otp.on_info(str)
    def read(self, text: str) -> None:
        self.seen.append(text)

    @otp.on_call
    async def report(self) -> str:
        return f"{self.name}: {', '.join(self.seen) or 'nothing'}"


def greet(entries: list[tuple[otp.Pid, Any]]) -> None:
    """Send each subscriber what its own value asks for."""
    for pid, language in entries:
        otp.send(pid, {"de": "hallo", "fr": "salut"}[language])


async def main() -> None:
    fans = [("Ida", "blue", "de"), ("Luc", "blue", "fr"), ("Max", "red", "de")]
    children = [
        otp.child(otp.Registry, keys="duplicate").having(name="Topics"),
        *(otp.child(Fan, *fan).having(name=fan[0], restart="temporary") for fan in fans),
    ]
    async with otp.open_supervisor(children):
        print("reached:", TOPICS.send("blue", Goal("blue", 12)))
        TOPICS.dispatch("blue", greet)
        for name in ("Ida", "Luc", "Max"):
            print(await Fan.at(name).report())

        await otp.stop("Luc")
        print("reached without Luc:", TOPICS.send("blue", Goal("blue", 80)))


if __name__ == "__main__":
    trio.run(main)
