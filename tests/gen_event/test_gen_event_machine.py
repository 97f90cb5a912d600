"""gen_event against a model: a list of handlers, over any order of operations, crashes and ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import hypothesis.strategies as st
import pytest
import trio
import trio.testing
from depth import few
from hypothesis import given, settings

import trio_otp as otp

ge = otp.gen_event
IDS: list[Any] = [None, "a", 1]
OWNERS = range(2)


@dataclass
class Place:
    """A handler as the model knows it."""

    number: int
    id: Any
    owner: int | None
    events: list[Any] = field(default_factory=list)


class Model:
    """The handlers, newest first, what each has heard, and what each owner has been told."""

    def __init__(self) -> None:
        self.places: list[Place] = []
        self.told: dict[int, list[Any]] = {owner: [] for owner in OWNERS}
        self.ended: list[tuple[int, str]] = []  # (number, why), in order
        self.heard: dict[int, list[Any]] = {}

    def find(self, id: Any) -> Place | None:
        return next((place for place in self.places if place.id == id), None)

    def add(self, number: int, id: Any, owner: int | None, index: int = 0) -> None:
        place = Place(number, id, owner)
        self.heard[number] = place.events
        self.places.insert(index, place)

    def take_out(self, place: Place, why: str, told: str) -> None:
        self.places.remove(place)
        self.ended.append((place.number, why))
        if place.owner is not None:
            self.told[place.owner].append((place.id, told))

    def notify(self, event: Event) -> None:
        for place in list(self.places):
            place.events.append(event)
            if event.target in (place.id, "all"):
                self._act(place, event)

    def _act(self, place: Place, event: Event) -> None:
        if event.act == "crash":
            self.take_out(place, "crash", "crash")
        elif event.act == "remove":
            self.take_out(place, "removed", "normal")
        elif event.act == "swap" and event.target != "all":
            index = self.places.index(place)
            self.take_out(place, "given", "swapped")
            self.add(event.new, place.id, place.owner, index)

    def end_of(self, owner: int) -> None:
        for place in list(self.places):
            if place.owner == owner:
                self.take_out(place, "owner", "unheard")
        self.told[owner] = []


@dataclass(frozen=True)
class Event:
    """What the handlers of an id, or all, do when they hear it."""

    act: str
    target: Any
    new: int = 0  # the number of the handler that comes in a swap


class Ear(otp.GenEvent):
    """A handler that does what events say, and writes down what happens to it."""

    def __init__(self, system: System, number: int, id: Any) -> None:
        self.system = system
        self.number = number
        self.id = id
        self.events: list[Any] = []
        system.heard[number] = self.events

    async def handle_event(self, event: Event) -> Any:
        self.events.append(event)
        if self.number % 2:
            await trio.lowlevel.checkpoint()
        if event.target not in (self.id, "all"):
            return None
        match event.act:
            case "crash":
                raise RuntimeError("crash")
            case "remove":
                return otp.RemoveHandler()
            case "swap" if event.target != "all":
                new = Ear(self.system, event.new, self.id)
                return otp.SwapHandler(new, reason="given", id=self.id)
            case _:
                return None

    def handle_call(self, request: str) -> Any:
        if request == "crash":
            raise RuntimeError("crash")
        return otp.Reply(self.number)

    def handle_info(self, message: Any) -> None:
        assert isinstance(message, otp.Exit)

    def terminate(self, reason: object) -> int:
        self.system.ended.append((self.number, word_of(reason)))
        return self.number


def word_of(reason: object) -> str:
    match reason:
        case RuntimeError():
            return "crash"
        case otp.NORMAL:
            return "removed"
        case otp.SHUTDOWN:
            return "stop"
        case otp.OwnerExited():
            return "owner"
        case _:
            return str(reason)


class Owner(otp.GenServer):
    """Adds handlers of its own, and keeps what it is told of them."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    async def handle_call(self, request: Any, from_: otp.From[Any]) -> Any:
        if request is None:
            return otp.Reply(self.told)
        await request()
        return otp.Reply(None)

    @otp.on_info(otp.HandlerExit)
    def gone(self, message: otp.HandlerExit) -> None:
        _, id = message.handler if isinstance(message.handler, tuple) else (None, None)
        self.told.append((id, message.reason))


class System:
    """An event manager with owners, and the model beside it."""

    def __init__(self) -> None:
        self.model = Model()
        self.heard: dict[int, list[Any]] = {}
        self.ended: list[tuple[int, str]] = []
        self.owners: dict[int, otp.Pid[Any]] = {}
        self.numbers = 0

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    async def owner(self, number: int) -> otp.Pid[Any]:
        if number not in self.owners:
            self.owners[number] = await otp.start(Owner)
        return self.owners[number]

    async def add(self, id: Any, owner: int | None) -> None:
        number = self.next_number()
        ear = Ear(self, number, id)
        self.model.add(number, id, owner)
        if owner is None:
            await ge.add_handler("events", ear, id=id)
        else:
            await otp.call(
                await self.owner(owner), lambda: ge.add_sup_handler("events", ear, id=id)
            )

    async def delete(self, id: Any) -> None:
        place = self.model.find(id)
        if place is None:
            with pytest.raises(otp.NoHandler):
                await ge.delete_handler("events", key_of(id))
        else:
            self.model.take_out(place, "deleted", "normal")
            assert place.number == await ge.delete_handler("events", key_of(id), "deleted")

    async def swap(self, old: Any, id: Any, owner: int | None) -> None:
        number, place = self.next_number(), self.model.find(old)
        ear = Ear(self, number, id)
        if place is not None:
            self.model.take_out(place, "swapped", "swapped")
        if owner is None:
            self.model.add(number, id, None if place is None else place.owner)
            await ge.swap_handler("events", key_of(old), ear, reason="swapped", id=id)
        else:
            self.model.add(number, id, owner)

            async def swap() -> None:
                await ge.swap_sup_handler("events", key_of(old), ear, reason="swapped", id=id)

            await otp.call(await self.owner(owner), swap)

    async def notify(self, act: str, target: Any, wait: bool) -> None:
        event = Event(act, target, self.next_number() if act == "swap" else 0)
        if act == "swap" and [place.id for place in self.model.places].count(target) > 1:
            return  # each would bring a handler of the same number
        self.model.notify(event)
        if wait:
            await ge.sync_notify("events", event)
        else:
            ge.notify("events", event)

    async def call(self, id: Any, request: str) -> None:
        place = self.model.find(id)
        if place is None:
            with pytest.raises(otp.NoHandler):
                await ge.call("events", key_of(id), request)
        elif request == "crash":
            self.model.take_out(place, "crash", "crash")
            with pytest.raises(otp.HandlerCrashed):
                await ge.call("events", key_of(id), request)
        else:
            assert place.number == await ge.call("events", key_of(id), request)

    async def end_owner(self, owner: int, reason: object) -> None:
        if owner in self.owners:
            self.model.end_of(owner)
            otp.exit(self.owners.pop(owner), reason)
            await trio.testing.wait_all_tasks_blocked()

    async def check(self) -> None:
        keys = [key_of(place.id) for place in self.model.places]
        assert keys == await ge.which_handlers("events")
        assert self.model.ended == self.ended
        for owner, pid in self.owners.items():
            assert self.model.told[owner] == [
                (id, told_word(reason)) for id, reason in await otp.call(pid, None)
            ]
        assert {number: self.model.heard[number] for number in self.heard} == self.heard


def told_word(reason: object) -> str:
    match reason:
        case otp.Swapped():
            return "swapped"
        case RuntimeError():
            return "crash"
        case _:
            return str(reason).lower()


def key_of(id: Any) -> Any:
    return Ear if id is None else (Ear, id)


ids = st.sampled_from(IDS)
owners = st.none() | st.sampled_from(OWNERS)
Step: TypeAlias = tuple[Any, ...]
steps = st.one_of(
    st.tuples(st.just("add"), ids, owners),
    st.tuples(st.just("delete"), ids),
    st.tuples(st.just("swap"), ids, ids, owners),
    st.tuples(
        st.just("notify"),
        st.sampled_from(["hear", "crash", "remove", "swap"]),
        ids | st.just("all"),
        st.booleans(),
    ),
    st.tuples(st.just("call"), ids, st.sampled_from(["number", "crash"])),
    st.tuples(st.just("end_owner"), st.sampled_from(OWNERS), st.sampled_from(["bad", otp.KILL])),
)


@settings(max_examples=few(150), deadline=None)
@given(st.lists(steps, max_size=25))
def test_a_manager_does_what_the_model_does(sequence: list[Step]) -> None:
    """Handlers, their order, what they hear, how they end and what owners are told agree."""

    async def main() -> None:
        manager = otp.child(otp.EventManager).having(name="events")
        async with otp.open_supervisor([manager]), otp.open_process():
            system = System()
            for id in IDS:
                await system.add(id, None)
            for name, *args in sequence:
                await getattr(system, name)(*args)
            await system.check()

    trio.run(main)
