"""Both sides at once: connects that cross, strangers, storms; with Elixir and with one of ours."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio
from beam_kit import Beam, Epmd
from cluster_kit import HOST, LIMIT, eventually, open_desks
from desk import Desk

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

    from beam_kit import Orders

pytestmark = pytest.mark.interop


async def test_35_simultaneous_connect(
    beam: Beam, epmd: Epmd, cookie_file: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Two nodes that connect to each other at one moment, a hundred times: no call is lost."""
    async with beam.open(PY=name) as ex:
        await ex.run("Desk.start(:simultaneous)")
        for _ in range(100):
            async with open_desks(name, cookie_file, epmd):
                order = await ex.start("GenServer.call({:desk, PY}, {:add, 1, 2})")
                there = ("simultaneous", beam.name)
                assert await otp.call(there, (otp.cluster.Atom("add"), 3, 4)) == 7
                assert await order.result() == "3"
                assert otp.cluster.nodes() == [beam.name]
        await ex.run("GenServer.stop(:simultaneous)")
    assert "refused" not in caplog.text  # who gives way is no stranger


async def test_35_simultaneous_connect_of_ours(epmd: Epmd, cookie_file: Path, name: str) -> None:
    """The same between two of ours, which call each other as soon as they are there."""
    other = name.replace("py", "other")
    rounds = 100
    done: dict[str, int] = dict.fromkeys((name, other), 0)
    meet = [[trio.Event(), trio.Event()] for _ in range(rounds)]
    assert len(meet) == rounds
    import threading

    barrier = threading.Barrier(2)

    async def side(mine: str, theirs: str) -> None:
        for _ in range(rounds):
            async with open_desks(mine, cookie_file, epmd):
                await trio.to_thread.run_sync(barrier.wait, LIMIT)
                call = (otp.cluster.Atom("add"), 1, 2)
                assert await otp.call(("desk", theirs), call, timeout=LIMIT) == 3
                done[mine] += 1
                await trio.to_thread.run_sync(barrier.wait, LIMIT)

    def run_other() -> None:
        try:
            trio.run(side, other, name)
        finally:
            barrier.abort()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, run_other)
        try:
            await side(name, other)
        finally:
            barrier.abort() if done[name] < rounds else None
    assert done == {name: rounds, other: rounds}


async def test_36_wrong_cookie(
    epmd: Epmd, cookie_file: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A node with another cookie is refused, either way, and nothing else is hurt."""
    stranger = Beam(epmd, f"stranger_to_{name.partition('@')[0]}", cookie="other").wait_up()
    try:
        async with open_desks(name, cookie_file, epmd), stranger.open(PY=name) as ex:
            assert await ex.run("Node.ping(PY)") == ":pang"
            assert "has refused" in caplog.text
            assert "crumbs" not in caplog.text
            with pytest.raises(otp.NoConnection) as caught:
                await otp.call(("desk", stranger.name), 1)
            assert not caught.value.sent
            assert "crumbs" not in str(caught.value)
            assert await Desk.at("desk").add(1, 2) == 3
            assert otp.cluster.nodes() == []
    finally:
        stranger.close()


async def test_an_epmd_that_is_started_anew(beam: Beam, cookie_file: Path, name: str) -> None:
    """A node of ours registers again, as one of Elixir does, and is found again."""
    epmd = Epmd()
    try:
        async with open_desks(name, cookie_file, epmd):
            epmd.close()
            epmd = Epmd(epmd.port)
            await eventually(lambda: knows(epmd, name))
    finally:
        epmd.close()


async def knows(epmd: Epmd, name: str) -> bool:
    """Ask epmd for a node."""
    async with await trio.open_tcp_stream(HOST, epmd.port) as asked:
        alive = name.partition("@")[0].encode()
        await asked.send_all((len(alive) + 1).to_bytes(2, "big") + b"z" + alive)
        return bytes(await asked.receive_some())[1] == 0


async def test_38_reconnect_storm(ex: Orders, beam: Beam) -> None:
    """Whatever drops the connection, again and again: what arrives is in order, and once."""
    await ex.run("Desk.start(:storm)")
    order = await ex.start("""
    for n <- 1..200 do
      GenServer.cast({:desk, PY}, {:note, n})
      if rem(n, 5) == 0, do: Node.disconnect(PY)
      try do GenServer.call({:desk, PY}, {:add, n, 0}) catch :exit, _ -> :lost end
    end |> Enum.count(& &1 != :lost)
    """)
    there, answered = ("storm", beam.name), 0
    for number in range(200):
        otp.cast(there, number)
        if number % 7 == 0:
            otp.cluster.disconnect(beam.name)
        with suppress(otp.NoConnection):
            answered += await otp.call(there, (otp.cluster.Atom("add"), number, 0)) == number
    assert answered > 0
    assert int(await order.result()) > 0
    notes = await Desk.at("desk").log()
    theirs = await otp.call(there, otp.cluster.Atom("log"))
    for received in (notes, theirs):
        assert received == sorted(set(received))  # in order, and none twice
    await ex.run("GenServer.stop(:storm)")
