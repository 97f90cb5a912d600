"""Strangers at the door of a node: what they get, and that nobody else notices."""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
import trio
from cluster_kit import HOST, LIMIT, open_desks
from desk import Desk

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path

    from beam_kit import Beam, Epmd
    from cluster_kit import Tls

pytestmark = pytest.mark.interop

GARBAGE = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\0\0",
    b"\0\1N",
    b"\xff\xff" + bytes(100),
    b"\0\x07n\0\6\0\0\0\0",
    bytes(range(256)) * 300,
]


async def port_of(epmd: Epmd, name: str) -> int:
    """Ask epmd where a node listens."""
    asked = await trio.open_tcp_stream(HOST, epmd.port)
    async with asked:
        alive = name.partition("@")[0].encode()
        await asked.send_all((len(alive) + 1).to_bytes(2, "big") + b"z" + alive)
        return int.from_bytes(bytes(await asked.receive_some())[2:4], "big")


async def read_to_the_end(stream: trio.abc.Stream) -> None:
    """Read until the other side has closed."""
    try:
        while await stream.receive_some():
            pass
    except trio.BrokenResourceError:  # it has not read what we have sent
        pass


async def serves(beam: Beam) -> None:
    """Check that a node of the cluster is served as ever."""
    async with beam.open() as ex:
        code = f"GenServer.call({{:desk, :'{otp.cluster.node()}'}}, {{:add, 1, 2}})"
        assert await ex.run(code) == "3"


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
async def test_36_garbage(  # noqa: PLR0917 - fixtures
    beam: Beam, epmd: Epmd, cookie_file: Path, name: str, garbage: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Who speaks another language is cut off and logged, and others are served."""
    async with open_desks(name, cookie_file, epmd):
        async with await trio.open_tcp_stream(HOST, await port_of(epmd, name)) as stream:
            with suppress(trio.BrokenResourceError):  # it may have been enough
                await stream.send_all(garbage)
                await stream.send_eof()
            await read_to_the_end(stream)
        await serves(beam)
    assert "has refused" in caplog.text
    assert "crumbs" not in caplog.text


async def test_36_a_slow_handshake(
    beam: Beam, epmd: Epmd, cookie_file: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred that say nothing keep nobody out for long: after seven seconds they are gone."""
    async with open_desks(name, cookie_file, epmd):
        port = await port_of(epmd, name)
        began = trio.current_time()
        streams = [await trio.open_tcp_stream(HOST, port) for _ in range(99)]
        await streams[0].send_all(b"\0")
        await serves(beam)
        async with trio.open_nursery() as nursery:
            for stream in streams:
                nursery.start_soon(read_to_the_end, stream)
        assert 6 < trio.current_time() - began < LIMIT
        for stream in streams:
            await stream.aclose()
    assert caplog.text.count("has refused") == 99


async def test_36_too_many(
    epmd: Epmd, cookie_file: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """More half-open connections than a hundred are refused at once."""
    async with open_desks(name, cookie_file, epmd):
        port = await port_of(epmd, name)
        streams = [await trio.open_tcp_stream(HOST, port) for _ in range(100)]
        with trio.fail_after(LIMIT):
            extra = [await trio.open_tcp_stream(HOST, port) for _ in range(5)]
            for stream in extra:
                await read_to_the_end(stream)
        for stream in [*streams, *extra]:
            await stream.aclose()
        assert await Desk.at("desk").add(1, 2) == 3
    assert "there are 100 unfinished handshakes" in caplog.text


@pytest.mark.parametrize("kind", ["plain", "no certificate", "another authority"])
async def test_36_no_certificate(  # noqa: PLR0917 - fixtures
    tls_beam: Beam, epmd: Epmd, cookie_file: Path, name: str, tls: Tls, kind: str,
    tmp_path: Path, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """Over TLS nobody comes in without a certificate of the authority."""
    async with open_desks(name, cookie_file, epmd, tls=tls.contexts):
        stream: Any = await trio.open_tcp_stream(HOST, await port_of(epmd, name))
        if kind == "plain":
            await stream.send_all(b"\0\x0bn" + bytes(10))
        else:
            context = ssl.create_default_context(cafile=tls.ca)
            if kind == "another authority":
                from cluster_kit import Tls as Other

                other = Other(tmp_path)
                context.load_cert_chain(other.cert, other.key)
            stream = trio.SSLStream(stream, context, server_hostname=HOST, https_compatible=True)
            await stream.do_handshake()
            await stream.send_all(b"\0\0\0\x0bn" + bytes(10))
        await read_to_the_end(stream)
        await trio.aclose_forcefully(stream)
        await serves(tls_beam)
    assert "has refused" in caplog.text


async def test_36_an_elixir_without_tls(
    beam: Beam, epmd: Epmd, cookie_file: Path, name: str, tls: Tls
) -> None:
    """A node that knows the cookie and shows no certificate does not come in."""
    async with open_desks(name, cookie_file, epmd, tls=tls.contexts), beam.open(PY=name) as ex:
        assert await ex.run("Node.ping(PY)") == ":pang"
        with pytest.raises(otp.NoConnection) as caught:
            await otp.call(("desk", beam.name), 1)
        assert not caught.value.sent
