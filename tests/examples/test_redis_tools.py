"""The tools of Redis itself against the service, unchanged.

They are tests only where the tools are installed (Debian: `apt-get install redis-tools`); what
the service answers is tested without them in `test_endpoint.py`.
"""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
import trio

if TYPE_CHECKING:
    from conftest import Service

    from examples.cache_service.client import Client


async def run_tool(service: Service, tool: str, *arguments: str, stdin: bytes = b"") -> str:
    """Run a tool; it must end well and say nothing on stderr. Give its output."""
    done = await trio.run_process(
        [tool, "-p", str(service.port), *arguments],
        stdin=stdin,
        capture_stdout=True,
        stderr=subprocess.STDOUT,
    )
    return done.stdout.decode()


if shutil.which("redis-cli"):

    async def test_redis_cli(service: Service) -> None:
        """A person at redis-cli gets what Redis would answer."""
        script = "PING\nSET k 'a b' EX 100\nGET k\nTTL k\nINCR n\nINCR k\nFLY\nDBSIZE"
        output = await run_tool(service, "redis-cli", stdin=script.encode())

        assert [
            "PONG",
            "OK",
            "a b",
            "100",
            "1",
            "ERR value is not an integer or out of range",
            "",
            "ERR unknown command 'FLY', with args beginning with: ",
            "",
            "2",
        ] == output.splitlines()

    async def test_redis_cli_chooses_a_keyspace(service: Service, redis: Client) -> None:
        """Its option -n is a SELECT, and -e makes an error its exit status."""
        assert await run_tool(service, "redis-cli", "-n", "3", "SET", "k", "three") == "OK\n"
        await redis.ask("SELECT", 3)
        assert await redis.ask("GET", "k") == b"three"
        with pytest.raises(subprocess.CalledProcessError):
            await run_tool(service, "redis-cli", "-e", "-n", "3", "INCR", "k")

    async def test_redis_cli_loads_an_export(service: Service, redis: Client) -> None:
        """What EXPORT has written goes back in through `redis-cli --pipe`."""
        path = trio.Path(service.exports / "out.resp")
        await redis.ask_all([("SET", f"k{n}", bytes([n % 256])) for n in range(1000)])
        await redis.ask("EXPORT", path.name)
        data = await path.read_bytes()
        output = await run_tool(service, "redis-cli", "-n", "1", "--pipe", stdin=data)

        assert "errors: 0, replies: 1000" in output
        await redis.ask("SELECT", 1)
        assert await redis.ask("DBSIZE") == 1000


if shutil.which("redis-benchmark"):

    @pytest.mark.parametrize("pipeline", ["1", "16"])
    async def test_redis_benchmark(service: Service, pipeline: str) -> None:
        """Its 50 clients are served to the end, without a warning or an error."""
        arguments = ["-t", "ping,set,get,incr", "-n", "500", "-P", pipeline, "--csv"]
        output = await run_tool(service, "redis-benchmark", *arguments)

        names = [line.partition(",")[0].strip('"') for line in output.splitlines()]
        assert ["test", "PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"] == names
