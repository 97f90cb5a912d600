"""Via names: processes that are started and reached by a key of a registry."""

from __future__ import annotations

from typing import Any

import pytest
from registry_kit import REG, Holder, running

import trio_otp as otp


def test_a_via_reference_is_plain_data() -> None:
    """It can be made before anything runs, and is the tuple a reader expects."""
    assert ("via", "reg", "k") == otp.registry("reg").via("k")


async def test_a_process_is_started_and_reached_by_its_key() -> None:
    """Calls, sends and whereis resolve it; the key is shown in its pid."""
    async with running():
        a = await otp.start(otp.child(Holder).having(name=REG.via("k")))

        assert a is await otp.call(REG.via("k"), otp.self)
        assert a is otp.whereis(REG.via("k"))
        assert ["k"] == REG.keys(a)
        assert repr(a).endswith("Holder 'k'>")


async def test_a_key_that_is_taken_refuses_a_start() -> None:
    """The error carries who has it, also if it was registered by hand."""
    async with running() as me:
        REG.register("k")

        with pytest.raises(otp.AlreadyStarted) as caught:
            await otp.start(otp.child(Holder).having(name=REG.via("k")))

        assert me is caught.value.pid


async def test_a_via_name_brings_its_value() -> None:
    """`via(key, value)` registers the value beside the key, and reaches the same process."""
    async with running():
        name = REG.via("k", {"colour": "red"})
        a = await otp.start(otp.child(Holder).having(name=name))

        assert [(a, {"colour": "red"})] == REG.lookup("k")
        assert a is otp.whereis(name) is otp.whereis(REG.via("k"))
        assert repr(a).endswith("Holder 'k'>")


async def test_a_failed_init_frees_the_key() -> None:
    """Nothing is left of a start that failed."""

    class Failing(otp.GenServer):
        def init(self) -> otp.Stop:
            return otp.Stop("bad")

    async with running():
        with pytest.raises(otp.StartError):
            await otp.start(otp.child(Failing).having(name=REG.via("k")))

        assert [] == REG.select()


async def test_after_its_death_a_via_name_is_nobody() -> None:
    """whereis is None, a call fails, a cast is dropped, a send raises."""
    async with running():
        a = await otp.start(otp.child(Holder).having(name=REG.via("k")))
        await otp.stop(a)

        assert None is otp.whereis(REG.via("k"))
        with pytest.raises(otp.NoProcess):
            await otp.call(REG.via("k"), otp.self)
        with pytest.raises(otp.NoProcess):
            otp.send(REG.via("k"), "hello")
        otp.cast(REG.via("k"), "hello")


async def test_a_handle_in_a_via_tuple_means_its_registry() -> None:
    """The object in the middle may be the handle in place of the name."""
    name: Any = ("via", REG, "k")
    assert None is otp.whereis(name)

    async with running():
        a = await otp.start(otp.child(Holder).having(name=name))

        assert a is otp.whereis(name) is otp.whereis(REG.via("k"))
        await otp.call(a, lambda: REG.unregister_name("k"))
        assert None is otp.whereis(name)


async def test_the_four_functions_of_the_via_protocol() -> None:
    """They say who got the key, and a dead process gets none."""
    async with running() as me:
        a, b = await otp.start(Holder), await otp.start(Holder)
        await otp.stop(b)

        assert [True, False, False] == [REG.register_name("k", pid) for pid in (a, a, me)]
        assert not REG.register_name("l", b)
        assert (a, None) == (REG.whereis_name("k"), REG.whereis_name("l"))
        REG.unregister_name("k")  # of the running process, which has none
        assert [(a, None)] == REG.lookup("k")


async def test_a_name_in_an_unknown_registry_refuses_a_start() -> None:
    """The cause says which registry does not run, and nothing of the process is left."""
    async with otp.open_process():
        with pytest.raises(otp.StartError, match=r"registry 'reg' is not running; put it"):
            await otp.start(otp.child(Holder).having(name=REG.via("k")))
        with pytest.raises(otp.NoProcess, match=r"registry 'reg' is not running; put it before"):
            await otp.call(REG.via("k"), "hello")

        assert None is otp.whereis(REG.via("k"))


async def test_a_registry_can_have_a_via_name_itself() -> None:
    """Any reference names a registry, a pid too."""
    async with running():
        inner = await otp.start(otp.child(otp.Registry).having(name=REG.via("inner")))
        by_name, by_pid = otp.registry(REG.via("inner")), otp.registry(inner)
        by_name.register("k", 1)

        assert [(otp.self(), 1)] == by_pid.lookup("k") == by_name.lookup("k")
        assert otp.self() is otp.whereis(by_pid.via("k"))
