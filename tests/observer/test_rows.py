"""The table of processes as a client of the protocol gets it."""

from __future__ import annotations

import json
import threading
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from observer_kit import LIMIT, Server, client_here

import trio_otp as otp
from trio_otp.observer.reading.rows import SORTS, Changes, parse_filter, selected, window
from trio_otp.observer.session.protocol import BadLine, Refused, parse

SHOP = [otp.child(Server).having(name="shop"), otp.child(Server).having(name="till")]


async def test_a_row_has_a_limit(autojump_clock: Any) -> None:
    """Whatever the program calls its processes; many of them are sent at a time."""
    async with otp.open_process(label="x" * 100_000), client_here() as client:
        [row] = (await client.ask("rows"))["rows"].values()
        assert len(str(row)) < 1000


async def test_rows_say_what_each_process_does(autojump_clock: Any) -> None:
    """Its name, queue, oldest message and what it has in hand; the longest queue stands first."""
    event = trio.Event()
    async with (
        otp.open_supervisor(SHOP, name="top"),
        trio.open_nursery() as nursery,
        client_here() as client,
    ):
        nursery.start_soon(Server.at("shop", timeout=None).ask, "till", event)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(Server.at("till", timeout=None).wait, event)
        await trio.sleep(2)
        seen = await client.ask("rows")
        by_name = {row["name"]: row for row in seen["rows"].values()}
        assert (3, 3, 0) == (seen["total"], seen["matching"], seen["first"])
        assert list(seen["rows"]) == seen["keys"]
        till, shop = by_name["'till'"], by_name["'shop'"]
        assert seen["keys"][0] == str(till["pid"])
        assert ("handling", 3, "Server") == (till["status"], till["queue"], till["behaviour"])
        assert 2.0 <= till["oldest"] < 3
        assert till["doing"].startswith("call wait for 2")
        assert ("waiting", 0, None) == (shop["status"], shop["queue"], shop["oldest"])
        assert shop["doing"].endswith(f"waits for {till['pid']} 'till'")
        event.set()


async def test_a_client_gets_only_rows_that_have_changed(autojump_clock: Any) -> None:
    """Of the window it shows, once it has them; another window is another question."""
    async with otp.open_supervisor(SHOP, name="top"), client_here() as client:
        number = await client.say("rows", sort="pid", descending=False, every=1.0)
        first = (await client.answer(number))["result"]
        await client.answer(number)  # rates, which one sample cannot tell
        third = (await client.answer(number))["result"]
        assert first["keys"] == list(first["rows"]) == third["keys"]
        assert {} == third["rows"]
        Server.note("shop", 1)
        fourth = (await client.answer(number))["result"]
        [row] = fourth["rows"].values()
        assert ("'shop'", 1.0) == (row["name"], row["handled"])
        await client.send_line(json.dumps({"id": number, "ask": "rows", "first": 1, "count": 1}))
        other = (await client.answer(number))["result"]
        assert (1, 1) == (len(other["keys"]), len(other["rows"]))


async def test_an_old_message_is_known_by_its_place_at_the_head(autojump_clock: Any) -> None:
    """A cast has no time stamp: it is as old as the sampler has seen it at the head."""
    event = trio.Event()
    async with (
        otp.open_supervisor(SHOP),
        trio.open_nursery() as nursery,
        client_here() as client,
    ):
        nursery.start_soon(Server.at("shop", timeout=None).wait, event)
        await trio.testing.wait_all_tasks_blocked()
        Server.note("shop", 1)
        number = await client.say("rows", filter="shop", every=1.0)
        ages = []
        for _ in range(4):
            result = (await client.answer(number))["result"]
            ages += [row["oldest"] for row in result["rows"].values()]
        assert [0.0, 1.0, 2.0, 3.0] == pytest.approx(ages, abs=0.1)
        event.set()


async def test_a_question_that_is_wrong_is_answered_and_the_next_one_too(
    autojump_clock: Any,
) -> None:
    """Whatever a client sends ends nothing."""
    async with client_here() as client:
        for line, text in [
            ("{", "no JSON"),
            ("[]", "expected an object"),
            ('{"ask": "rows"}', "id=None"),
        ]:
            await client.send_line(line)
            message = await client.next()
            assert message["id"] is None
            assert text in message["error"]["text"]
        assert ("BadFilter", "'q>x': expected a number after >, as in q>10") == (
            await client.refused("rows", filter="q>x")
        )
        assert "BadSort" == (await client.refused("rows", sort="colour"))[0]
        assert "BadRequest" == (await client.refused("rows", colour="red"))[0]
        assert 0 == (await client.ask("rows", filter="q>1"))["matching"]


async def test_what_is_for_the_socket_alone_is_refused_elsewhere(autojump_clock: Any) -> None:
    """A page cannot ask for it."""
    async with client_here(local=False) as client:
        assert False is client.hello["socket"]
        assert "NotHere" == (await client.refused("url"))[0]
        assert "NotHere" == (await client.refused("eval", source="1"))[0]


async def test_a_subscription_ends_when_it_is_stopped(autojump_clock: Any) -> None:
    """Nothing comes of it any more, and the samples are forgotten."""
    async with otp.open_supervisor(SHOP), client_here() as client:
        number = await client.say("rows", every=0.5)
        await client.answer(number)
        assert {} != client.hub.sampler.table
        await client.send_line(json.dumps({"id": number, "ask": "stop"}))
        began = trio.current_time()
        other = await client.say("loop")
        while (await client.next())["id"] != other:
            pass
        assert {} == client.hub.sampler.table
        with trio.move_on_after(100) as scope:
            await client.next()
        assert scope.cancelled_caught
        assert trio.current_time() - began < 102


# -- pure ------------------------------------------------------------------------------------------


def seen(**given: Any) -> Any:
    row = {"number": 1, "shown": "'shop'", "behaviour": "Cache", "status": "idle", "queue": 0}
    row |= {"oldest": None, "rate": None, "restarts": 0, "seconds": None}
    row |= given
    text = f"{row['shown']} {row['behaviour']}".lower()
    return SimpleNamespace(**row, text=text)


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        ("", True),
        ("SHOP", True),
        ("cache shop", True),
        ("till", False),
        ("q>=5", True),
        ("q>5", False),
        ("queue<6 q=5", True),
        ("age>1", True),
        ("busy>0", False),
        ("restarts>0", False),
        ("pid=7", True),
        ("status:wait", True),
        ("status:idle", False),
        ("behaviour:cac name:sho", True),
        ("unknown:cac", False),
        ("unknown>3", False),
    ],
)
def test_filters(words: str, holds: bool) -> None:
    """All words have to hold; what is no condition is text."""
    row = seen(number=7, queue=5, oldest=1.5, status="waiting")

    assert holds is parse_filter(words)(row)


ROWS = st.lists(
    st.builds(
        seen,
        number=st.integers(1, 50),
        queue=st.integers(0, 3),
        oldest=st.none() | st.floats(0, 5),
        status=st.sampled_from(["idle", "waiting"]),
    ),
    max_size=20,
    unique_by=lambda row: row.number,
).map(lambda rows: sorted(rows, key=lambda row: row.number))


@given(rows=ROWS, sort=st.sampled_from(sorted(SORTS)), descending=st.booleans())
def test_sorting_is_stable(rows: list[Any], sort: str, descending: bool) -> None:
    """Equal rows stand in the order of their pids, whichever way the others are sorted."""
    found = selected(rows, "", sort, descending=descending)
    keys = [SORTS[sort](row) for row in found]

    assert keys == sorted(keys, reverse=descending)
    assert sorted(rows, key=id) == sorted(found, key=id)
    for one, other in pairwise(found):
        assert SORTS[sort](one) != SORTS[sort](other) or one.number < other.number


@given(count=st.integers(-5, 60), first=st.integers(-5, 60), size=st.integers(0, 50))
def test_a_window_is_inside_of_what_there_is(count: int, first: int, size: int) -> None:
    """A client that has scrolled too far sees the end, not nothing."""
    begin, shown = window(list(range(size)), first, count)

    assert 0 <= begin <= size
    assert shown == list(range(size))[begin : begin + max(count, 0)]
    assert shown or count <= 0 or size == 0


TABLE = st.dictionaries(st.sampled_from("abcd"), st.fixed_dictionaries({"q": st.integers(0, 2)}))


@given(tables=st.lists(TABLE, max_size=8))
def test_a_client_that_applies_the_changes_has_the_table(tables: list[dict[str, Any]]) -> None:
    """Whatever comes and goes; it forgets what is not in the window."""
    changes, known = Changes(), {}
    for table in tables:
        sent = changes.of(table)
        known = {key: sent.get(key, known.get(key)) for key in table}
        assert known == table


@given(st.text() | st.binary())
def test_any_line_is_a_request_or_a_bad_line(line: str | bytes) -> None:
    """And the text of the error has a limit."""
    text = ""
    try:
        parse(line)
    except BadLine as bad:
        text = bad.text
    assert len(text) < 500


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(
    st.dictionaries(
        st.sampled_from(["id", "ask", "every", "sort", "first", "count", "descending", "filter"]),
        VALUES,
    )
)
def test_arguments_have_their_types_or_are_refused(given: dict[str, Any]) -> None:
    """What comes through is what the answers are written for."""
    try:
        request = parse(json.dumps({"ask": "rows", **given}))
    except Refused:
        return
    if request.ask == "rows":
        kinds = {"sort": str, "first": int, "count": int, "descending": bool, "filter": str}
        assert kinds == {name: type(value) for name, value in request.arguments.items()}
    assert request.every is None or 0.25 <= request.every <= 60


async def test_a_port_and_a_thread_say_what_they_run(autojump_clock: Any) -> None:
    """The number of the program; that it is in a thread."""
    began = threading.Event()

    def wait() -> None:
        began.set()
        otp.WorkerThread.stop_event().wait()

    children = [otp.child(otp.Port, ["cat"]), otp.child(otp.WorkerThread, wait)]
    async with otp.open_supervisor(children), client_here() as client:
        await trio.testing.wait_all_tasks_blocked()
        assert began.wait(LIMIT)
        rows = (await client.ask("rows"))["rows"].values()
        doing = {row["behaviour"]: row["doing"] for row in rows}
        assert doing["Port"].startswith("os pid ")
        assert "in its thread" == doing["WorkerThread"]


async def test_a_client_has_so_many_questions_open_and_no_more(autojump_clock: Any) -> None:
    """One more is refused; the others go on."""
    async with client_here() as client:
        numbers = [await client.say("loop", every=60) for _ in range(33)]
        answers = [await client.next() for _ in range(33)]
        refused = [each["id"] for each in answers if each.get("error", {}).get("kind") == "TooMany"]
        assert numbers[-1:] == refused


async def test_an_answer_that_fails_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, autojump_clock: Any
) -> None:
    """It is logged, and the next question is answered."""
    from trio_otp.observer.session.session import ANSWERERS

    async def broken(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("oh")

    monkeypatch.setitem(ANSWERERS, "loop", broken)
    async with client_here() as client:
        kind, text = await client.refused("loop")
        assert ("ZeroDivisionError", "it could not be read: ZeroDivisionError('oh')") == (
            kind,
            text,
        )
        assert 0 == (await client.ask("rows"))["total"]
    assert "the observer could not answer loop" in caplog.text


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("x" * 70_000, "a line of 70000 characters: expected at most 65536"),
        ('{"id": 1, "ask": "info"}', "info needs ref"),
        ('{"id": 1, "ask": "rows", "first": true}', "first=True: expected int"),
        ('{"id": 1, "ask": "rows", "every": -1}', "every=-1: expected a number of seconds"),
        ('{"id": 1, "ask": "loop", "x": 1}', "loop has no argument 'x': it takes none"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_wrong_with_a_line_is_said(line: str, text: str) -> None:
    with pytest.raises(BadLine) as bad:
        parse(line)
    assert text == bad.value.text
