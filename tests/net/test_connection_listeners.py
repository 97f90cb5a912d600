"""What a `ConnectionSupervisor` is given: its listeners, a bound, and what it does not accept."""

from __future__ import annotations

import errno
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.lowlevel
from net_kit import LIMIT, Memory, connect, opens, service, shout, until

import trio_otp as otp

if TYPE_CHECKING:
    from pathlib import Path


counts = otp.ConnectionSupervisor.counts
connections = otp.ConnectionSupervisor.connections


async def test_a_port_that_is_taken_is_a_failed_start() -> None:
    """The error of the operating system is the reason, and nothing is left."""
    [taken] = await opens()
    async with taken:
        port = taken.socket.getsockname()[1]
        wanted = service(shout, opens=partial(trio.open_tcp_listeners, port, host="127.0.0.1"))
        async with trio.open_nursery() as nursery:
            with pytest.raises(otp.StartError) as caught:
                await otp.start(wanted, nursery=nursery)
        assert isinstance(caught.value.reason, OSError)
        assert errno.EADDRINUSE == caught.value.reason.errno
        said = f"Address already in use: open_tcp_listeners({port}, host='127.0.0.1')"
        assert str(caught.value).endswith(said)


async def test_listeners_beside_something_else_are_closed() -> None:
    """The port is free again after a start that failed for what else was in the list."""
    [listener] = await opens()
    port = listener.socket.getsockname()[1]

    async def opens_too_much() -> list[Any]:
        return [listener, "8080"]

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError, match="expected a list of listeners"):
            await otp.start(service(shout, opens=opens_too_much), nursery=nursery)
    assert -1 == listener.socket.fileno()
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream("127.0.0.1", port)


@pytest.mark.parametrize("error", [OSError("no number"), FileNotFoundError(2, "none", "web.pem")])
async def test_an_error_that_says_it_all_is_left_as_it_is(error: OSError) -> None:
    """What is opened may be more than a port."""

    async def fails() -> Any:
        raise error

    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.start(service(shout, opens=fails), nursery=nursery)
    assert error is caught.value.reason


@pytest.mark.skipif(sys.platform == "win32", reason="there are none")
async def test_sockets_of_the_file_system_have_connections_too(tmp_path: Path) -> None:
    """They have no addresses, so the label says where they come from; a reset is none there."""
    path = str(tmp_path / "web")

    async def opens_file() -> list[trio.SocketListener]:
        sock = trio.socket.socket(trio.socket.AF_UNIX)
        await sock.bind(path)
        sock.listen()
        return [trio.SocketListener(sock)]

    async def write_for_ever(stream: trio.SocketStream) -> None:
        while True:
            await stream.send_all(bytes(10_000))

    child = service(write_for_ever, opens=opens_file, max_per_address=1)
    async with otp.open_supervisor([child]):
        async with await trio.open_unix_socket(path) as one, await trio.open_unix_socket(path):
            await one.receive_some()
            await until(lambda: len(connections("web")) == 2)
            assert {f"unix:{path}"} == {otp.get_label(pid) for pid in connections("web")}
        await until(lambda: counts("web") == otp.ConnectionCounts(accepted=2, disconnected=2))


async def test_the_mailboxes_of_connections_can_have_a_bound() -> None:
    """So a reader that is too slow is noticed, and can be disconnected."""

    async def read_nothing(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    bound = otp.BoundedMailbox(2, on_full="reject")
    async with otp.open_supervisor([service(read_nothing, mailbox=bound)]), await connect():
        [pid] = await until(lambda: connections("web"))
        for _ in range(2):
            otp.send(pid, "news")
        with pytest.raises(otp.MailboxFull):
            otp.send(pid, "one too many")
        otp.exit(pid, otp.Shutdown("too slow"))
        await until(lambda: not connections("web"))
        assert otp.ConnectionCounts(accepted=1) == counts("web")


def plain(stream: object) -> None:
    """A function that is not async."""


async def test_an_exit_of_the_program_is_none_of_the_connection() -> None:
    """Also if it was called for because the other side had gone."""
    memory = Memory()

    async def handler(stream: Any) -> None:
        try:
            await stream.send_all(b"x")
        except trio.BrokenResourceError as exc:
            raise SystemExit(3) from exc

    async def serve() -> None:
        async with otp.open_supervisor([service(handler, opens=memory.open)]) as sup:
            await memory.connect().aclose()
            with trio.fail_after(LIMIT):
                await sup.wait()

    with pytest.raises(SystemExit):
        await serve()


async def opens_nothing() -> Any:
    """Open no listener."""
    return []


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((plain, opens), {}, "handler=.*is a plain function; .* as async def serve.stream."),
        ((opens_nothing, opens), {}, "handler=opens_nothing: too many positional .* of a stream"),
        (
            (shout, trio.open_tcp_listeners),
            {},
            "open_listeners=open_tcp_listeners: .*'port'.*as partial",
        ),
        (
            (shout, partial(trio.serve_tcp, shout, 0)),
            {},
            "open_listeners=serve_tcp serves by itself; .*as",
        ),
        ((shout, opens), {"mailbox": 100}, "mailbox=100: .*otp.BoundedMailbox.100."),
        ((None, opens), {}, "handler=None: expected an async function of a stream"),
        ((shout, 8080), {}, "open_listeners=8080: .* as partial.trio.open_tcp_listeners, 8080."),
        ((shout, opens), {"on_full": plain}, "on_full=.*is a plain function"),
        ((shout, opens), {"max_connections": 0}, "max_connections=0: expected a whole number >= 1"),
        ((shout, opens), {"max_per_address": 1.5}, "max_per_address=1.5"),
        ((shout, opens), {"drain_timeout": -1}, "drain_timeout=-1: expected a number of seconds"),
        ((shout, opens), {"handshake_timeout": None}, "handshake_timeout=None"),
        ((shout, opens), {"max_restarts": -1}, "max_restarts=-1: .*, or None to never give up"),
        ((shout, opens), {"backoff": 1}, r"backoff=1: expected otp.Backoff\(...\) or None"),
        ((shout, opens), {"backoff": otp.Backoff(min_delay=0.1)}, "write max_restarts=None"),
        ((shout, opens_nothing), {}, "opens_nothing returned .*expected a list of listeners"),
    ],
)
async def test_what_is_not_accepted_is_said(arguments: Any, options: Any, text: str) -> None:
    """By the name of the argument, with what is expected."""
    wanted = otp.child(otp.ConnectionSupervisor, *arguments, **options)
    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError, match=text) as caught:
            await otp.start(wanted, nursery=nursery)
        assert isinstance(caught.value.reason, TypeError | otp.SpecError)


async def test_there_are_no_connections_before_it_has_begun() -> None:
    """Its name is there, and leads to nothing so far."""
    opening = trio.Event()

    async def slow_opens() -> list[trio.SocketListener]:
        assert otp.ConnectionCounts() == counts("web")
        opening.set()
        await trio.sleep_forever()
        return []

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(otp.start, service(shout, opens=slow_opens), nursery=nursery))
        await trio.lowlevel.checkpoint()
        with pytest.raises(otp.NoProcess):
            counts("web")
        await opening.wait()
        assert otp.ConnectionCounts() == counts("web")
        nursery.cancel_scope.cancel()


async def test_only_a_connection_supervisor_has_connections() -> None:
    """Others are refused in the caller."""
    async with otp.open_supervisor([otp.child(otp.DynamicSupervisor).having(name="web")]):
        with pytest.raises(otp.WrongServer):
            counts("web")
    with pytest.raises(otp.NoProcess):
        connections("web")


async def test_one_that_has_not_begun_has_no_connections() -> None:
    """As who hears of its start may be told, in the middle of it."""
    refused: list[str] = []

    def ask_at_once(pid: otp.Pid[Any]) -> None:
        if otp.process_info(pid).behaviour is otp.ConnectionSupervisor:
            for ask in (counts, connections):
                with pytest.raises(otp.NoProcess) as caught:
                    ask(pid)
                refused.append(str(caught.value))

    otp.events.attach("process_start", ask_at_once)
    async with otp.open_supervisor([service(shout)]):
        otp.events.detach("process_start", ask_at_once)
        assert otp.ConnectionCounts() == counts("web")
    assert 2 == len(refused)
