"""The reply to INFO, in the sections and with the names of Redis, as far as they apply here.

The names are what monitoring asks for: `redis-cli --stat` shows some of them every second.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import trio_otp as otp

from .keyspaces import facts_of
from .repo import Repo

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .endpoint import Endpoint
    from .keyspace import Facts
    from .repo import Stats

VERSION: Final = "7.0.0"  # of the Redis whose replies these are; clients decide by it


@dataclass(slots=True)
class Counters:
    """What has happened since the start."""

    connections: int = 0  # that were served
    timed_out: int = 0
    commands: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    started_at: float = field(default_factory=time.monotonic)
    run_id: str = field(default_factory=lambda: uuid4().hex + uuid4().hex[:8])
    _second: int = 0  # the current second; then the commands in it and in the last
    _now: int = 0
    _before: int = 0

    def count(self, commands: int) -> None:
        """Count commands that were carried out."""
        self.commands += commands
        self._turn()
        self._now += commands

    @property
    def per_second(self) -> int:
        """Commands in the last whole second."""
        self._turn()
        return self._before

    def _turn(self) -> None:
        second = int(time.monotonic())
        if second != self._second:
            self._before = self._now if second == self._second + 1 else 0
            self._second, self._now = second, 0


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """What the sections are made of."""

    endpoint: Endpoint
    counts: otp.ConnectionCounts
    stats: Stats | None  # None while there is no Repo
    spaces: dict[int, Facts]

    @classmethod
    async def take(cls, endpoint: Endpoint) -> _Snapshot:
        stats: Stats | None = None
        with suppress(otp.OtpError):
            stats = await Repo.stats(Repo)
        # A keyspace that was not used since the store was opened is as it was then.
        spaces = dict(stats.sizes) if stats else {}
        for number in range(endpoint.settings.keyspaces):
            if facts := await facts_of(number):
                spaces[number] = facts
        counts = otp.ConnectionSupervisor.counts(endpoint.name)
        return cls(endpoint, counts, stats, spaces)


async def describe(endpoint: Endpoint, sections: Sequence[str] = ()) -> bytes:
    """Describe the service.

    Args:
        endpoint: whose clients ask.
        sections: the names of those that are wanted; none means all.
    """
    everything = not sections or not _ALL.isdisjoint(sections)
    snapshot = await _Snapshot.take(endpoint)
    wanted = [name for name in _SECTIONS if everything or name.lower() in sections]
    return "\r\n".join(_section(name, _SECTIONS[name](snapshot)) for name in wanted).encode()


def _section(name: str, facts: dict[str, object]) -> str:
    lines = [f"# {name}", *(f"{key}:{value}" for key, value in facts.items())]
    return "".join(f"{line}\r\n" for line in lines)


def _server(snapshot: _Snapshot) -> dict[str, object]:
    counters = snapshot.endpoint.counters
    seconds = int(time.monotonic() - counters.started_at)
    return {
        "redis_version": VERSION,
        "redis_mode": "standalone",
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "arch_bits": 64 if sys.maxsize > 2**32 else 32,
        "python_version": platform.python_version(),
        "process_id": os.getpid(),
        "run_id": counters.run_id,
        "tcp_port": snapshot.endpoint.port,
        "server_time_usec": time.time_ns() // 1000,
        "uptime_in_seconds": seconds,
        "uptime_in_days": seconds // 86400,
    }


def _clients(snapshot: _Snapshot) -> dict[str, object]:
    return {
        "connected_clients": snapshot.counts.active,
        "maxclients": snapshot.endpoint.settings.max_clients,
        "blocked_clients": 0,
        "client_memory": snapshot.endpoint.memory.used,
        "max_client_memory": snapshot.endpoint.settings.max_client_memory,
    }


def _memory(_: _Snapshot) -> dict[str, object]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    used = _resident() or peak
    return {
        "used_memory": used,
        "used_memory_human": _human(used),
        "used_memory_rss": used,
        "used_memory_peak": peak,
        "used_memory_peak_human": _human(peak),
        "maxmemory": 0,
        "maxmemory_policy": "noeviction",
    }


def _persistence(snapshot: _Snapshot) -> dict[str, object]:
    stats = snapshot.stats
    if stats is None:
        return {"loading": 1}
    deeds = {deed for deed, _ in stats.faults}
    return {
        "loading": 0,
        "aof_enabled": 1,
        "aof_last_write_status": "err" if "writing" in deeds else "ok",
        "last_load_status": "err" if "reading" in deeds else "ok",
        "commits": stats.commits,
        "operations": stats.operations,
        "callers_waiting": stats.waiting,
    }


def _stats(snapshot: _Snapshot) -> dict[str, object]:
    counters = snapshot.endpoint.counters
    spaces = snapshot.spaces.values()
    return {
        "total_connections_received": snapshot.counts.accepted,
        "total_commands_processed": counters.commands,
        "instantaneous_ops_per_sec": counters.per_second,
        "total_net_input_bytes": counters.bytes_in,
        "total_net_output_bytes": counters.bytes_out,
        "rejected_connections": snapshot.counts.refused,
        "disconnected_connections": snapshot.counts.disconnected,
        "timed_out_connections": counters.timed_out,
        "evicted_clients": snapshot.endpoint.memory.evicted,
        "evicted_keys": 0,
        "expired_keys": sum(space.expired for space in spaces),
        "keyspace_hits": sum(space.hits for space in spaces),
        "keyspace_misses": sum(space.misses for space in spaces),
    }


def _replication(_: _Snapshot) -> dict[str, object]:
    return {"role": "master", "connected_slaves": 0}


def _cpu(_: _Snapshot) -> dict[str, object]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "used_cpu_sys": f"{usage.ru_stime:.6f}",
        "used_cpu_user": f"{usage.ru_utime:.6f}",
    }


def _keyspace(snapshot: _Snapshot) -> dict[str, object]:
    return {
        f"db{number}": f"keys={space.keys},expires={space.expires},avg_ttl=0"
        for number, space in sorted(snapshot.spaces.items())
        if space.keys
    }


_ALL: Final = {"all", "default", "everything"}
_SECTIONS: Final[dict[str, Callable[[_Snapshot], dict[str, object]]]] = {
    "Server": _server,
    "Clients": _clients,
    "Memory": _memory,
    "Persistence": _persistence,
    "Stats": _stats,
    "Replication": _replication,
    "CPU": _cpu,
    "Keyspace": _keyspace,
}


def _resident() -> int | None:
    """Return how many bytes of the process are in memory; None where the system has no /proc."""
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return pages * resource.getpagesize()
    return None


def _human(size: float) -> str:
    """Write a number of bytes as Redis does, for example 1.50M."""
    for unit in ("B", "K", "M"):
        if size < 1024:
            return f"{size:.2f}{unit}"
        size /= 1024
    return f"{size:.2f}G"
