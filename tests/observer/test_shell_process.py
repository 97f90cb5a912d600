"""The process of a shell, and what else the observer runs in the loop of a program, in one run."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import trio
import trio.testing
from inside import runtime
from observer_kit import Server, client_here

import trio_otp as otp
from trio_otp.observer.acting import actions, shell
from trio_otp.observer.hub import Hub
from trio_otp.observer.session.protocol import Refused

SHOP = [otp.child(Server).having(name="shop")]
ENDED: list[str] = []  # by what has run


class Stubborn(otp.GenServer):
    """Takes its time to end."""

    def __init__(self, gate: trio.Event) -> None:
        self.gate = gate

    async def terminate(self, reason: object) -> None:
        await self.gate.wait()


def shells() -> list[otp.Pid[Any]]:
    return [pid for pid in otp.processes() if "shell" in str(pid)]


# -- a shell ---------------------------------------------------------------------------------------


async def test_an_input_is_refused_while_the_one_before_runs(autojump_clock: Any) -> None:
    """An interrupt makes room for it; one when nothing runs changes nothing."""
    async with client_here() as client:
        client.hub.actions = True
        assert (await client.ask("eval", source="await trio.sleep_forever()"))["running"]
        refused = await client.refused("eval", source="1 + 1")
        assert ("Busy", "the input before still runs") == refused
        result = await client.ask("eval", source="", interrupt=True)
        assert ("interrupted\n", False) == (result["output"], result["running"])
        result = await client.ask("eval", source="", interrupt=True)
        assert ("", False) == (result["output"], result["running"])
        assert "2\n" == (await client.ask("eval", source="1 + 1"))["output"]


async def test_a_shell_in_which_nothing_was_typed_has_no_process(autojump_clock: Any) -> None:
    async with client_here() as client:
        client.hub.actions = True
        before = otp.process_count()
        answer = {"output": "", "failed": False, "running": False, "over": False}
        assert answer == await client.ask("eval", source="")
        assert before == otp.process_count()


async def test_of_too_much_output_the_newest_is_shown(
    autojump_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that does not come for it fills no memory."""
    monkeypatch.setattr(shell, "KEPT", 10)
    async with client_here() as client:
        client.hub.actions = True
        source = "for number in range(100): print(f'line {number}')"
        assert "line 99\n" == (await client.ask("eval", source=source))["output"]
        source = "print('x' * 100)"
        assert 10 == len((await client.ask("eval", source=source))["output"])


async def test_an_input_for_a_process_that_has_just_ended_is_not_run(autojump_clock: Any) -> None:
    """It says that it is over; the next one has a new process."""
    async with client_here() as client:
        client.hub.actions = True
        await client.ask("eval", source="mine = 5")
        [pid] = shells()
        in_loop = client.hub.in_loop

        async def after_its_end(function: Any, seconds: float) -> Any:
            client.hub.in_loop = in_loop
            otp.exit(pid, otp.KILL)
            await otp.wait_down(pid)
            await trio.testing.wait_all_tasks_blocked()
            return await in_loop(function, seconds)

        client.hub.in_loop = after_its_end
        result = await client.ask("eval", source="print('run', mine)")
        assert (False, True) == (result["running"], result["over"])
        assert result["output"].startswith("the process of this shell has ended: ")
        assert "run" not in result["output"]
        assert "NameError" in (await client.ask("eval", source="mine"))["output"]


def test_what_runs_in_a_shell_ends_with_the_run(autojump_clock: Any) -> None:
    """It is cancelled as any task, without a word, and does not end the program in another way."""
    here = "__import__('sys').modules[{!r}].ENDED"
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setitem(sys.modules, "test_of_a_shell", sys.modules[__name__])
    source = f"""try:
    await trio.sleep_forever()
finally:
    {here.format("test_of_a_shell")}.append("input")
"""

    async def main() -> shell.Shell:
        typed = shell.Shell(Hub(runtime(), trio.lowlevel.current_trio_token()), "a test")
        assert (await typed.evaluate(source, interrupt=False))["running"]
        return typed

    ENDED.clear()
    typed = trio.run(main, clock=autojump_clock)
    monkeypatch.undo()
    assert ["input"] == ENDED
    assert "" == typed._output.take()


# -- actions ---------------------------------------------------------------------------------------


async def test_what_fails_in_the_loop_is_told_and_ends_nothing(autojump_clock: Any) -> None:
    async def fail() -> str:
        raise ZeroDivisionError("by this")

    async with otp.open_supervisor(SHOP), client_here() as client:
        shop = runtime().names["shop"]
        with pytest.raises(Refused, match=r"^ZeroDivisionError\('by this'\)$"):
            await actions.in_loop(client.hub, shop, fail, is_given_up=False)
        assert otp.is_alive("shop")


def test_what_goes_on_ends_with_the_run(autojump_clock: Any) -> None:
    """It is cancelled then."""

    async def go_on() -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            ENDED.append("cancelled")
            raise
        return "never"

    async def main() -> dict[str, Any]:
        async with otp.open_supervisor(SHOP), client_here() as client:
            shop = runtime().names["shop"]
            return await actions.in_loop(client.hub, shop, go_on, is_given_up=False)

    ENDED.clear()
    told = trio.run(main, clock=autojump_clock)
    assert {"done": False, "text": "there is no answer yet; it goes on"} == told
    assert ["cancelled"] == ENDED


async def test_a_supervisor_that_is_busy_is_waited_for(autojump_clock: Any) -> None:
    """The child that is to restart does nothing, and is not said to be busy."""
    gate = trio.Event()
    stubborn = otp.child(Stubborn, gate).having(name="stubborn", shutdown=float("inf"))
    async with (
        otp.open_supervisor([stubborn, *SHOP], name="top"),
        client_here() as client,
        trio.open_nursery() as nursery,
    ):
        client.hub.actions = True
        nursery.start_soon(otp.terminate_child, "top", "stubborn")
        await trio.testing.wait_all_tasks_blocked()
        old = otp.whereis("shop")
        result = await client.ask("act", ref="shop", action="restart", confirm="shop")
        assert {"done": False, "text": "there is no answer yet; it goes on"} == result
        gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert otp.whereis("shop") not in {old, None}
