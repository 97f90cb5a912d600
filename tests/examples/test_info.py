"""INFO: what operators and their tools read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from worker_kit import kill

import trio_otp as otp
from examples.cache_service.app import TOP
from examples.cache_service.info import Counters, _human
from examples.cache_service.repo import Repo

if TYPE_CHECKING:
    from conftest import Service

    from examples.cache_service.client import Client


async def sections(redis: Client, *names: str) -> dict[str, dict[str, str]]:
    """Request sections of INFO, and parse them."""
    text = await redis.ask("INFO", *names)
    assert isinstance(text, bytes)
    found: dict[str, dict[str, str]] = {}
    for part in text.decode().split("\r\n\r\n") if text else []:
        head, *lines = part.removesuffix("\r\n").split("\r\n")
        found[head.removeprefix("# ")] = dict(line.split(":", 1) for line in lines)
    return found


async def test_sections_are_those_of_redis(redis: Client) -> None:
    """All by default, or those that are named in any case; what is unknown is left out."""
    names = [
        "Server",
        "Clients",
        "Memory",
        "Persistence",
        "Stats",
        "Replication",
        "CPU",
        "Keyspace",
    ]
    for ask in ([], ["all"], ["everything"], ["default", "cpu"]):
        assert names == list(await sections(redis, *ask))
    assert ["Server", "CPU"] == list(await sections(redis, "cpu", "SERVER", "modules"))
    assert {} == await sections(redis, "modules")


async def test_what_happens_is_counted(service: Service, redis: Client) -> None:
    """Commands, bytes, hits, misses, entries with an end: each in the section of Redis."""
    await redis.ask_all(
        [
            ("SET", "a", 1, "EX", 100),
            ("SET", "b", 1),
            ("GET", "a"),
            ("EXISTS", "a", "x"),
            ("TTL", "y"),
            ("FLY",),
            ("SELECT", 3),
            ("SET", "c", 1),
        ]
    )
    async with await service.connect():
        facts = await sections(redis)

    assert {
        "db0": "keys=2,expires=1,avg_ttl=0",
        "db3": "keys=1,expires=0,avg_ttl=0",
    } == facts["Keyspace"]
    stats = facts["Stats"]
    assert ("2", "8") == (stats["total_connections_received"], stats["total_commands_processed"])
    assert ("2", "2") == (stats["keyspace_hits"], stats["keyspace_misses"])
    assert 200 < int(stats["total_net_input_bytes"]) < 400
    assert 30 < int(stats["total_net_output_bytes"]) < 400
    assert str(os.getpid()) == facts["Server"]["process_id"]
    assert str(service.port) == facts["Server"]["tcp_port"]
    assert ("ok", "3") == (
        facts["Persistence"]["aof_last_write_status"],
        facts["Persistence"]["operations"],
    )
    assert 10_000_000 < int(facts["Memory"]["used_memory"]) < 10_000_000_000


async def test_keyspaces_are_counted_before_their_use(stopped: Service) -> None:
    """After a restart INFO tells of what is stored, though no keyspace has been loaded."""
    async with stopped.run(), await stopped.connect() as redis:
        await redis.ask_all([("SET", "a", 1), ("SET", "b", 1, "EX", 100)])
    async with stopped.run(), await stopped.connect() as redis:
        assert {"db0": "keys=2,expires=1,avg_ttl=0"} == (await sections(redis))["Keyspace"]


async def test_without_a_repo_it_is_loading(redis: Client) -> None:
    """INFO is answered while parts of the service are missing."""
    await otp.terminate_child(TOP, Repo)
    assert {"loading": "1"} == (await sections(redis, "persistence"))["Persistence"]
    await otp.restart_child(TOP, Repo)
    assert (await sections(redis, "persistence"))["Persistence"]["loading"] == "0"
    await kill(Repo)


def test_rate_is_that_of_the_last_full_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told as soon as the second is over, and is nothing after a second of silence."""
    now = 100.2
    monkeypatch.setattr("examples.cache_service.info.time.monotonic", lambda: now)
    counters = Counters()
    counters.count(5)
    counters.count(2)
    assert counters.per_second == 0
    now = 101.9
    counters.count(1)
    assert counters.per_second == 7
    now = 102.0
    assert counters.per_second == 1
    now = 104.0
    assert counters.per_second == 0
    assert counters.commands == 8


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.00B"), (1023, "1023.00B"), (1536, "1.50K"), (2**21, "2.00M"), (2**40, "1024.00G")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    """As Redis writes them."""
    assert text == _human(size)
