"""The limits of a service as a pure table."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st
from inside import MAX_ANSWERED, ConnectionLimits, client_at

LIMITS = st.none() | st.integers(1, 4)
ADDRESSES = st.sampled_from(["1.1.1.1", "2.2.2.2", "fd00::1", None])


@given(LIMITS, LIMITS, st.booleans(), st.lists(st.tuples(st.booleans(), ADDRESSES), max_size=40))
def test_no_limit_is_ever_passed_and_nothing_released_is_lost(
    most: int | None, each: int | None, answers: bool, events: list[tuple[bool, str | None]]
) -> None:
    """Whatever comes and goes, the limits agree with a list of the connections."""
    limits = ConnectionLimits(most, each, answers=answers)
    there: list[str | None] = []
    for comes, address in events:
        if comes:
            room = most is None or len(there) < most
            near = address is None or each is None or there.count(address) < each
            assert (room and near) is limits.may_serve(address)
            assert (room or answers) is limits.may_accept()
            if room and near:
                limits.acquire(address)
                there.append(address)
        elif address in there:
            limits.release(address)
            there.remove(address)
        assert len(there) == limits.served


def test_answers_have_a_limit_of_their_own() -> None:
    """Clients that never read their answer must not take all sockets there are."""
    limits = ConnectionLimits(1, None, answers=True)
    limits.acquire(None)
    for _ in range(MAX_ANSWERED):
        assert limits.may_accept()
        assert limits.may_answer()
        limits.answered += 1
    assert not limits.may_accept()
    assert not limits.may_answer()
    assert not ConnectionLimits(1, None).may_answer()


@given(st.ip_addresses(v=4))
def test_of_ipv4_each_address_counts(address: IPv4Address) -> None:
    """However it is written: a service that listens by IPv6 alone sees it in there."""
    for prefix in ("", "::ffff:", "::FFFF:", "64:ff9b::"):
        assert str(address) == client_at(f"{prefix}{address}")


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_of_ipv6_each_network_counts(address: IPv6Address, host: int) -> None:
    """A client has 2**64 addresses, and the network next to it is another client."""
    network = IPv6Network((address, 64), strict=False)
    if address.is_link_local or address.ipv4_mapped or address in IPv6Network("64:ff9b::/96"):
        return
    assert str(network) == client_at(str(address))
    other = network[host]
    if not (other.ipv4_mapped or other in IPv6Network("64:ff9b::/96")):
        assert str(network) == client_at(str(other))
    last = (int(network.network_address) + 2**64) % 2**128
    assert str(network) != client_at(str(IPv6Address(last)))


def test_clients_on_one_link_do_not_count_as_one() -> None:
    """All have the same network there, and one address may be on two links."""
    there = ["fe80::1%eth0", "fe80::2%eth0", "fe80::1%eth1", "febf::1", "fec0::1", "::1"]
    assert [*there[:4], "fec0::/64", "::/64"] == [client_at(address) for address in there]
    assert "00:11:22:33:44:55" == client_at("00:11:22:33:44:55")  # of Bluetooth


def test_only_so_many_of_one_network() -> None:
    limits = ConnectionLimits(None, 2)
    limits.acquire("2001:db8::1")
    limits.acquire("2001:db8::2")
    assert not limits.may_serve("2001:db8::3")
    assert limits.may_serve("2001:db8:0:1::3")
    limits.release("2001:db8::1")
    assert limits.may_serve("2001:db8::3")
