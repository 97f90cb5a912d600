"""The client that most Python programs use, redis-py, against the service, with its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import redis
import trio

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Service


async def with_client(service: Service, use: Callable[[Any], object], **options: Any) -> Any:
    """Connect a client in a thread, which may take a few seconds, and give what `use` returns."""
    port = service.port

    def run() -> object:
        with redis.Redis(port=port, socket_timeout=5, retry=None, **options) as client:
            return use(client)

    return await trio.to_thread.run_sync(run)


async def test_connects_with_its_defaults(service: Service) -> None:
    """It begins with HELLO 3 and with what it says about itself; nothing of that is refused."""
    assert await with_client(service, lambda client: client.ping()) is True
    assert await with_client(service, lambda client: client.execute_command("HELLO")) == {
        b"server": b"redis",
        b"version": b"7.0.0",
        b"proto": 3,
        b"id": 2,
        b"mode": b"standalone",
        b"role": b"master",
        b"modules": [],
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"protocol": 2},
        {"protocol": 3},
        {"client_name": "me", "db": 3, "decode_responses": False},
        {"username": "default", "password": "secret"},
    ],
    ids=str,
)
async def test_what_it_stores_it_reads(service: Service, options: dict[str, Any]) -> None:
    """Values, numbers, ends, nothing and settings mean the same in both versions."""

    def use(client: Any) -> None:
        assert client.set("k", b"\r\n\0\xff") is True
        assert client.get("k") == b"\r\n\0\xff"
        assert client.get("absent") is None
        assert client.set("k", "w", nx=True) is None
        assert client.incrby("n", 40) == 40
        assert client.incr("n") == 41
        assert client.decrby("n", 2) == 39
        assert client.expire("n", 100) in (1, True)
        assert client.ttl("n") == 100
        assert client.exists("k", "n", "absent") == 2
        assert client.config_get("databases") in ({"databases": "16"}, {b"databases": b"16"})
        assert client.info()["connected_clients"] >= 1
        with pytest.raises(redis.ResponseError, match="not an integer"):
            client.incrby("k", 1)

    await with_client(service, use, **options)


async def test_pipeline(service: Service) -> None:
    """Many commands that are sent together are answered in their order, errors among them."""

    def use(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        for number in range(500):
            pipeline.set(f"k{number}", number).get(f"k{number}").incrby("sum", number)
        pipeline.get("absent").execute_command("FLY")
        return pipeline.execute(raise_on_error=False)

    replies = await with_client(service, use)

    expected: list[object] = []
    for number in range(500):
        expected += [True, b"%d" % number, number * (number + 1) // 2]
    assert [*expected, None] == replies[:-1]
    assert isinstance(replies[-1], redis.ResponseError)


async def test_wrong_user_is_told_so(service: Service) -> None:
    """Its `AuthenticationError` comes through."""
    with pytest.raises(redis.AuthenticationError):
        await with_client(service, lambda client: client.ping(), username="me", password="x")


async def test_password(stopped: Service) -> None:
    """A client with the password is served, one without or with another is told so."""
    async with stopped.run(requirepass="secret"):
        for protocol in (2, 3):
            for user in (None, "default"):
                options = {"username": user, "password": "secret", "protocol": protocol}
                assert await with_client(stopped, lambda client: client.ping(), **options)
            with pytest.raises(redis.AuthenticationError):
                await with_client(stopped, lambda client: client.ping(), protocol=protocol)
            with pytest.raises(redis.AuthenticationError, match="invalid username-password pair"):
                await with_client(
                    stopped, lambda client: client.ping(), password="no", protocol=protocol
                )


async def test_info(service: Service) -> None:
    """It parses INFO."""

    def use(client: Any) -> None:
        client.set("k", "v", ex=100)
        facts = client.info()
        assert facts["db0"] == {"keys": 1, "expires": 1, "avg_ttl": 0}
        assert facts["redis_version"] == "7.0.0"
        assert facts["used_memory"] > 0
        assert list(client.info("replication")) == ["role", "connected_slaves"]

    await with_client(service, use)


async def test_redis_py_iterates(service: Service) -> None:
    """Its `scan_iter` and `keys` do what they do with Redis, in both versions of the protocol."""

    def use(client: Any) -> None:
        for n in range(50):
            client.set(f"k{n}", n)
        assert {b"k%d" % n for n in range(50)} == set(client.scan_iter(count=7))
        assert {b"k%d" % n for n in range(40, 50)} == set(client.scan_iter(match="k4?"))
        assert {b"k%d" % n for n in range(50)} == set(client.scan_iter(_type="STRING"))
        assert [] == list(client.scan_iter(_type="HASH"))
        assert {b"k7", b"k8"} == set(client.keys("k[78]"))
        with pytest.raises(redis.ResponseError, match="invalid cursor"):
            client.execute_command("SCAN", "no")

    for protocol in (2, 3):
        await with_client(service, use, protocol=protocol)
