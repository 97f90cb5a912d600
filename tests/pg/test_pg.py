"""Process groups: counted memberships, who hears of changes, and what the end of a process does."""

from __future__ import annotations

import gc
import weakref
from contextlib import asynccontextmanager
from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings
from inside import process_of, strict_key

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

S = "scope"


@asynccontextmanager
async def running() -> AsyncGenerator[otp.Pid[Any]]:
    """Run a scope, and give the block a process."""
    scope = otp.child(otp.pg.Scope).having(name=S)
    async with otp.open_supervisor([scope]), otp.open_process() as me:
        yield me


def idle() -> otp.Pid[Any]:
    return otp.spawn(trio.sleep_forever)


async def received() -> list[tuple[str, Any, tuple[otp.Pid[Any], ...]]]:
    """Return what monitors of groups have sent so far, without their handles."""
    messages: list[Any] = []
    await trio.testing.wait_all_tasks_blocked()
    try:
        while True:
            messages.append(await otp.receive((otp.pg.Joined, otp.pg.Left), timeout=0))
    except otp.ReceiveTimeout:
        return [(type(m).__name__, m.group, m.pids) for m in messages]


# -- memberships -----------------------------------------------------------------------------------


async def test_memberships_are_counted() -> None:
    """Who has joined twice is listed twice, and leaves once at a time."""
    async with running():
        a, b = idle(), idle()
        otp.pg.join(S, "g", a)
        otp.pg.join(S, "g", a)
        otp.pg.join(S, "g", [b, a])
        assert [a, a, a, b] == otp.pg.get_members(S, "g")

        assert otp.pg.leave(S, "g", a)
        assert [a, a, b] == otp.pg.get_members(S, "g")
        assert otp.pg.leave(S, "g", [a, a, a, b])
        assert [] == otp.pg.get_members(S, "g")
        assert not otp.pg.leave(S, "g", a)
        assert not otp.pg.leave(S, "g", [a, b])


async def test_groups_exist_while_they_have_members() -> None:
    """They come with the first member and go with the last; unknown ones have none."""
    async with running():
        a = idle()
        assert [] == otp.pg.get_members(S, "g") == otp.pg.which_groups(S)
        otp.pg.join(S, "g", a)
        otp.pg.join(S, ("h", 1), [a, a])
        otp.pg.join(S, "empty", [])
        assert ["g", ("h", 1)] == otp.pg.which_groups(S)

        otp.pg.leave(S, "g", a)
        otp.pg.leave(S, ("h", 1), a)
        assert [("h", 1)] == otp.pg.which_groups(S)


async def test_groups_are_told_apart_by_type() -> None:
    """1, 1.0 and True are three groups."""
    async with running():
        groups: list[Any] = [1, 1.0, True, (1,), (True,)]
        pids = [idle() for _ in groups]
        for group, pid in zip(groups, pids, strict=True):
            otp.pg.join(S, group, pid)

        assert [[pid] for pid in pids] == [otp.pg.get_members(S, group) for group in groups]
        assert list(map(repr, groups)) == list(map(repr, otp.pg.which_groups(S)))


async def test_scopes_share_nothing() -> None:
    """The same group of two scopes has members of its own; a pid names a scope, too."""
    async with running():
        other = await otp.start(otp.pg.Scope)
        a, b = idle(), idle()
        otp.pg.join(S, "g", a)
        otp.pg.join(other, "g", b)

        assert ([a], [b]) == (otp.pg.get_members(S, "g"), otp.pg.get_members(other, "g"))


# -- ends ------------------------------------------------------------------------------------------


async def test_a_member_that_dies_has_left_before_anyone_hears_of_it() -> None:
    """All memberships of all groups are gone when the Down arrives, and before it is told of."""
    async with running():
        a, b = idle(), idle()
        otp.pg.join(S, "g", [a, b, a])
        otp.pg.join(S, "h", a)
        otp.pg.monitor_scope(S)
        watch = otp.monitor(a)

        otp.exit(a, otp.KILL)
        assert [b] == otp.pg.get_members(S, "g")
        assert ["g"] == otp.pg.which_groups(S)
        await trio.testing.wait_all_tasks_blocked()

        got = [await otp.receive(timeout=0) for _ in range(4)]
        assert [("g", (a,)), ("g", (a,)), ("h", (a,))] == [(m.group, m.pids) for m in got[:3]]
        assert otp.Down(watch, a, otp.KILLED) == got[3]


async def test_a_dead_pid_joins_nothing() -> None:
    """It is as if it had died a moment later: nobody hears of it, the living ones join."""
    async with running():
        a, b = idle(), idle()
        otp.exit(a, otp.KILL)
        otp.pg.monitor(S, "g")

        otp.pg.join(S, "g", a)
        otp.pg.join(S, "g", [a, b])

        assert [b] == otp.pg.get_members(S, "g")
        assert [("Joined", "g", (b,))] == await received()


async def test_the_end_of_a_scope_ends_its_groups_alone() -> None:
    """Members and those who follow live on, and can join the next one."""
    async with running():
        a = idle()
        otp.pg.join(S, "g", a)
        handle, _ = otp.pg.monitor(S, "g")
        otp.exit(S, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()

        assert otp.is_alive(a)
        assert [] == otp.pg.which_groups(S)
        assert not otp.pg.demonitor(handle)
        otp.pg.join(S, "g", a)
        otp.exit(a, otp.KILL)
        await trio.testing.wait_all_tasks_blocked()
        assert [] == otp.pg.get_members(S, "g") == await received()


class Watcher(otp.GenServer):
    """A server that follows a group."""

    def init(self) -> None:
        otp.pg.monitor(S, "g")
        otp.pg.monitor_scope(S)
        otp.pg.join(S, "g", otp.self())

    def handle_info(self, message: Any) -> None:
        assert isinstance(message, otp.pg.Joined)


async def test_nothing_is_kept_of_the_dead() -> None:
    """A member that follows its own group goes without a trace."""
    async with running():
        scope = otp.whereis(S)
        assert scope is not None
        assert process_of(scope) is not None
        pid = await otp.start(Watcher)
        watch = weakref.ref(pid)
        await otp.stop(pid)
        del pid
        gc.collect()

        assert None is watch()
        server = process_of(scope).instance
        assert ({}, {}, 0) == (server.monitors, server._watching, len(server.table))


# -- monitors --------------------------------------------------------------------------------------


async def test_a_monitor_tells_who_comes_and_goes() -> None:
    """It begins with the members there are; one message for each call, with all its pids."""
    async with running():
        a, b = idle(), idle()
        otp.pg.join(S, "g", a)
        handle, members = otp.pg.monitor(S, "g")
        assert [a] == members

        otp.pg.join(S, "g", [a, b, a])
        otp.pg.join(S, "h", a)
        otp.pg.leave(S, "g", [a, b])
        otp.pg.leave(S, "g", [b])

        assert "<GroupMonitor of group 'g'>" == repr(handle)
        assert otp.pg.Joined(handle, "g", (a, b, a)) == await otp.receive(timeout=0)
        assert [("Left", "g", (a, b))] == await received()


async def test_only_who_was_in_the_group_is_said_to_have_left() -> None:
    """The message names those who were in it, as often as they were."""
    async with running() as me:
        a, b = idle(), idle()
        otp.pg.join(S, "g", [a, b, a])
        otp.pg.monitor(S, "g")

        otp.pg.leave(S, "g", [a, b, b, me])

        assert [("Left", "g", (a, b))] == await received()


async def test_a_monitor_of_the_scope_hears_of_every_group() -> None:
    """It begins with all groups; who follows a group as well gets both messages."""
    async with running():
        a = idle()
        otp.pg.join(S, "g", [a, a])
        handle, groups = otp.pg.monitor_scope(S)
        assert {"g": [a, a]} == groups
        assert "<GroupMonitor of all groups>" == repr(handle)
        one, _ = otp.pg.monitor(S, "h")

        otp.pg.join(S, "h", a)
        otp.pg.leave(S, "g", a)

        assert [
            otp.pg.Joined(handle, "h", (a,)),
            otp.pg.Joined(one, "h", (a,)),
            otp.pg.Left(handle, "g", (a,)),
        ] == [await otp.receive(timeout=0) for _ in range(3)]


async def test_demonitor_takes_out_what_was_not_read() -> None:
    """Nothing comes any more, what had come is gone, and other monitors go on."""
    async with running():
        a = idle()
        first, _ = otp.pg.monitor(S, "g")
        second, _ = otp.pg.monitor(S, "g")
        otp.pg.join(S, "g", a)
        otp.send(otp.self(), "other")

        assert otp.pg.demonitor(first)
        assert not otp.pg.demonitor(first)
        otp.pg.leave(S, "g", a)

        assert [otp.pg.Joined(second, "g", (a,)), "other", otp.pg.Left(second, "g", (a,))] == [
            await otp.receive(timeout=0) for _ in range(3)
        ]
        assert [] == await received()


async def test_messages_are_frozen() -> None:
    """They can go to many processes: nobody can change them."""
    async with running():
        otp.pg.monitor(S, "g")
        otp.pg.join(S, "g", idle())
        message = await otp.receive(otp.pg.Joined, timeout=0)

        with pytest.raises(FrozenInstanceError):
            message.group = "h"  # type: ignore[misc]


# -- what is refused -------------------------------------------------------------------------------

USES: list[Callable[[], object]] = [
    lambda: otp.pg.join(S, "g", []),
    lambda: otp.pg.leave(S, "g", []),
    lambda: otp.pg.get_members(S, "g"),
    lambda: otp.pg.which_groups(S),
    lambda: otp.pg.monitor(S, "g"),
    lambda: otp.pg.monitor_scope(S),
]


@pytest.mark.parametrize("use", USES)
async def test_a_scope_that_does_not_run_says_so(use: Callable[[], object]) -> None:
    """Every function raises NoProcess with a note how to start it."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess) as caught:
            use()
        assert "otp.child(otp.pg.Scope)" in caught.value.__notes__[0]


@pytest.mark.parametrize("use", USES)
async def test_a_name_of_something_else_says_so(use: Callable[[], object]) -> None:
    """The error names it and what is accepted."""
    async with otp.open_process(name=S):
        with pytest.raises(TypeError, match=r"ref='scope': expected the name of an otp\.pg"):
            use()


@pytest.mark.parametrize("pids", ["name", 1, None, ["name"], ("via", "reg", "k")])
async def test_what_is_no_pid_joins_nothing(pids: Any) -> None:
    """Also if others in the list are: all or none."""
    async with running():
        a = idle()
        wrong = [a, *pids] if isinstance(pids, list) else pids
        for use in (otp.pg.join, otp.pg.leave):
            with pytest.raises(TypeError, match="expected a Pid or an iterable of Pids"):
                use(S, "g", wrong)
        with pytest.raises(TypeError, match="expected any hashable value"):
            otp.pg.join(S, ["g"], a)

        assert [] == otp.pg.which_groups(S)


async def test_plain_trio_code_looks_and_joins_others_but_follows_nothing() -> None:
    """It has no mailbox for the messages, and the error says what to write."""
    scope = otp.child(otp.pg.Scope).having(name=S)
    async with otp.open_supervisor([scope]), trio.open_nursery() as nursery:
        a = otp.spawn(trio.sleep_forever, nursery=nursery)
        otp.pg.join(S, "g", a)
        assert [a] == otp.pg.get_members(S, "g")
        for use in USES[-2:]:
            with pytest.raises(otp.NotAProcess, match=r"async with otp\.open_process\(\) as me"):
                use()
        nursery.cancel_scope.cancel()


async def test_a_scope_takes_no_calls_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """A call is refused in the caller, a cast is logged, and no membership is lost."""
    async with running():
        otp.pg.join(S, "g", idle())
        with pytest.raises(TypeError, match=r"otp\.pg\.Scope does not take the call 'hello'"):
            await otp.call(S, "hello")
        otp.cast(S, "odd")
        await trio.testing.wait_all_tasks_blocked()
        assert 1 == len(otp.pg.get_members(S, "g"))

    [notice] = [record.getMessage() for record in caplog.records]
    assert "odd" in notice
    assert {"groups": 0, "members": 0} == otp.pg.Scope().format_status()


# -- against a model -------------------------------------------------------------------------------

GROUPS: list[Any] = ["g", 1, True]
MEMBERS = range(3)
_who = st.sampled_from(MEMBERS)
_group = st.integers(0, len(GROUPS) - 1)
_several = st.lists(_who, max_size=4)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("join"), _group, _several),
        st.tuples(st.just("leave"), _group, _several),
        st.tuples(st.just("kill"), _group, st.lists(_who, min_size=1, max_size=1)),
    ),
    max_size=25,
)


class Model:
    """A list of memberships, oldest first, and the messages of a monitor of everything."""

    def __init__(self, pids: dict[int, otp.Pid[Any]]) -> None:
        self.pids = pids
        self.entries: list[tuple[int, int]] = []  # (number of the group, member)
        self.messages: list[tuple[str, Any, list[otp.Pid[Any]]]] = []

    def note(self, kind: str, group: int, members: list[int]) -> None:
        if members:
            pids = [self.pids[who] for who in members]
            self.messages.append((kind, strict_key(GROUPS[group]), pids))

    def join(self, group: int, members: list[int]) -> None:
        self.entries += [(group, who) for who in members]
        self.note("Joined", group, members)

    def leave(self, group: int, members: list[int]) -> None:
        left = []
        for who in members:
            if (group, who) in self.entries:
                self.entries.remove((group, who))
                left.append(who)
        self.note("Left", group, left)

    def kill(self, _: int, members: list[int]) -> None:
        [who] = members
        for group, _ in [entry for entry in self.entries if entry[1] == who]:
            self.note("Left", group, [who])
        self.entries = [entry for entry in self.entries if entry[1] != who]


async def _run(operations: list[tuple[str, int, list[int]]]) -> None:
    async with running():
        pids = {who: idle() for who in MEMBERS}
        model = Model(pids)
        otp.pg.monitor_scope(S)
        for name, group, members in operations:
            if name == "kill":
                otp.exit(pids[members[0]], otp.KILL)
            else:
                getattr(otp.pg, name)(S, GROUPS[group], [pids[who] for who in members])
            getattr(model, name)(group, members)
            for number, key in enumerate(GROUPS):
                expected = sorted(repr(pids[who]) for own, who in model.entries if own == number)
                assert expected == sorted(map(repr, otp.pg.get_members(S, key)))
            groups = {strict_key(GROUPS[number]) for number, _ in model.entries}
            assert groups == {strict_key(key) for key in otp.pg.which_groups(S)}
            got = [(kind, strict_key(key), list(who)) for kind, key, who in await received()]
            assert sorted(model.messages, key=repr) == sorted(got, key=repr)
            model.messages.clear()
            if name == "kill":  # the next one has this number
                pids[members[0]] = idle()


@given(operations=OPERATIONS)
@settings(max_examples=few(80))
def test_groups_agree_with_their_model(operations: list[tuple[str, int, list[int]]]) -> None:
    """Joined, left and killed in any order, members, groups and messages are those of a list."""
    trio.run(_run, operations)


async def test_the_end_of_one_who_follows_leaves_the_others() -> None:
    """Those who follow the same group go on to hear of it."""
    async with running():
        ended = trio.Event()

        async def follow() -> None:
            otp.pg.monitor(S, "g")
            await ended.wait()

        other = otp.spawn_link(follow)
        otp.pg.monitor(S, "g")
        await trio.testing.wait_all_tasks_blocked()
        ended.set()
        await trio.testing.wait_all_tasks_blocked()
        assert not otp.is_alive(other)
        member = idle()
        otp.pg.join(S, "g", member)
        assert [("Joined", "g", (member,))] == await received()


async def test_a_member_that_follows_its_group_ends_in_silence() -> None:
    """The dead are told nothing; nothing is counted as dropped."""
    lost: list[Any] = []

    async def join_and_follow() -> None:
        otp.pg.join(S, "g", otp.self())
        otp.pg.monitor(S, "g")

    async with running():
        otp.events.attach("dropped", lambda _, message, *__: lost.append(message))
        await otp.start_monitor(join_and_follow)
        await otp.receive(otp.Down)
        assert [] == otp.pg.get_members(S, "g")
    assert [] == lost
