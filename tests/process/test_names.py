"""Names: atoms, via tuples, and how a reference of any kind becomes a process."""

from __future__ import annotations

import enum
from types import ModuleType
from typing import Any, ClassVar

import pytest
import trio
import trio.testing
from inside import runtime

import trio_otp as otp


class Role(enum.Enum):
    LEADER = "leader"


class Server(otp.GenServer):
    def handle_call(self, request: Any, from_: Any) -> Any:
        return otp.Reply((request, otp.self()))


class Phones:
    """A via registry of a user, with the four functions of the protocol."""

    def __init__(self) -> None:
        self.numbers: dict[Any, otp.Pid[Any]] = {}

    def register_name(self, key: Any, pid: otp.Pid[Any]) -> bool:
        return self.numbers.setdefault(key, pid) is pid

    def unregister_name(self, key: Any) -> None:
        del self.numbers[key]

    def whereis_name(self, key: Any) -> otp.Pid[Any] | None:
        return self.numbers.get(key)

    def send(self, key: Any, message: Any) -> None:
        otp.send(self.numbers[key], message)


async def idle() -> None:
    await trio.sleep_forever()


NAMES = ["cache", "Müller", Role.LEADER, Server, "via"]


# -- atoms -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_stands_for_its_process_in_every_function(name: Any) -> None:
    """A str, an enum member or a class names a process wherever a reference is taken."""
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Server).having(name=name))
        assert pid is otp.whereis(name)
        assert (1, pid) == await otp.call(name, 1)
        assert otp.is_alive(name)
        assert [name] == otp.registered()
        monitor = otp.monitor(name)
        await otp.stop(name)
        assert otp.Down(monitor, name, otp.NORMAL) == await otp.receive()
        assert otp.whereis(name) is None
        assert [] == otp.registered()


async def test_a_str_and_an_enum_of_the_same_value_are_two_names() -> None:
    """Names are compared as they are: `"leader"` is not `Role.LEADER`."""
    async with otp.open_process():
        one, two = otp.spawn(idle), otp.spawn(idle)
        otp.register("leader", one)
        otp.register(Role.LEADER, two)
        assert (one, two) == (otp.whereis("leader"), otp.whereis(Role.LEADER))


@pytest.mark.parametrize("name", ["", "nil", "undefined", "true", "false"])
async def test_reserved_words_are_refused(name: str) -> None:
    """The words that OTP reserves are no names; the error says what is."""
    async with otp.open_process() as me:
        with pytest.raises(ValueError, match="reserved"):
            otp.register(name, me)
        with pytest.raises(ValueError, match="reserved"):
            otp.child(Server).having(name=name)


@pytest.mark.parametrize("name", [7, b"x", ("a", "b"), ["via", 1, 2], 1.5])
async def test_what_is_no_name_is_refused(name: Any) -> None:
    """Anything else is a TypeError that says what is accepted."""
    async with otp.open_process() as me:
        with pytest.raises(TypeError, match=r"expected a str, an enum member, a class"):
            otp.register(name, me)
        with pytest.raises(TypeError, match=r"expected a Pid, a name"):
            otp.whereis(name)
        with pytest.raises(TypeError, match=r"expected a Pid, a name"):
            otp.cast(name, "x")


async def test_fault_49_a_taken_name_tells_its_holder() -> None:
    """A second holder is refused with AlreadyRegistered or AlreadyStarted, which have its pid."""
    async with otp.open_process():
        holder, other = otp.spawn(idle), otp.spawn(idle)
        otp.register("taken", holder)
        with pytest.raises(otp.AlreadyRegistered, match="'taken'") as refused:
            otp.register("taken", other)
        assert (holder, "taken") == (refused.value.pid, refused.value.key)
        with pytest.raises(otp.AlreadyStarted) as started:
            await otp.start_link(otp.child(Server).having(name="taken"))
        assert holder is started.value.pid
        otp.register("free", other)


async def test_fault_49_a_name_is_free_before_the_down(autojump_clock: Any) -> None:
    """Whoever hears of a death can take the name at once, 30 times over."""
    async with otp.open_process():
        for _ in range(30):
            pid, _monitor = await otp.start_monitor(otp.child(Server).having(name="phoenix"))
            otp.exit(pid, otp.KILL)
            await otp.receive(otp.Down)
            assert otp.whereis("phoenix") is None


async def test_a_process_has_one_local_name() -> None:
    """A second name for one process is refused, and a freed one can be replaced."""
    async with otp.open_process() as me:
        otp.register("first", me)
        with pytest.raises(ValueError, match="has the name 'first'"):
            otp.register("second", me)
        otp.unregister("first")
        otp.register("second", me)
        assert ["second"] == otp.registered()
    assert {} == runtime().names


async def test_unregister_of_a_free_name_is_an_error() -> None:
    """unregister raises NoProcess if nobody has the name."""
    async with otp.open_process():
        with pytest.raises(otp.NoProcess, match="'nobody'"):
            otp.unregister("nobody")


async def test_register_needs_a_living_process() -> None:
    """A dead or exiting process gets no name."""
    async with otp.open_process():
        pid, _ = otp.spawn_monitor(idle)
        await trio.testing.wait_all_tasks_blocked()
        otp.exit(pid, "exiting")
        with pytest.raises(otp.NoProcess):
            otp.register("ghost", pid)
        await otp.receive(otp.Down)
        with pytest.raises(otp.NoProcess):
            otp.register("ghost", pid)
    assert {} == runtime().names


async def test_names_are_listed_oldest_first() -> None:
    """registered lists what is in use, in the order of registration."""
    async with otp.open_process():
        for name in "cab":
            otp.register(name, otp.spawn(idle))
        assert ["c", "a", "b"] == otp.registered()


# -- via -------------------------------------------------------------------------------------------


async def test_a_via_name_works_in_every_function() -> None:
    """A via tuple of a user's registry starts, calls, casts, monitors and stops a server."""
    phones = Phones()
    name = ("via", phones, "ada")
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Server).having(name=name))
        assert pid is otp.whereis(name)
        assert {"ada": pid} == phones.numbers
        assert repr(pid).endswith(" Server 'ada'>")
        assert ("hi", pid) == await otp.call(name, "hi")
        monitor = otp.monitor(name)
        await otp.stop(name)
        assert otp.Down(monitor, name, otp.NORMAL) == await otp.receive()
        assert {} == phones.numbers
        with pytest.raises(otp.NoProcess):
            await otp.call(name, "hi")
        otp.cast(name, "nobody")


async def test_a_module_can_be_a_via_registry() -> None:
    """Whatever has the four functions will do: an object, or a module."""
    phones = Phones()
    module: Any = ModuleType("phones")
    for name in ("register_name", "unregister_name", "whereis_name", "send"):
        setattr(module, name, getattr(phones, name))
    async with otp.open_process():
        pid = await otp.start_link(otp.child(Server).having(name=("via", module, 7)))
        assert pid is otp.whereis(("via", module, 7))


async def test_a_start_that_a_registry_refuses_leaves_the_holder_its_name() -> None:
    """A taken via name is AlreadyStarted with the holder, who keeps the name; nothing is left."""
    phones = Phones()
    name = ("via", phones, "ada")
    async with otp.open_process():
        holder = await otp.start_link(otp.child(Server).having(name=name))
        processes = len(runtime().processes)
        with pytest.raises(otp.AlreadyStarted) as refused:
            await otp.start_link(otp.child(Server).having(name=name))
        assert holder is refused.value.pid
        assert holder is otp.whereis(name)
        assert processes == len(runtime().processes)


async def test_a_race_for_a_via_name_has_one_winner() -> None:
    """If the registry says no after it said the name was free, the name stays with the winner."""

    class Late(Phones):
        """It knows its entries only once they are asked for a second time."""

        asked = 0

        def whereis_name(self, key: Any) -> otp.Pid[Any] | None:
            self.asked += 1
            return None if self.asked == 1 else super().whereis_name(key)

    phones = Late()
    async with otp.open_process() as me:
        phones.numbers["ada"] = me
        with pytest.raises(otp.AlreadyStarted) as refused:
            await otp.start_link(otp.child(Server).having(name=("via", phones, "ada")))
        assert me is refused.value.pid
        assert {"ada": me} == phones.numbers


async def test_a_registry_that_raises_fails_the_start() -> None:
    """An error of a user's registry is the reason of a StartError; no process is left."""

    class Broken(Phones):
        def register_name(self, key: Any, pid: otp.Pid[Any]) -> bool:
            raise LookupError("no lines")

    async with otp.open_process():
        with pytest.raises(otp.StartError, match="no lines") as failed:
            await otp.start_link(otp.child(Server).having(name=("via", Broken(), "ada")))
        assert isinstance(failed.value.reason, LookupError)
        assert 1 == len(runtime().processes)


async def test_a_registry_that_raises_does_not_break_a_death() -> None:
    """If freeing a via name raises, it is told, and links and monitors hear all the same."""

    class Broken(Phones):
        def unregister_name(self, key: Any) -> None:
            raise LookupError("line is dead")

    notices: list[Any] = []
    async with otp.open_process(trap_exit=True):
        runtime().events.attach("notice", notices.append)
        child = otp.child(Server).having(name=("via", Broken(), "ada"))
        pid = await otp.start_link(child)
        otp.monitor(pid)
        otp.exit(pid, otp.KILL)
        heard = {type(await otp.receive()) for _ in range(2)}
    assert {otp.Exit, otp.Down} == heard
    assert ["line is dead" in notice.text for notice in notices] == [True]


@pytest.mark.parametrize("frees", [True, False])
async def test_a_registry_is_told_to_free_a_name_unless_it_does_so_itself(frees: bool) -> None:
    """At the end of a process the name is freed for it; who watches processes says so."""

    class Told(Phones):
        frees_names = frees
        freed: ClassVar[list[Any]] = []

        def unregister_name(self, key: Any) -> None:
            self.freed.append((key, self.whereis_name(key)))

    async with otp.open_process():
        pid = await otp.start_link(otp.child(Server).having(name=("via", Told(), "ada")))
        await otp.stop(pid)
    assert ([] if frees else [("ada", pid)]) == Told.freed


async def test_a_via_tuple_whose_registry_is_no_registry() -> None:
    """A via tuple over an ordinary process is a TypeError, over nobody it resolves to nobody."""
    async with otp.open_process(name="plain") as me:
        with pytest.raises(TypeError, match="is not a registry"):
            otp.whereis(("via", "plain", "key"))
        assert otp.whereis(("via", "nobody", "key")) is None
        with pytest.raises(otp.NoProcess):
            otp.send(("via", "nobody", "key"), "x")
        with pytest.raises(otp.StartError):
            await otp.start_link(otp.child(Server).having(name=("via", "nobody", "key")))
        with pytest.raises(ValueError, match="at most one local name"):
            otp.register(("via", Phones(), "key"), me)


async def test_a_handle_of_something_else_is_nobody() -> None:
    """What has a number of the operating system as its `pid` is no process of ours."""

    class Program:
        pid = 4711

    async with otp.open_process():
        assert otp.whereis(Program()) is None  # type: ignore[arg-type]
        with pytest.raises(otp.NoProcess):
            await otp.call(Program(), "hello")  # type: ignore[arg-type]
