"""The messages of the protocol, as real programs say them: what page and commands are tested with.

`python tests/support/observer_messages.py` writes `tests/data/observer/messages.jsonl` anew: one
message of each kind on a line, with the question that it answers.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import trio
import trio.testing

FILE: Final = Path(__file__).parents[1] / "data" / "observer" / "messages.jsonl"
QUESTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"ask": "overview"},
    {"ask": "rows", "sort": "queue", "descending": True, "filter": "", "first": 0, "count": 50},
    {"ask": "tree", "everything": True},
    {"ask": "info", "ref": "till"},
    {"ask": "info", "ref": "top"},
    {"ask": "problems"},
    {"ask": "stacks"},
    {"ask": "crashes"},
    {"ask": "loop"},
    {"ask": "url"},
    {"ask": "rows", "filter": "q>"},
    {"ask": "info", "ref": "nobody"},
    {"ask": "act", "action": "kill", "ref": "shop", "confirm": "shop"},
)


async def messages() -> list[dict[str, Any]]:
    """Return `{"question": ..., "message": ...}` for each kind, of a program made for it."""
    from observer_kit import Server, client_at

    import trio_otp as otp

    event = trio.Event()
    children = [otp.child(Server).having(name=name) for name in ("shop", "till", "safe")]
    found: list[dict[str, Any]] = []
    async with (
        otp.open_supervisor(children, name="top", max_restarts=5, max_seconds=60),
        trio.open_nursery() as nursery,
    ):
        seen = await otp.observer.serve(nursery=nursery, port=None)
        for _ in range(3):
            otp.exit("safe", ValueError("burnt"))
            await trio.testing.wait_all_tasks_blocked()
        Server.at("shop").crash()
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(Server.at("shop", timeout=None).ask, "till", event)
        await trio.testing.wait_all_tasks_blocked()
        Server.note("till", 1)
        assert seen.socket is not None
        async with client_at(seen.socket) as client:
            found.append({"question": None, "message": {"hello": client.hello}})
            for question in QUESTIONS:
                ask, arguments = question["ask"], {k: v for k, v in question.items() if k != "ask"}
                number = await client.say(ask, **arguments)
                asked = {"id": number, **question}
                found.append({"question": asked, "message": await client.answer(number)})
        event.set()
        nursery.cancel_scope.cancel()
    return found


def main() -> None:
    """Write the file."""
    logging.disable()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["XDG_RUNTIME_DIR"] = directory
        found = trio.run(messages)
    FILE.parent.mkdir(exist_ok=True)
    text = "".join(f"{json.dumps(each)}\n" for each in found)
    FILE.write_text(without_places(text), encoding="utf-8")


def without_places(text: str) -> str:
    """Leave out where on this machine the files are, and other secrets of it."""
    text = text.replace(f"{Path(trio.__file__).parents[1]}/", "site-packages/")
    text = text.replace(f"{Path(os.__file__).parent}/", "lib/")
    return text.replace(f"{Path(__file__).parents[2]}/", "")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main()
