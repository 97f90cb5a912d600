"""The observer's thread: how it starts and ends, and that it answers while the loop is stuck."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import observer_kit
import pytest
import trio
import trio.testing
from inside import worker_thread
from observer_kit import LIMIT, Blocked, Server, client_at
from trio_websocket import open_websocket_url

import trio_otp as otp
from trio_otp.observer import server
from trio_otp.observer.socket.client import Client as BlockingClient

if TYPE_CHECKING:
    from pathlib import Path

CHILDREN = [otp.child(Server).having(name="shop"), otp.child(Server).having(name="till")]


async def serve(nursery: trio.Nursery, **options: Any) -> otp.observer.Served:
    with trio.fail_after(LIMIT):
        return await otp.observer.serve(nursery=nursery, port=None, **options)


async def test_what_is_served_says_who_it_is() -> None:
    """And nothing of it is there any more when its process has ended."""
    async with otp.open_supervisor(CHILDREN), trio.open_nursery() as nursery:
        seen = await serve(nursery)
        assert seen is otp.process_info(seen.pid).started
        assert (None, None) == (seen.address, seen.url)
        assert seen.socket is not None
        async with client_at(seen.socket) as client:
            assert 1 == client.hello["version"]
            assert os.getpid() == client.hello["pid"]
            assert (True, False) == (client.hello["socket"], client.hello["actions"])
            rows = await client.ask("rows", filter="shop")
            [row] = rows["rows"].values()
            assert "'shop'" == row["name"]
        await otp.stop(seen.pid)
        assert not seen.socket.exists()
        nursery.cancel_scope.cancel()


def test_it_shows_what_it_has_and_nothing_else() -> None:
    """What is imported at its first use is among that."""
    names = [name for name in dir(otp.observer) if getattr(otp.observer, name) is not None]
    assert {"Problem", "Served", "Server", "serve", "start"} <= set(names)
    assert [name for name in names if name.startswith("_") or name in {"Any", "annotations"}] == []


async def test_it_is_a_child_that_has_started_when_it_can_be_reached() -> None:
    """Its end ends nothing else, and a kill neither."""
    child = otp.child(otp.observer.Server, port=None).having(name="observer")
    async with otp.open_supervisor([*CHILDREN, child], max_restarts=0) as sup:
        shop = otp.whereis("shop")
        seen = otp.process_info("observer").started
        pid = otp.whereis("observer")
        async with client_at(seen.socket) as client:
            number = await client.say("rows", every=0.25)
            await client.answer(number)
            monitor = otp.process_info("observer")
            assert "running" == monitor.status
            otp.exit("observer", otp.KILL)
            with trio.fail_after(LIMIT):
                await client.until_the_end()
        with trio.fail_after(LIMIT):
            while _is_serving():  # noqa: ASYNC110 - no event tells of the end of a thread
                await trio.sleep(0.01)
        assert not otp.is_alive(pid)
        await trio.testing.wait_all_tasks_blocked()  # its supervisor takes note of that
        assert shop is otp.whereis("shop")
        assert {"shop", "till"} == {
            child.id for child in await otp.which_children(sup) if child.status == "running"
        }


async def test_while_the_loop_is_stuck_it_says_where() -> None:
    """And goes on to answer; when the loop goes on it says so."""
    told = threading.Event()
    heard: list[Any] = []

    def look(path: Path) -> None:
        with (
            BlockingClient(path, os.geteuid(), LIMIT) as client,
            BlockingClient(path, os.geteuid(), LIMIT) as other,
        ):
            for answer in client.answers("rows", every=0.25):
                if answer.loop is not None and not told.is_set():
                    heard.append(answer)
                    heard.append(other.ask("overview"))  # what is asked meanwhile is answered
                    told.set()
                elif told.is_set() and answer.loop is None:
                    return

    async with (
        otp.open_supervisor([otp.child(Blocked, told).having(name="b")]),
        trio.open_nursery() as nursery,
    ):
        seen = await serve(nursery)
        thread = threading.Thread(target=look, args=[seen.socket], daemon=True)
        thread.start()
        assert await Blocked.hold("b")
        await trio.to_thread.run_sync(thread.join, LIMIT)
        assert not thread.is_alive()
        nursery.cancel_scope.cancel()
    stuck, asked = heard
    for answer in (stuck, asked):
        assert answer.loop["where"].startswith(observer_kit.__file__)
        assert answer.loop["where"].endswith(" in hold")
        assert "'b'" == answer.loop["name"]
        assert 0.3 < answer.loop["stuck"] < LIMIT


async def test_a_question_asked_once_hears_that_the_loop_is_stuck() -> None:
    """Although nobody had looked at it before."""
    told = threading.Event()
    heard: list[Any] = []

    def ask(path: Path) -> None:
        with BlockingClient(path, os.geteuid(), LIMIT) as client:
            heard.append(client.ask("rows"))
        told.set()

    async with (
        otp.open_supervisor([otp.child(Blocked, told).having(name="b")]),
        trio.open_nursery() as nursery,
    ):
        seen = await serve(nursery)
        threading.Thread(target=ask, args=[seen.socket], daemon=True).start()
        assert await Blocked.hold("b")
        nursery.cancel_scope.cancel()
    [answer] = heard
    assert answer.loop["where"].endswith(" in hold")


async def test_a_virtual_clock_and_idle_loops_do_not_notice_it(autojump_clock: Any) -> None:
    """A client looks four times a second; hours pass in no time, and an idle loop is seen idle."""
    async with otp.open_supervisor(CHILDREN), trio.open_nursery() as nursery:
        seen = await otp.observer.serve(nursery=nursery, port=None)
        with BlockingClient(seen.socket, os.geteuid(), LIMIT) as client:
            answers = client.answers("rows", every=0.25)
            next(answers)
            began = time.monotonic()
            for _ in range(5):
                await trio.sleep(3600)
                await trio.testing.wait_all_tasks_blocked(0.02)
            assert time.monotonic() - began < 5
            assert 5 * 3600 == trio.current_time()
            next(answers)
        nursery.cancel_scope.cancel()


async def test_a_client_that_never_reads_keeps_nobody_waiting() -> None:
    """Neither other clients nor the end of the program."""
    many = [otp.child(Server).having(name=f"server {number}") for number in range(300)]
    async with otp.open_supervisor(many), trio.open_nursery() as nursery:
        seen = await serve(nursery)
        deaf = [await trio.open_unix_socket(str(seen.socket)) for _ in range(3)]
        for stream in deaf:
            for number in range(200):
                line = b'{"id": %d, "ask": "rows", "count": 300}\n' % number
                with trio.move_on_after(0.05):
                    await stream.send_all(line)
        async with client_at(seen.socket) as client:
            assert 301 < (await client.ask("rows"))["total"]
        began = time.monotonic()
        await otp.stop(seen.pid)
        assert time.monotonic() - began < 1
        for stream in deaf:
            await stream.aclose()
        nursery.cancel_scope.cancel()


async def test_while_nobody_looks_it_does_nothing() -> None:
    """It takes no sample, and its thread has no deadline."""
    async with otp.open_supervisor(CHILDREN), trio.open_nursery() as nursery:
        seen = await serve(nursery)
        async with client_at(seen.socket) as client:
            number = await client.say("rows", every=0.25)
            await client.answer(number)
        with trio.fail_after(LIMIT):
            while not _waits(seen.pid):  # noqa: ASYNC110 - it is another thread that has to wait
                await trio.sleep(0.01)
        nursery.cancel_scope.cancel()


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"host": 7}, "host=7: expected a str"),
    ({"port": "80"}, "port='80': expected a number from 0 to 65535, or None"),
    ({"port": 65536}, "port=65536: expected a number from 0 to 65535, or None"),
    ({"hosts": "shop.test"}, "hosts='shop.test': expected a tuple of str"),
    ({"hosts": [1]}, r"hosts=[1]: expected a tuple of str"),
    ({"actions": "yes"}, "actions='yes': expected True or False"),
]


@pytest.mark.parametrize(("options", "text"), WRONG)
async def test_wrong_options_are_named(options: dict[str, Any], text: str) -> None:
    """The start fails."""
    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.observer.serve(nursery=nursery, **{"port": None, **options})
        assert text in str(caught.value.__cause__)
    with pytest.raises(otp.NotAProcess):
        await otp.observer.serve(port=None)


async def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the page needs it; the socket works."""
    monkeypatch.setitem(sys.modules, "h11", None)
    async with trio.open_nursery() as nursery:
        with pytest.raises(otp.StartError) as caught:
            await otp.observer.serve(nursery=nursery)
        assert "needs h11: pip install 'trio-otp[observer]'" in str(caught.value.__cause__)
        assert (await serve(nursery)).socket is not None
        nursery.cancel_scope.cancel()


# -- the token -------------------------------------------------------------------------------------


async def test_a_token_is_kept_in_a_file(tmp_path: Path) -> None:
    """It is made for its owner alone, and used again; one that others may read is refused."""
    from trio_otp.observer.web.token_file import token_of

    file = tmp_path / "token"
    token = token_of(file)
    assert len(token) >= 32
    assert 0o600 == file.stat().st_mode & 0o777
    assert token == token_of(str(file))
    file.chmod(0o640)
    with pytest.raises(ValueError, match=r"others may read it; write chmod 600"):
        token_of(file)
    file.chmod(0o600)
    file.write_text("short\n")
    with pytest.raises(ValueError, match="expected a token of at least 16"):
        token_of(file)
    assert token_of(None) != token_of(None)


def test_programs_that_make_a_token_at_one_time_agree(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second finds it whole, however late it notices; nothing else is left."""
    from trio_otp.observer.web import token_file

    folder = places / "tokens"
    folder.mkdir()
    file = folder / "token"
    link, first = os.link, []

    def late(source: str, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        first.append(token_file.token_of(target))
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert [token_file.token_of(file)] == first
    assert [file] == list(folder.iterdir())


async def test_one_port_is_opened_where_any_would_do(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host may have two addresses; each with a port of its own, one would not be told."""
    opened: list[trio.SocketListener] = []
    really = trio.open_tcp_listeners

    async def two(port: int, *, host: str) -> list[trio.SocketListener]:
        opened.extend([*await really(port, host=host), *await really(port, host=host)])
        return list(opened)

    monkeypatch.setattr(trio, "open_tcp_listeners", two)
    async with trio.open_nursery() as nursery:
        seen = await otp.observer.serve(nursery=nursery)
        told, other = opened
        assert f":{told.socket.getsockname()[1]}/" in f"{seen.address}/"
        assert -1 == other.socket.fileno()
        nursery.cancel_scope.cancel()


async def test_a_port_that_is_given_is_opened_at_each_address(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for it by the other one finds it there as well."""
    opened: list[trio.SocketListener] = []
    asked: list[int] = []
    really = trio.open_tcp_listeners

    async def two(port: int, *, host: str) -> list[trio.SocketListener]:
        asked.append(port)  # which may be taken on this machine
        opened.extend([*await really(0, host=host), *await really(0, host=host)])
        return list(opened)

    monkeypatch.setattr(trio, "open_tcp_listeners", two)
    async with trio.open_nursery() as nursery:
        await otp.observer.serve(nursery=nursery, port=4000)
        assert [4000] == asked
        for listener in opened:
            port = listener.socket.getsockname()[1]
            with trio.fail_after(LIMIT):
                async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                    await stream.send_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()


async def test_the_page_speaks_with_the_program() -> None:
    """Over a WebSocket, which the token opens, in lines as over the other socket."""
    shown: list[str] = []
    async with otp.open_supervisor(CHILDREN), trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = trio.current_time() + LIMIT
        seen = await otp.observer.serve(nursery=nursery)
        assert seen.address is not None
        assert seen.url is not None
        address = seen.address.replace("http://", "ws://")
        origin = [("Origin", seen.address)]
        async with open_websocket_url(f"{address}/socket", extra_headers=origin) as link:
            await link.send_message(json.dumps({"token": seen.url.partition("token=")[2]}))
            hello = json.loads(await link.get_message())["hello"]
            assert os.getpid() == hello["pid"]
            await link.send_message(json.dumps({"id": 1, "ask": "info", "ref": "shop"}))
            shown.append(json.loads(await link.get_message())["result"]["info"]["name"])
        nursery.cancel_scope.cancel()
    assert ["'shop'"] == shown


async def test_a_token_of_somebody_else_is_refused(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has made the file knows the token; and what is no file keeps nobody waiting."""
    from trio_otp.observer.web.token_file import token_of

    file = places / "token"
    token = token_of(file)
    link = places / "link"
    link.symlink_to(file)
    assert token == token_of(link)
    pipe = places / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(ValueError, match=r"pipe.*: expected a plain file"):
        token_of(pipe)
    with pytest.raises(ValueError, match="expected a plain file"):
        token_of(places)
    monkeypatch.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
    for each in (file, link):
        with pytest.raises(ValueError, match=r"expected a file of user \d+, got one of \d+"):
            token_of(each)


def _waits(pid: Any) -> bool:
    """Check whether the thread waits for the network without a deadline."""
    thread = otp.process_info(pid).thread
    frame = sys._current_frames()[thread or 0]
    return frame.f_code.co_name == "get_events" and frame.f_locals["timeout"] > 3600


def _is_serving() -> bool:
    """Check whether a thread is in the run of an observer."""
    frames = [f for top in sys._current_frames().values() for f, _ in traceback.walk_stack(top)]
    return any(f.f_code.co_name == "_in_own_run" for f in frames)


# -- where it is -----------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize("terminal", [True, False])
async def test_the_token_goes_to_a_terminal_alone(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Elsewhere there is the address, without what opens it."""
    stream = Terminal(terminal)
    monkeypatch.setattr(sys, "stderr", stream)
    caplog.set_level("INFO", "trio_otp.observer")
    async with trio.open_nursery() as nursery:
        with trio.fail_after(LIMIT):
            seen = await otp.observer.serve(nursery=nursery)
        assert seen.url is not None
        assert seen.address is not None
        token = seen.url.partition("#token=")[2]
        assert len(token) > 30
        assert token not in repr(seen)
        with pytest.raises(otp.StartError) as caught:
            await otp.observer.serve(nursery=nursery, port=int(seen.address.rpartition(":")[2]))
        assert isinstance(caught.value.__cause__, OSError)
        await otp.stop(seen.pid)
        nursery.cancel_scope.cancel()
    assert terminal is (f"observer: {seen.url}\n" in stream.getvalue())
    assert token not in caplog.text
    assert f"the observer is at {seen.address}" in caplog.text


async def test_the_address_that_is_told_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it is that of a network, without a word more in `hosts`."""
    from trio_otp.observer.web import access

    monkeypatch.setattr(access, "_is_loopback", lambda _: False)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(LIMIT):
            seen = await otp.observer.serve(nursery=nursery, host="127.0.0.1")
        assert seen.address is not None
        authority = seen.address.removeprefix("http://")
        for host, status in ((authority, b"200"), ("evil.test", b"421")):
            async with await trio.open_tcp_stream("127.0.0.1", int(authority[10:])) as stream:
                await stream.send_all(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                with trio.fail_after(LIMIT):
                    assert status == (await stream.receive_some())[9:12]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("shop.test", "http://shop.test:80"),
    ],
)
def test_an_address_can_be_opened(host: str, address: str) -> None:
    assert address == server._address(host, 80)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["/bin/trio-otp", "run", "--observe", "shop.app:Shop"], "shop.app:Shop"),
        (["/lib/trio_otp/__main__.py", "demo", "--serve"], "trio-otp demo"),
        (["/srv/shop.py", "--password=1"], "shop.py"),
        ([""], "python"),
    ],
)
def test_what_a_program_is_called(
    command: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments may be secrets."""
    monkeypatch.setattr(sys, "argv", command)
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None)
    assert name == server.program_name()


@pytest.mark.parametrize("is_virtual", [False, True])
@pytest.mark.parametrize("how", ["kill", "cancel"])
def test_its_thread_is_not_left_behind(
    how: str,
    *,
    is_virtual: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However it is ended, and whatever the clock: the thread ends by itself, nothing is told."""
    monkeypatch.setattr(worker_thread, "MOMENT", LIMIT)  # a machine may be slow

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            seen = await otp.observer.serve(nursery=nursery, port=None)
            if how == "kill":
                otp.exit(seen.pid, otp.KILL)
                while otp.is_alive(seen.pid):
                    await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

    for _ in range(10):
        clock = trio.testing.MockClock(autojump_threshold=0) if is_virtual else None
        trio.run(main, clock=clock)
    assert "left behind" not in caplog.text


async def test_one_that_is_stopped_before_it_has_begun_ends_at_once() -> None:
    """Its thread finds that out by itself."""
    early: Any = otp.observer.Server(port=None)
    early._stop_run()
    early._stopped = threading.Event()
    early._stopped.set()
    with trio.fail_after(LIMIT):
        await early._main()


@pytest.mark.parametrize("port", [0, None])
async def test_where_there_can_be_no_socket_there_is_the_page(
    port: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a page either, the start fails by what was wrong."""
    from trio_otp.observer.socket import server as socket_server

    def listen() -> Any:
        raise PermissionError("not ours")

    monkeypatch.setattr(socket_server, "listen", listen)
    async with trio.open_nursery() as nursery:
        with trio.fail_after(LIMIT):
            if port is None:
                with pytest.raises(otp.StartError) as caught:
                    await otp.observer.serve(nursery=nursery, port=port)
                assert isinstance(caught.value.__cause__, PermissionError)
            else:
                seen = await otp.observer.serve(nursery=nursery, port=port)
                assert seen.socket is None
                assert "the observer has no socket" in caplog.text
        nursery.cancel_scope.cancel()


async def test_a_system_without_unix_sockets_has_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(trio.socket, "AF_UNIX")
    async with trio.open_nursery() as nursery:
        with trio.fail_after(LIMIT):
            seen = await otp.observer.serve(nursery=nursery)
        assert None is seen.socket
        assert seen.address is not None
        nursery.cancel_scope.cancel()
