"""The tools of Redis itself against the service, unchanged.

They are tests only where the tools are installed (Debian: `apt-get install redis-tools`); what
the service answers is tested without them in `test_endpoint.py`.
"""

from __future__ import annotations

import os
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

    async def test_redis_cli_scans(service: Service, redis: Client) -> None:
        """Its option --scan lists all keys, or those of a pattern."""
        await redis.ask_all([("SET", f"k{n}", n) for n in range(100)])
        output = await run_tool(service, "redis-cli", "--scan")
        assert {f"k{n}" for n in range(100)} == set(output.split())
        output = await run_tool(service, "redis-cli", "--scan", "--pattern", "k?7")
        assert {f"k{n}7" for n in range(1, 10)} == set(output.split())
        assert "k42\n" == await run_tool(service, "redis-cli", "KEYS", "k42*")

    async def test_redis_cli_shows_figures(service: Service, redis: Client) -> None:
        """Its option --stat finds keys, memory, clients and requests in INFO."""
        await redis.ask_all([("SET", f"k{n}", n) for n in range(7)])
        master, terminal = os.openpty()  # it keeps to itself what it writes into a pipe
        command = ["redis-cli", "-p", str(service.port), "--stat"]
        process = await trio.lowlevel.open_process(command, stdout=terminal)
        text = b""
        async with trio.lowlevel.FdStream(master) as output:
            while text.count(b"\n") < 3:
                text += await output.receive_some()
            process.terminate()
            await process.wait()
            os.close(terminal)

        keys, memory, clients, blocked, requests, *_ = text.splitlines()[2].split()
        assert (b"7", b"2", b"0") == (keys, clients, blocked)
        assert memory.endswith(b"M")
        assert int(requests) >= 7

    async def test_redis_cli_gives_a_password(stopped: Service) -> None:
        """Its option -a is an AUTH; without it, each command is refused."""
        async with stopped.run(requirepass="secret"):
            assert "NOAUTH Authentication required.\n\n" == (
                await run_tool(stopped, "redis-cli", "PING")
            )
            arguments = ["--no-auth-warning", "-a", "secret", "SET", "k", "v"]
            assert await run_tool(stopped, "redis-cli", *arguments) == "OK\n"
            arguments = ["--no-auth-warning", "-a", "wrong", "PING"]
            output = await run_tool(stopped, "redis-cli", *arguments)
            assert output.startswith("AUTH failed: WRONGPASS invalid username-password pair")

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

    @pytest.mark.sampled(1)
    @pytest.mark.parametrize("pipeline", ["1", "16"])
    async def test_redis_benchmark(service: Service, pipeline: str) -> None:
        """Its 50 clients are served to the end, without a warning or an error."""
        arguments = ["-t", "ping,set,get,incr", "-n", "500", "-P", pipeline, "--csv"]
        output = await run_tool(service, "redis-benchmark", *arguments)

        names = [line.partition(",")[0].strip('"') for line in output.splitlines()]
        assert ["test", "PING_INLINE", "PING_MBULK", "SET", "GET", "INCR"] == names
