"""A node of ours talks to one of Elixir and to another one of ours: both look the same."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio
from beam_kit import Beam
from cluster_kit import HOST, LIMIT, DeskNode, Tls
from hypothesis import given, settings
from wire_kit import TERMS

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from beam_kit import Epmd

pytestmark = pytest.mark.interop


def atom(text: str) -> Any:
    """Return an atom."""
    return otp.cluster.Atom(text)


@dataclass
class Partner:
    """The other node, with a `desk` and a `trapper`."""

    kind: str
    node: Any

    @property
    def desk(self) -> tuple[str, str]:
        return ("desk", self.node.name)

    @property
    def trapper(self) -> tuple[str, str]:
        return ("trapper", self.node.name)

    def crashed(self) -> str:
        """Return the text of the error of a crash."""
        return "RuntimeError: boom" if self.kind == "python" else "boom"


# They are restarted, as those of our program are.
SUPERVISED = """
children = [%{id: 1, start: {Desk, :start_link, [:desk]}},
            %{id: 2, start: {Desk, :start_link, [:trapper, [trap: true]]}}]
spawn(fn -> Supervisor.start_link(children, strategy: :one_for_one, max_restarts: 10_000);
            Process.sleep(:infinity) end)
wait = fn wait, name -> Process.whereis(name) || wait.(wait, name) end
wait.(wait, :desk); wait.(wait, :trapper); Process.sleep(0); :ok
"""


def start_elixir(epmd: Epmd, name: str, _cookie_file: Path, erl: str = "") -> Any:
    node = Beam(epmd, name.partition("@")[0], erl=erl).wait_up()

    async def begin() -> None:
        async with node.open() as orders:
            await orders.run(SUPERVISED)

    trio.run(begin)
    return node


def start_python(epmd: Epmd, name: str, cookie_file: Path, tick: float | None = None) -> Any:
    return DeskNode(name, cookie_file, epmd, *([] if tick is None else [tick])).wait_up()


@pytest.fixture(scope="module", params=["elixir", "python"])
def lasting(
    request: pytest.FixtureRequest, epmd: Epmd, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Partner]:
    """The other node, one for all tests that do not end it."""
    cookie = tmp_path_factory.mktemp("cookies") / "cookie"
    cookie.touch(0o600)
    cookie.write_text("crumbs")
    name = f"lasting_{request.param}@{HOST}"
    if request.param == "python":
        node = start_python(epmd, name, cookie)
    elif request.param == "tls":
        node = start_elixir(epmd, name, cookie, request.getfixturevalue("tls").erl)
    else:
        node = start_elixir(epmd, name, cookie)
    yield Partner(request.param, node)
    node.close()


@pytest.fixture
async def other(
    lasting: Partner, name: str, cookie_file: Path, epmd: Epmd, tls: Tls
) -> AsyncIterator[Partner]:
    """The other node, which the one of this test can reach."""
    options: dict[str, Any] = {"cookie_file": cookie_file, "epmd": (HOST, epmd.port)}
    if lasting.kind == "tls":
        options["tls"] = tls.contexts
    with trio.fail_after(2 * LIMIT):
        async with otp.cluster.open_node(name, **options):
            yield lasting


class Counter(otp.GenServer):
    """What a desk can do, as a class whose typed client is used."""

    @otp.on_call
    def add(self, a: int, b: int) -> int: ...

    @otp.on_call
    def log(self) -> list[Any]: ...

    @otp.on_cast
    def note(self, term: Any) -> None: ...


async def replaced(other: Partner, before: object) -> None:
    """Wait until another desk has the name."""
    while True:
        try:
            if await otp.call(other.desk, atom("pid")) != before:
                return
        except (otp.NoProcess, otp.ServerExited):
            pass


@pytest.mark.parametrize("lasting", ["elixir", "python", "tls"], indirect=True)
async def test_24_call(other: Partner) -> None:
    """A call by name and by pid; the pid that comes twice is one object."""
    assert await otp.call(other.desk, (atom("add"), 1, 2)) == 3
    pid = await otp.call(other.desk, atom("pid"))
    assert await otp.call(other.desk, atom("pid")) is pid
    assert await otp.call(pid, (atom("add"), 20, 22)) == 42
    assert other.node.name in repr(pid)


async def test_24_typed_client(other: Partner) -> None:
    """A typed client calls by the method's name, with keywords in their places."""
    desk = Counter.at(other.trapper)
    assert await desk.add(1, b=2) == 3
    before = await desk.log()
    for number in range(1000):
        desk.note((atom("typed"), number))
    assert (await desk.log())[-1000:] == [("typed", number) for number in range(1000)]
    assert len(before) >= 0


@pytest.mark.parametrize(
    "term",
    [
        0, -1, 2**31, -(2**64), 2**3000, 1.5, None, True, False, b"", b"\0\xff", (), (1, (2,)),
        [], [1, 2], list(range(300)), {}, {1: 2, b"k": [None]}, {(1, b"x"): {}}, [[], {}],
    ],
    ids=lambda term: repr(term)[:20],
)  # fmt: skip
async def test_24_terms(other: Partner, term: Any) -> None:
    """What has a form comes back as it was, with its type."""
    answer = await otp.call(other.desk, (atom("echo"), term))
    assert (answer, type(answer)) == (term, type(term))


async def test_24_what_has_a_form_is_read_there(other: Partner) -> None:
    """Whatever it is: a term that Erlang does not take costs the connection, and all on it."""
    terms: list[Any] = ["", [""], {"": ""}, ("", b""), ("x",) * 256, {(): None, 1.5: ""}]

    @settings(max_examples=200, derandomize=True, database=None, deadline=None)
    @given(TERMS)
    def collect(term: Any) -> None:
        terms.append(term)

    collect()
    for term in terms:
        await otp.call(other.desk, (atom("echo"), term))


async def test_24_atoms_and_texts(other: Partner) -> None:
    """An atom comes back as an atom; Elixir makes a binary of a text, we keep it."""
    answer = await otp.call(other.desk, (atom("echo"), atom("ünï")))
    assert (answer, type(answer)) == ("ünï", otp.cluster.Atom)
    expected = "ünï".encode() if other.kind == "elixir" else "ünï"
    assert await otp.call(other.desk, (atom("echo"), "ünï")) == expected


async def test_25_noproc(other: Partner) -> None:
    """Nobody of that name is NoProcess."""
    with pytest.raises(otp.NoProcess):
        await otp.call(("nobody", other.node.name), 1)


async def test_25_timeout(other: Partner) -> None:
    """No answer in time is CallTimeout; one that comes later is nothing."""
    with pytest.raises(otp.CallTimeout):
        await otp.call(other.desk, atom("never"), timeout=0.05)
    assert await otp.call(other.desk, (atom("add"), 1, 2)) == 3


async def test_25_crash(other: Partner) -> None:
    """A crash is ServerExited, whose cause has the text of the error."""
    before = await otp.call(other.desk, atom("pid"))
    with pytest.raises(otp.ServerExited) as caught:
        await otp.call(other.desk, atom("crash"))
    assert isinstance(caught.value.reason, otp.cluster.RemoteError)
    assert other.crashed() in str(caught.value.reason)
    assert caught.value.__cause__ is caught.value.reason
    await replaced(other, before)


@pytest.mark.parametrize(
    "reason", [otp.NORMAL, otp.SHUTDOWN, otp.Shutdown(3), otp.KILLED, ("a", 1)], ids=repr
)
async def test_25_stop_reason(other: Partner, reason: Any) -> None:
    """The reason of its end is the reason of the error."""
    before = await otp.call(other.desk, atom("pid"))
    sent = (atom("a"), 1) if isinstance(reason, tuple) else reason
    with pytest.raises(otp.ServerExited) as caught:
        await otp.call(other.desk, (atom("stop"), sent))
    assert caught.value.reason == reason
    await replaced(other, before)


async def test_25_an_argument_without_a_form(other: Partner) -> None:
    """What has no form is a TypeError here, and nothing is sent."""
    with pytest.raises(TypeError, match="object"):
        await otp.call(other.desk, (atom("echo"), object()))
    with pytest.raises(TypeError, match="object"):
        otp.cast(other.desk, object())
    assert await otp.call(other.desk, (atom("add"), 1, 2)) == 3


async def test_25_an_error_as_an_answer(other: Partner) -> None:
    """An error tuple with an exception is raised, any other is a value."""
    if other.kind == "elixir":
        assert await otp.call(other.desk, (atom("refuse"), 1)) == ("error", 1)
        request: Any = atom("raised")
    else:
        request = (atom("refuse"), "no")
    with pytest.raises(otp.cluster.RemoteError, match="no"):
        await otp.call(other.desk, request)


async def test_26_info_comes_into_my_mailbox(other: Partner) -> None:
    """A message to the caller is one of its mailbox, sent before the answer."""
    async with otp.open_process():
        assert await otp.call(other.desk, (atom("tell"), (atom("hi"), 1))) == "ok"
        assert await otp.receive(timeout=0) == ("hi", 1)


async def test_27_from_is_the_calling_process(other: Partner) -> None:
    """The server sees the pid of who calls, and plain code has one that stays the same."""
    plain = await otp.call(other.desk, atom("me"))
    assert plain is await otp.call(other.desk, atom("me"))
    async with otp.open_process() as me:
        assert await otp.call(other.desk, atom("me")) is me
    assert plain is not me


async def test_28_send_request(other: Partner) -> None:
    """Requests are sent together, and their answers taken as they come."""
    ids = otp.RequestIds()
    for number in range(10):
        ids.send(other.desk, (atom("add"), number, 1), label=number)
    answers = {}
    while len(ids):
        response = await ids.receive(timeout=LIMIT)
        assert response is not None
        label, answer = response
        answers[label] = answer.unwrap()
    assert answers == {number: number + 1 for number in range(10)}
    request_id = otp.send_request(("nobody", other.node.name), 1)
    with pytest.raises(otp.NoProcess):
        await otp.receive_response(request_id)


async def test_29_multi_call(other: Partner) -> None:
    """Who answers and who does not are told apart, and why."""
    away, nobody = ("desk", f"away@{HOST}"), ("nobody", other.node.name)
    replies, bad = await otp.multi_call(
        [other.desk, away, other.trapper, nobody], (atom("add"), 1, 2)
    )
    assert replies == [(other.desk, 3), (other.trapper, 3)]
    assert [(ref, type(exc)) for ref, exc in bad] == [
        (away, otp.NoConnection), (nobody, otp.NoProcess)
    ]  # fmt: skip


async def test_30_monitors(other: Partner) -> None:
    """A monitor of a pid, of a name, of nobody, and of a node that nobody reaches."""
    async with otp.open_process():
        pid = await otp.call(other.desk, atom("pid"))
        handles = [otp.monitor(ref) for ref in (pid, other.desk)]
        otp.exit(pid, atom("bye"))
        downs = [await otp.receive(otp.Down, timeout=LIMIT) for _ in handles]
        assert {down.ref for down in downs} == set(handles)
        assert [down.reason for down in downs] == ["bye", "bye"]
        await replaced(other, pid)
        for ref, reason in [
            (("nobody", other.node.name), otp.NOPROC), (pid, otp.NOPROC),
            (("desk", f"away@{HOST}"), otp.NOCONNECTION),
        ]:  # fmt: skip
            handle = otp.monitor(ref)
            down = await otp.receive(otp.Down, timeout=LIMIT)
            assert (down.ref, down.reason) == (handle, reason)


async def test_30_a_monitor_that_is_taken_back(other: Partner) -> None:
    """A monitor that is taken back tells nothing."""
    async with otp.open_process():
        pid = await otp.call(other.desk, atom("pid"))
        kept, gone = otp.monitor(pid), otp.monitor(pid)
        assert otp.demonitor(gone)
        otp.exit(pid, otp.KILL)
        assert (await otp.receive(otp.Down, timeout=LIMIT)).ref is kept
        await replaced(other, pid)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)


async def test_31_links(other: Partner) -> None:
    """A link tells either side of the other's end, if it traps exits; one taken back does not."""
    async with otp.open_process() as me:
        otp.trap_exit()
        pid = await otp.call(other.desk, atom("pid"))
        otp.link(pid)
        otp.exit(pid, atom("bye"))
        assert await otp.receive(otp.Exit, timeout=LIMIT) == otp.Exit(pid, atom("bye"))
        await replaced(other, pid)
        pid = await otp.call(other.desk, atom("pid"))
        otp.link(pid)
        otp.unlink(pid)
        handle = otp.monitor(pid)
        otp.exit(pid, otp.KILL)
        down = await otp.receive(timeout=LIMIT)
        assert (down.ref, down.reason) == (handle, otp.KILLED)
        await replaced(other, pid)
    assert me


async def test_31_our_end_is_heard_there(other: Partner) -> None:
    """The end of our process reaches those it is linked to."""
    trapper = await otp.call(other.trapper, atom("pid"))

    async def body() -> None:
        otp.link(trapper)
        otp.exit(atom("bye"))

    async with otp.open_process():
        pid, _ = otp.spawn_monitor(body)
        assert (await otp.receive(otp.Down, timeout=LIMIT)).reason == "bye"
    log = await otp.call(trapper, atom("log"))
    assert (log[-1][-1], pid in log[-1]) == ("bye", True)


@pytest.fixture(params=["elixir", "python"])
def mortal(
    request: pytest.FixtureRequest, epmd: Epmd, name: str, cookie_file: Path, tls: Tls
) -> Iterator[Callable[[], Partner]]:
    """What starts another node, which the test may end, with a tick of one second."""
    started = []

    def start() -> Partner:
        theirs = name.replace("py", "other")
        ticks = "-kernel net_ticktime 4"
        if request.param == "python":
            node = start_python(epmd, theirs, cookie_file, 1.0)
        elif request.param == "tls":
            node = start_elixir(epmd, theirs, cookie_file, f"{ticks} {tls.erl}")
        else:
            node = start_elixir(epmd, theirs, cookie_file, ticks)
        started.append(node)
        return Partner(request.param, node)

    yield start
    for node in started:
        os.kill(node.pid, signal.SIGCONT) if node.process.returncode is None else None
        node.close()


@pytest.mark.parametrize("mortal", ["elixir", "python", "tls"], indirect=True)
async def test_32_kill(
    mortal: Callable[[], Partner], epmd: Epmd, name: str, cookie_file: Path, tls: Tls
) -> None:
    """All that is open with a node that is killed is told at once, each thing once."""
    other = await trio.to_thread.run_sync(mortal)
    contexts = tls.contexts if other.kind == "tls" else None
    options: dict[str, Any] = {"cookie_file": cookie_file, "epmd": (HOST, epmd.port)}
    async with (
        otp.cluster.open_node(name, tls=contexts, **options),
        otp.open_process() as me,
    ):
        otp.trap_exit()
        otp.cluster.monitor_nodes()
        trapper = await otp.call(other.trapper, atom("pid"))
        assert (await otp.receive(otp.cluster.Nodeup, timeout=LIMIT)).node == other.node.name
        handle = otp.monitor(trapper)
        otp.link(trapper)
        request_id = otp.send_request(trapper, atom("never"))
        await otp.call(trapper, (atom("add"), 1, 2))
        for number in range(10_000):
            otp.cast(trapper, (atom("note"), number))
        other.node.process.kill()
        killed = trio.current_time()
        with pytest.raises(otp.NoConnection) as caught:
            await otp.receive_response(request_id, timeout=LIMIT)
        took = trio.current_time() - killed
        assert caught.value.sent
        messages = [await otp.receive(timeout=LIMIT) for _ in range(3)]
        assert otp.Exit(trapper, otp.NOCONNECTION) in messages
        (down,) = [each for each in messages if isinstance(each, otp.Down)]
        assert (down.ref, down.reason) == (handle, otp.NOCONNECTION)
        assert isinstance(messages[-1], otp.cluster.Nodedown)
        with pytest.raises(otp.ReceiveTimeout):
            await otp.receive(timeout=0)
        with pytest.raises(otp.NoConnection):
            await otp.call(other.desk, atom("pid"))
        assert me
        assert took < 1  # 0.1 s on a machine that is not busy


async def test_33_frozen_and_thawed(
    mortal: Callable[[], Partner], epmd: Epmd, name: str, cookie_file: Path
) -> None:
    """A node that stands still is down within five ticks; then it and its pids are there again."""
    other = await trio.to_thread.run_sync(mortal)
    async with (
        otp.cluster.open_node(name, cookie_file=cookie_file, epmd=(HOST, epmd.port), tick=1.0),
        otp.open_process(),
    ):
        trapper = await otp.call(other.trapper, atom("pid"))
        handle = otp.monitor(trapper)
        os.kill(other.node.pid, signal.SIGSTOP)
        frozen = trio.current_time()
        down = await otp.receive(otp.Down, timeout=LIMIT)
        assert (down.ref, down.reason) == (handle, otp.NOCONNECTION)
        assert trio.current_time() - frozen < 6
        os.kill(other.node.pid, signal.SIGCONT)
        while True:  # it may take a moment until it has seen the end of the old connection
            try:
                assert await otp.call(trapper, (atom("add"), 1, 2), timeout=LIMIT) == 3
                break
            except otp.NoConnection:
                pass
        assert await otp.call(other.trapper, atom("pid")) is trapper


async def test_34_a_cancelled_client_is_seen(other: Partner) -> None:
    """A server that monitors its client is told when Trio cancels that."""
    clients = []
    waits = trio.Event()

    async def client() -> None:
        clients.append(otp.self())
        await otp.call(other.trapper, (atom("watch_me"), 1))
        waits.set()
        await otp.call(other.trapper, atom("never"), timeout=None)

    async with trio.open_nursery() as nursery:
        await otp.start(otp.child(client), nursery=nursery)
        await waits.wait()
        nursery.cancel_scope.cancel()
    with trio.fail_after(LIMIT):
        while True:
            log = await otp.call(other.trapper, atom("log"))
            if any(isinstance(entry, tuple) and clients[0] in entry for entry in log):
                break
