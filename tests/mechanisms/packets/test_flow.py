"""Which packets are meant, in nftables' words, and who is cut off from whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosday.errors import MalformedInput, UsageError
from chaosday.mechanisms.packets.flow import checked, spare
from chaosday.mechanisms.packets.partition_shape import cut_off
from chaosday.model.scene import Control

SHAPES = ("isolate", "halves", "bridge", "ring")


@pytest.mark.parametrize(
    ("peers", "ports", "protocol", "way", "matches"),
    [
        ([], [], "any", "in", [""]),
        (["198.18.0.3"], [], "any", "in", ["ip saddr { 198.18.0.3 }"]),
        (["198.18.0.3"], [], "tcp", "out", ["ip daddr { 198.18.0.3 } meta l4proto tcp"]),
        (
            ["198.18.0.0/24", "2001:db8::1"],
            [],
            "any",
            "out",
            ["ip daddr { 198.18.0.0/24 }", "ip6 daddr { 2001:db8::1 }"],
        ),
        (
            [],
            [80, 443],
            "any",
            "in",
            [
                "meta l4proto { tcp, udp } th dport { 80, 443 }",
                "meta l4proto { tcp, udp } th dport != { 80, 443 } th sport { 80, 443 }",
            ],
        ),
    ],
)
def test_matches(peers: list[str], ports: list[int], protocol: str, way: str, matches: list[str]) -> None:
    """Peers by the side they are on, ports of either side, one expression for each family."""
    assert checked(peers, ports, protocol).matches(way) == matches


@pytest.mark.parametrize(
    ("peers", "ports", "protocol"),
    [(["db.example"], [], "any"), ([], [0], "any"), ([], [70_000], "tcp"), ([], [1], "icmp")],
)
def test_what_is_not_a_flow_is_said(peers: list[str], ports: list[int], protocol: str) -> None:
    """Names, ports out of range and ports of icmp are the caller's mistakes."""
    with pytest.raises(UsageError):
        checked(peers, ports, protocol)


def test_the_control_connection_is_spared_by_address_and_port() -> None:
    """From SSH_CONNECTION: our address as the target sees it, at the target's own port; any port of ours."""
    control = Control.parse("fe80::1%eth0 50000 fe80::2 2222")
    assert spare(control, "in") == ["ip6 saddr fe80::1 tcp dport 2222 accept"]
    assert spare(Control.parse("198.18.0.1 50000 198.18.0.2 22"), "out") == ["ip daddr 198.18.0.1 tcp sport 22 accept"]
    assert spare(Control.parse(""), "in") == []
    for broken in ("lost", "UNKNOWN 65535 UNKNOWN 65535", "198.18.0.1 50000 22", "198.18.0.1 50000 198.18.0.2 22;x"):
        with pytest.raises(MalformedInput):
            Control.parse(broken)


@given(st.integers(2, 12), st.sampled_from(SHAPES))
def test_partitions_are_symmetric(size: int, shape: str) -> None:
    """Who is cut off from another, the other is cut off from it; nobody from itself."""
    members = [f"198.18.0.{n + 1}" for n in range(size)]
    cut = {own: set(cut_off(members, own, shape)) for own in members}
    assert all(own not in cut[own] for own in members)
    assert all((b in cut[a]) == (a in cut[b]) for a in members for b in members)


@given(st.integers(3, 12).filter(lambda n: n % 2))
def test_what_the_shapes_are_for(size: int) -> None:
    """Halves split the set in two, the bridge sees all, every member of a ring still sees a majority."""
    members = [f"198.18.0.{n + 1}" for n in range(size)]
    assert cut_off(members, members[0], "halves") == members[size // 2 :]
    assert cut_off(members, members[size // 2], "bridge") == []
    assert cut_off(members, members[0], "bridge") == members[size // 2 + 1 :]
    assert cut_off(members, members[0], "isolate") == members[1:]
    for own in members:
        assert size - len(cut_off(members, own, "ring")) > size / 2
