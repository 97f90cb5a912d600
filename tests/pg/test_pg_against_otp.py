"""Random operations that Erlang's pg has run: here the same is seen.

`data/random_pg.exs` made `data/random_pg.json` with OTP 25: operations, each with its result, the
members of both groups, the groups there are, and the messages of a monitor of a group and of one of
the scope.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import trio
import trio.testing
from inside import process_of
from paths import DATA

import trio_otp as otp

CASES = json.loads((DATA / "random_pg.json").read_text("utf-8"))


class Run:
    """A scope with its members, by their numbers, and two monitors."""

    def __init__(self) -> None:
        self.members = {number: self._idle() for number in range(3)}
        self.one, _ = otp.pg.monitor("scope", "g")
        self.all, _ = otp.pg.monitor_scope("scope")

    def _idle(self) -> otp.Pid[Any]:
        return otp.spawn(trio.sleep_forever)

    async def step(self, operation: list[Any]) -> list[Any]:
        name, group, who = operation
        numbers = {pid: number for number, pid in self.members.items()}
        pids = [self.members[number] for number in who]
        result = "ok"
        if name == "join":
            otp.pg.join("scope", group, pids)
        elif name == "leave":
            result = "ok" if otp.pg.leave("scope", group, pids) else "not_joined"
        else:
            otp.exit(pids[0], otp.KILL)
            self.members[who[0]] = self._idle()
        await trio.testing.wait_all_tasks_blocked()
        seen = [sorted(numbers[p] for p in otp.pg.get_members("scope", g)) for g in ("g", "h")]
        return [operation, result, seen, sorted(otp.pg.which_groups("scope")), self._told(numbers)]

    def _told(self, numbers: dict[Any, int]) -> list[Any]:
        process = process_of(otp.self())
        return [
            [
                "group" if message.ref is self.one else "scope",
                {otp.pg.Joined: "join", otp.pg.Left: "leave"}[type(message)],
                message.group,
                [numbers[pid] for pid in message.pids],
            ]
            for message in process.mailbox.drain()
        ]


def seen(steps: list[Any]) -> list[Any]:
    """Leave out the order among groups in which somebody who died has left them."""
    return [[*step[:4], sorted(step[4]) if step[0][0] == "kill" else step[4]] for step in steps]


@pytest.mark.parametrize("number", range(len(CASES)))
async def test_random_operations_show_what_they_show_in_otp(number: int) -> None:
    """Results, members, groups and messages are those of pg, in their order."""
    async with otp.open_process():
        await otp.start_link(otp.child(otp.pg.Scope).having(name="scope"))
        run = Run()
        actual = [await run.step(step[0]) for step in CASES[number]]

    assert seen(CASES[number]) == seen(actual)


def test_the_operations_do_everything_there_is_to_do() -> None:
    """Each is there often, also leaving a group one is not in, and dying in several."""
    steps = [step for case in CASES for step in case]
    names = Counter((step[0][0], step[1]) for step in steps)

    assert {("join", "ok"), ("leave", "ok"), ("leave", "not_joined"), ("kill", "ok")} == set(names)
    assert min(names.values()) > 40
    assert 20 < sum(step[0][0] == "kill" and len(step[4]) > 2 for step in steps)
