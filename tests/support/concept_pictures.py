"""The pictures of docs/concepts/supervision.md, drawn by the library from supervisors that run.

`python tests/support/concept_pictures.py` writes them anew.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FOLDER: Final = Path(__file__).parents[2] / "docs" / "concepts" / "images"
STRATEGIES: Final = ("one_for_one", "one_for_all", "rest_for_one")
RESTARTS: Final = ("permanent", "transient", "temporary")


class Part(otp.GenServer):
    """A part of a shop, which ends as it is told."""

    @otp.on_cast
    def end(self, reason: object) -> otp.Stop:
        """End with a reason."""
        return otp.Stop(reason)


def drawn() -> dict[str, str]:
    """Return the pictures, by the names of their files."""
    pictures: dict[str, str] = {}
    for strategy in STRATEGIES:
        before, after = _run(_by_strategy, strategy)
        pictures |= {"before": before} if strategy == "one_for_one" else {}
        pictures[strategy] = after
    pictures["restarts-before"], pictures["restarts-normal"] = _run(_by_restart, otp.NORMAL)
    pictures["restarts-crash"] = _run(_by_restart, "broken")[1]
    return {f"{name}.svg": f"{text}\n" for name, text in pictures.items()}


def _run(draw: Callable[[Any], Awaitable[list[str]]], how: object) -> list[str]:
    return trio.run(draw, how, clock=MockClock(autojump_threshold=0))


async def _by_strategy(strategy: str) -> list[str]:
    """Draw a supervisor before and after its second child crashes."""
    children = [otp.child(Part).having(name=name) for name in ("stock", "prices", "orders")]
    async with otp.open_supervisor(children, strategy=strategy, name="shop"):
        return [_tree(), await _when_ended({"prices": ValueError("no price")})]


async def _by_restart(reason: object) -> list[str]:
    """Draw a supervisor before and after all its children, of each type, end with a reason."""
    children = [otp.child(Part).having(name=name, restart=name) for name in RESTARTS]
    async with otp.open_supervisor(children, name="shop"):
        return [_tree(), await _when_ended(dict.fromkeys(RESTARTS, reason))]


async def _when_ended(reasons: dict[str, object]) -> str:
    """End children, and draw what their supervisor has made of it."""
    for name, reason in reasons.items():
        Part.at(name).end(reason)
        await wait_all_tasks_blocked()  # one after the other, or the pids are at random
    return _tree()


def _tree() -> str:
    return str(otp.tree("shop", output="svg"))


if __name__ == "__main__":
    logging.disable()
    for name, text in drawn().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
