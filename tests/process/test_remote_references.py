"""A reference may name a process of another node; a run that is no node says so."""

import pytest
import trio

import trio_otp as otp

THERE = ("counter", "py@host")


async def test_a_call_in_a_run_that_is_no_node_says_what_to_write(autojump_clock):
    with pytest.raises(otp.NoProcess, match=r"no node of a cluster; write .*open_node"):
        await otp.call(THERE, "hello")


async def test_a_cast_in_a_run_that_is_no_node_is_dropped():
    async with otp.open_process():
        otp.cast(THERE, "hello")
        assert otp.whereis(THERE) is None


async def test_the_name_of_a_process_of_another_node_is_one_reference():
    replies, bad = await otp.multi_call(THERE, "hello")
    assert replies == []
    assert [ref for ref, _ in bad] == [THERE]


async def test_two_names_without_a_node_are_two_references():
    _, bad = await otp.multi_call(("a", "b"), "hello")
    assert [ref for ref, _ in bad] == ["a", "b"]


async def test_a_monitor_of_a_process_of_another_node_brings_a_down():
    async with otp.open_process():
        monitor = otp.monitor(THERE)
        assert await otp.receive(otp.Down) == otp.Down(monitor, THERE, otp.NOPROC)


@pytest.mark.parametrize("ref", [("counter", "host"), (1, "py@host"), ("a", "b", "c"), ("a@b",)])
async def test_what_is_no_name_of_another_node_is_refused(ref):
    with pytest.raises(TypeError, match="is not a reference"):
        otp.whereis(ref)


def test_a_lost_connection_says_whether_the_request_was_sent():
    assert "nothing was sent" in str(otp.NoConnection(THERE, "add", node="py@host"))
    error = otp.NoConnection(THERE, "add", 0.5, node="py@host", sent=True, why="frozen")
    assert "frozen; it is not known whether" in str(error)
    assert (error.reason, error.sent, error.node) == (otp.NOCONNECTION, True, "py@host")
    assert isinstance(error, otp.CallError)


async def test_nobody_hears_of_a_name_of_another_node_under_a_local_one():
    with pytest.raises(TypeError):
        otp.register(THERE, None)
    await trio.lowlevel.checkpoint()
