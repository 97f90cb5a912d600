"""The tree, the inspector, the stacks and the crashes, as a client of the protocol gets them."""

from __future__ import annotations

import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from observer_kit import LIMIT, Blocked, Server, client_at, client_here

import trio_otp as otp
from trio_otp.observer.reading import info
from trio_otp.observer.socket.client import Client as BlockingClient

if TYPE_CHECKING:
    from pathlib import Path

SHOP = [otp.child(Server).having(name="shop"), otp.child(Server).having(name="till")]


class Inner(otp.Supervisor):
    """Has two servers."""

    def init(self) -> Any:
        return otp.Supervisor.spec([otp.child(Server, each).having(id=each) for each in "ab"])


class Vault(otp.GenServer):
    """Has a secret that it does not show, and one that it shows in its own way."""

    private = ("password",)

    def __init__(self) -> None:
        self.password = "s3cret"
        self.colour = "blue"
        self.boxes = list(range(10_000))

    @otp.on_cast
    def paint(self, colour: str) -> None:
        self.colour = colour

    @otp.on_call
    async def wait(self, event: trio.Event) -> None:
        await event.wait()

    @otp.on_call
    async def burn(self) -> None:
        raise ValueError(f"the {self.colour} vault burns")


def lines_of(tree: dict[str, Any]) -> list[str]:
    return [f"{'  ' * node['depth']}{node['name']} {node['status']}" for node in tree["nodes"]]


async def test_the_tree_shows_what_is_open(autojump_clock: Any) -> None:
    """What is folded shows what is worst below it; a node has the same key after a restart."""
    event = trio.Event()
    children = [otp.child(Inner).having(id="inner"), *SHOP]
    async with (
        otp.open_supervisor(children, name="top", max_restarts=5),
        trio.open_nursery() as nursery,
        client_here() as client,
    ):
        folded = await client.ask("tree")
        assert "'top' idle" == lines_of(folded)[0]
        top = folded["nodes"][0]
        assert (False, True) == (top["open"], top["has_children"])
        assert {"count": 5, "queued": 0, "restarts": 0, "worst": "idle"} == top["below"]
        assert {"used": 0, "limit": 5, "seconds": 5} == top["budget"]
        opened = await client.ask("tree", open=[top["key"]])
        assert ["'top' idle", "  Inner idle", "  'shop' idle", "  'till' idle"] == (
            lines_of(opened)[:4]
        )
        inner, shop = opened["nodes"][1:3]
        assert ("supervisor", "supervisor one_for_one"[11:]) == (inner["kind"], inner["summary"])
        assert f"{top['key']}/'shop'" == shop["key"]
        whole = await client.ask("tree", everything=True)
        assert "    Server idle" == lines_of(whole)[2]
        assert 6 <= len(whole["nodes"])
        part = await client.ask("tree", root=inner["pid"], everything=True)
        assert ["Inner idle", "  Server idle", "  Server idle"] == lines_of(part)
        few = await client.ask("tree", everything=True, limit=2)
        assert (2, len(whole["nodes"]) - 2) == (len(few["nodes"]), few["more"])
        otp.exit("shop", otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        after = await client.ask("tree", open=[top["key"]])
        again = after["nodes"][2]
        assert (shop["key"], 1) == (again["key"], again["restarts"])
        assert again["pid"] > shop["pid"]
        assert 1 == after["nodes"][0]["budget"]["used"]
        assert after["nodes"][0]["last_end"].endswith("ago: 'shop' KILLED")
        nursery.start_soon(Server.at("till", timeout=None).wait, event)
        await trio.sleep(3)
        stuck = await client.ask("tree")
        assert "stuck" == stuck["nodes"][0]["below"]["worst"]
        event.set()


async def test_the_tree_shows_a_child_that_is_down(autojump_clock: Any) -> None:
    """With the seconds that are left, and on the node above it when that is folded."""
    waiting = otp.child(Server).having(id="late", backoff=otp.Backoff(min_delay=90, max_delay=90))
    async with otp.open_supervisor([waiting], name="top") as sup, client_here() as client:
        [child] = await otp.which_children(sup)
        otp.exit(child.pid, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        [top, down, *_] = (await client.ask("tree", everything=True))["nodes"]
        assert ("'late'", "restarting", None) == (down["name"], down["status"], down["pid"])
        assert 80 < down["restart_in"] <= 90
        assert "restarting" == top["below"]["worst"]
        assert not down["has_children"]


async def test_a_chain_of_links_has_short_keys(autojump_clock: Any) -> None:
    """Also one that is deeper than a picture goes."""

    async def chain(left: int) -> None:
        if left:
            await otp.start_link(otp.child(chain, left - 1))
        await trio.sleep_forever()

    async with otp.open_process(), trio.open_nursery() as nursery:
        await otp.start_link(otp.child(chain, 100))
        await trio.testing.wait_all_tasks_blocked()
        async with client_here() as client:
            tree = await client.ask("tree", everything=True)
        assert 50 == max(node["depth"] for node in tree["nodes"])
        assert all(len(node["key"]) < 500 for node in tree["nodes"])
        nursery.cancel_scope.cancel()


# -- one process -----------------------------------------------------------------------------------


async def test_info_has_all_that_process_info_has(autojump_clock: Any) -> None:
    """And the state, as its `format_status` shows it, without what is private."""
    async with (
        otp.open_supervisor([otp.child(Vault).having(name="vault")], name="top") as sup,
        client_here() as client,
    ):
        info = (await client.ask("info", ref="vault"))["info"]
        known = otp.process_info("vault")
        fields = {name for name in otp.ProcessInfo.__slots__ if name != "history"}
        assert set() == fields - info.keys()
        assert known.pid._number == info["pid"]
        assert {"pid": sup.pid._number, "name": "'top'"} == info["supervisor"] == info["parent"]
        assert [info["supervisor"]] == info["links"]
        assert info["behaviour"].endswith("test_details.Vault")
        assert ("idle", 0, None) == (info["status"], info["handled"], info["message"])
        assert any("message_loop.py" in line["text"] for line in info["stack"])
        assert None is info["stale"]
        items = dict(info["state"]["items"])
        assert "'blue'" == items["colour"]
        assert "<private>" == items["password"]
        assert len(items["boxes"]) <= 1000
        assert "s3cret" not in str(info)
        for ref in (info["pid"], str(info["pid"]), repr(known.pid), "'vault'"):
            assert info["pid"] == (await client.ask("info", ref=ref))["info"]["pid"]
        above = (await client.ask("info", ref="top"))["info"]
        assert "one_for_one" in above["summary"]
        assert {"used": 0, "limit": 3, "seconds": 5} == above["budget"]


async def test_a_state_is_asked_for_only_when_it_may_have_changed(autojump_clock: Any) -> None:
    """A process that nothing happens to is not woken by who looks at it."""
    async with (
        otp.open_supervisor([otp.child(Vault).having(name="vault")]),
        client_here() as client,
    ):
        asked = []
        otp.events.attach("handle_start", lambda *args: asked.append(args))
        questions = _count_questions()
        number = await client.say("info", ref="vault", every=1.0)
        for _ in range(3):
            answer = await client.answer(number)
        assert 1 == questions()
        Vault.paint("vault", "red")
        await trio.testing.wait_all_tasks_blocked()
        while "'red'" not in str(answer["result"]["info"]["state"]):
            answer = await client.answer(number)
        assert 2 == questions()


@pytest.mark.parametrize("kind", ["supervisor", "machine", "agent", "manager", "plain", "thread"])
async def test_a_state_of_each_kind_is_settled(kind: str, autojump_clock: Any) -> None:
    """The question itself is no reason to ask again."""

    class Machine(otp.GenStatem):
        def init(self) -> Any:
            return otp.NextState("off")

        def handle_event(self, *_: Any) -> Any:
            return otp.KeepState()

    async def plain() -> None:
        await trio.sleep_forever()

    def thread() -> None:
        otp.WorkerThread.stop_event().wait()

    children: dict[str, Any] = {
        "supervisor": otp.child(Inner),
        "machine": otp.child(Machine),
        "agent": otp.child(otp.Agent, dict),
        "manager": otp.child(otp.EventManager),
        "plain": otp.child(plain),
        "thread": otp.child(otp.WorkerThread, thread),
    }
    has_state = kind not in {"plain", "thread"}
    async with (
        otp.open_supervisor([children[kind].having(name="it")]),
        client_here() as client,
    ):
        questions = _count_questions()
        number = await client.say("info", ref="it", every=1.0)
        answers = [await client.answer(number) for _ in range(3)]
        for answer in answers:
            assert None is answer["result"]["info"]["stale"]
            assert has_state is (answer["result"]["info"]["state"] is not None)
        assert has_state == questions()


async def test_a_process_is_seen_where_it_waits(autojump_clock: Any) -> None:
    """And not in the answer to the question for its state."""
    from trio_otp.observer.reading import states

    shown = states._shown
    async with (
        otp.open_supervisor(SHOP),
        client_here() as client,
    ):
        with pytest.MonkeyPatch.context() as patch:

            def at_once(answer: Any) -> Any:  # as the other thread may see it: not yet at rest
                told.set()
                return shown(answer)

            told = threading.Event()
            patch.setattr(states, "_shown", at_once)
            patch.setattr(info, "stack_lines", lambda _: [{"told": told.is_set()}])
            found = (await client.ask("info", ref="shop"))["info"]
        assert [{"told": False}] == found["stack"]
        assert told.is_set()


async def test_what_has_just_been_answered_is_not_stale(autojump_clock: Any) -> None:
    """Not for a supervisor, which counts the question later, nor for who asks at the same time."""
    from trio_otp.observer.reading import states

    def at_rest(*_: object) -> bool:  # as the other thread may see it
        return False

    async with (
        otp.open_supervisor(SHOP, name="top"),
        client_here() as client,
        client_here() as other,
    ):
        other.hub.states = client.hub.states
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(states.State, "is_new", at_rest)
            numbers = [await each.say("info", ref="top") for each in (client, other)]
            for each, number in zip((client, other), numbers, strict=True):
                info = (await each.answer(number))["result"]["info"]
                assert info["stale"] is None
                assert info["state"] is not None


def _count_questions() -> Any:
    """Count what is posted to processes."""
    from trio_otp.observer.reading import states

    before = states.new_request
    count = [0]

    def counted(*args: Any) -> Any:
        count[0] += 1
        return before(*args)

    patch = pytest.MonkeyPatch()
    patch.setattr(states, "new_request", counted)

    def questions() -> int:
        patch.undo()
        patch.setattr(states, "new_request", counted)
        return count[0]

    return questions


async def test_a_busy_server_is_shown_with_what_is_known(autojump_clock: Any) -> None:
    """Its last state, said to be stale, what waits in its mailbox, and who waits for it."""
    event = trio.Event()
    async with (
        otp.open_supervisor([otp.child(Vault).having(name="vault")]),
        trio.open_nursery() as nursery,
        client_here() as client,
    ):
        number = await client.say("info", ref="vault", every=1.0)
        await client.answer(number)
        nursery.start_soon(Vault.at("vault", timeout=None).wait, event)
        await trio.testing.wait_all_tasks_blocked()
        Vault.paint("vault", "red")
        await trio.sleep(12)
        nursery.start_soon(Vault.at("vault", timeout=None).wait, event)
        await trio.testing.wait_all_tasks_blocked()
        info = (await client.ask("info", ref="vault"))["info"]
        assert "stale: handler busy 12 s" == info["stale"]
        assert "'blue'" == dict(info["state"]["items"])["colour"]
        assert "handling" == info["status"]
        assert info["message"].startswith("call wait(")
        [own] = [line["text"] for line in info["stack"] if line["own"]][:1]
        assert own.startswith(__file__)
        # The question of the observer itself waits there too, and is neither shown nor counted.
        assert ["cast", "call"] == [message["kind"] for message in info["messages"]]
        assert (2, 2) == (info["message_queue_len"], info["unanswered"])
        [row] = (await client.ask("rows", filter="vault"))["rows"].values()
        assert 2 == row["queue"]
        assert "paint('red')" in info["messages"][0]["text"]
        waiting = [each["request"] for each in info["waiting_for_it"]]
        assert ["call wait", "call wait"] == [each for each in waiting if "wait" in each]
        event.set()
        await trio.testing.wait_all_tasks_blocked()
        info = (await client.ask("info", ref="vault"))["info"]
        assert (None, "'red'") == (info["stale"], dict(info["state"]["items"])["colour"])


async def test_what_has_not_come_up_has_not_answered(autojump_clock: Any) -> None:
    """It handles nothing, so nothing is said to keep it busy."""

    class Slow(otp.GenServer):
        async def init(self) -> None:
            await trio.sleep_forever()

    async with client_here() as client, trio.open_nursery() as nursery:
        slow = otp.child(Slow).having(name="slow", timeout=None)
        nursery.start_soon(partial(otp.start, slow, nursery=nursery))
        await trio.testing.wait_all_tasks_blocked()
        info = (await client.ask("info", ref="slow"))["info"]
        assert ("starting", None) == (info["status"], info["state"])
        assert "stale: it has not answered" == info["stale"]
        nursery.cancel_scope.cancel()


async def test_what_a_server_hides_is_not_shown(autojump_clock: Any) -> None:
    """Of messages that its `format_status` decides about, only what they are."""

    class Hidden(otp.GenServer):
        def format_status(self, status: dict[str, Any]) -> dict[str, Any]:
            return dict.fromkeys(status, "hidden")

        @otp.on_call
        async def login(self, password: str, event: trio.Event) -> None:
            await event.wait()

    event = trio.Event()
    async with (
        otp.open_supervisor([otp.child(Hidden).having(name="hidden")]),
        trio.open_nursery() as nursery,
        client_here() as client,
    ):
        for _ in range(2):
            nursery.start_soon(Hidden.at("hidden").login, "s3cret", event)
        await trio.testing.wait_all_tasks_blocked()
        info = (await client.ask("info", ref="hidden"))["info"]
        assert "s3cret" not in str(info)
        assert "call not shown" == info["message"] == info["messages"][0]["text"]
        event.set()


async def test_info_of_nobody_is_an_error(autojump_clock: Any) -> None:
    """Which says what there is."""
    async with otp.open_supervisor(SHOP), client_here() as client:
        kind, text = await client.refused("info", ref="shoop")
        assert ("NoProcess", "no process 'shoop'; did you mean shop?") == (kind, text)
        assert "no process 999" in (await client.refused("info", ref=999))[1]


async def test_info_while_the_loop_is_stuck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What needs the loop is left out; the stack shows where it sits."""
    told = threading.Event()
    heard: list[Any] = []

    def ask(path: Path) -> None:
        try:
            with BlockingClient(path, os.geteuid(), LIMIT) as client:
                heard.extend(client.ask(what, **a) for what, a in QUESTIONS)
        finally:
            told.set()

    async with (
        otp.open_supervisor([otp.child(Blocked, told).having(name="b")], name="top"),
        trio.open_nursery() as nursery,
    ):
        seen = await otp.observer.serve(nursery=nursery, port=None)
        assert seen.socket is not None
        threading.Thread(target=ask, args=[seen.socket], daemon=True).start()
        assert await Blocked.hold("b")
        nursery.cancel_scope.cancel()
    assert len(QUESTIONS) == len(heard)
    assert all(answer.loop["where"].endswith(" in hold") for answer in heard)
    info = heard[0].result["info"]
    assert info["stack"][-1]["text"].endswith("in wait")
    assert any(line["own"] and line["text"].endswith(" in hold") for line in info["stack"])
    assert "call hold" == info["message"]
    assert info["stale"].startswith("stale: handler busy ")
    assert "'top'" == heard[1].result["nodes"][0]["name"]


QUESTIONS: list[tuple[str, dict[str, Any]]] = [
    ("info", {"ref": "b"}),
    ("tree", {"everything": True}),
    ("stacks", {}),
    ("crashes", {}),
    ("overview", {}),
    ("rows", {}),
]


# -- stacks and crashes ----------------------------------------------------------------------------


async def test_stacks_that_are_alike_are_one(autojump_clock: Any) -> None:
    """With how many have it; those of tasks that are no processes too."""
    many = [otp.child(Server).having(id=number) for number in range(30)]
    async with otp.open_supervisor(many), client_here() as client:
        groups = (await client.ask("stacks"))["groups"]
        assert 30 == groups[0]["count"]
        assert 5 == len(groups[0]["who"])
        assert "Server" == groups[0]["who"][0]["name"]
        [ours] = (await client.ask("stacks", filter="session.py"))["groups"][:1]
        assert any(each.get("task") for each in ours["who"])
        assert [] == (await client.ask("stacks", filter="no such line"))["groups"]


async def test_crashes_are_kept_as_text() -> None:
    """And grouped by exception and line; a client gets those that it does not have."""
    vaults = [otp.child(Vault).having(name=each) for each in ("one", "two")]
    async with (
        otp.open_supervisor(vaults, max_restarts=10),
        trio.open_nursery() as nursery,
    ):
        seen = await otp.observer.serve(nursery=nursery, port=None)
        async with client_at(seen.socket) as client:
            number = await client.say("crashes", every=0.25)
            assert [] == (await client.answer(number))["result"]["crashes"]
            for name in ("one", "two", "one"):
                with pytest.raises(otp.ServerExited):
                    await Vault.burn(name)
                await trio.testing.wait_all_tasks_blocked()
            got: list[int] = []  # before the next question, which reads over what comes meanwhile
            while len(got) < 3:
                got += [c["number"] for c in (await client.answer(number))["result"]["crashes"]]
            assert [1, 2, 3] == got
            result = await client.ask("crashes")
            assert [1, 2, 3] == [crash["number"] for crash in result["crashes"]]
            [group] = result["groups"]
            assert (3, "ValueError", ["'one'", "'two'"]) == (
                group["count"],
                group["kind"],
                group["names"],
            )
            assert group["where"].endswith(" in burn")
            crash = result["crashes"][0]
            assert "ValueError: the blue vault burns" == crash["text"]
            assert "in burn" in crash["traceback"]
            assert "call burn()" == crash["last_message"]
            assert "'blue'" in crash["state"]
            assert "s3cret" not in str(result)
            assert crash["client_place"].endswith("in test_crashes_are_kept_as_text")
            assert [3] == [c["number"] for c in (await client.ask("crashes", since=2))["crashes"]]
        nursery.cancel_scope.cancel()


async def test_what_is_gone_is_told_with_its_reason(autojump_clock: Any) -> None:
    """For ten seconds, to a client that has seen it."""
    async with otp.open_supervisor(SHOP, max_restarts=9), client_here() as client:
        number = await client.say("rows", every=1.0, filter="shop")
        [old] = (await client.answer(number))["result"]["keys"]
        await client.answer(number)
        otp.exit("shop", ValueError("burnt"))
        otp.exit("till", otp.KILL)  # the client has not seen that one
        with trio.fail_after(5):
            while not (gone := (await client.answer(number))["result"]["gone"]):
                pass
        assert {old: "ValueError: burnt"} == gone
        assert ("NoProcess", f"process {old} has ended: ValueError: burnt") == (
            await client.refused("info", ref=int(old))
        )
        began = trio.current_time()
        while (await client.answer(number))["result"]["gone"]:
            pass
        assert 8 <= trio.current_time() - began <= 12
        otp.exit("shop", otp.KILL)
        await client.answer(number)
        assert 1 == len(client.hub.records.ends)  # what is older is forgotten


async def test_a_pid_of_the_dead_leads_nowhere(autojump_clock: Any) -> None:
    """It is shown, with that it is dead."""
    started: list[Any] = []

    async def starter() -> None:
        started.append(await otp.start(otp.child(Server)))

    async with otp.open_process(), trio.open_nursery() as nursery, client_here() as client:
        pid = await otp.start(otp.child(starter), nursery=nursery)
        await trio.testing.wait_all_tasks_blocked()
        info = (await client.ask("info", ref=started[0]._number))["info"]
        [above] = [each for each in info["ancestors"] if each["pid"] == pid._number]
        assert above["dead"] is True
        nursery.cancel_scope.cancel()
