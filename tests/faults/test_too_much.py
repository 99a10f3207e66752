"""A delay that is another than was asked for is no bite, be it too small or too large."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaosday.mechanisms.disks.file_probe import probe
from chaosday.mechanisms.http_proxy.canary import Seen
from chaosday.mechanisms.http_proxy.fault import ProxyFault
from chaosday.model.fault import Reading
from chaosday.registry import member, members

DELAYS: dict[str, dict[str, Any]] = {
    "network.dns": {"mode": "slow", "lookup": "db", "delay_ms": 100},
    "storage.latency": {"delay_ms": 100},
    "storage.device_delay": {"read_ms": 100},
}


ANOTHER_UNIT: dict[str, str] = {
    "application.python.delay": "calls of the function that waited",
    "network.proxy.reset": "connections reset; the delay is until then",
    "network.proxy.timeout": "connections reset; the delay is until then",
    "network.reorder": "packets out of order",
    "process.syscall": "calls that the kernel reports as tampered with",
}
"""Faults with a delay whose bite is a count, which has no dose in time."""
DOSED: dict[str, tuple[dict[str, Any], float]] = {
    "application.http.latency": ({"delay_ms": 200}, 200),
    "cloud.api.latency": ({"delay_ms": 200}, 200),
    "kubernetes.netem": ({"delay_ms": 200, "loss_percent": 0}, 200),
    "network.dns": ({"mode": "slow", "lookup": "db", "delay_ms": 200}, 200),
    "network.latency": ({"peers": ["198.18.0.2"], "delay_ms": 200}, 200),
    "network.proxy.latency": ({"direction": "upstream", "delay_ms": 200}, 200),
    "network.proxy.slicer": ({"size_bytes": 10, "delay_ms": 20}, 19 * 20),
    "network.proxy.slow_close": ({"delay_ms": 200}, 200),
    "storage.device_delay": ({"read_ms": 200}, 200),
    "storage.latency": ({"delay_ms": 200}, 200),
}
"""Fault with a delay -> its fields, and by how many milliseconds its reading is longer at just that dose."""


def test_every_delay_is_one_of_them() -> None:
    """A fault that takes a delay has both ends of its dose tried below, or a reason in words why it has none."""
    delays = {"delay_ms", "read_ms", "write_ms", "after_ms"}
    assert {kind for kind, each in members("faults").items() if delays & set(each.model_fields)} == {
        *ANOTHER_UNIT,
        *DOSED,
    }


class _Rules:
    """What canaries see of a proxy's rules: every answer comes late by the same."""

    def __init__(self, ms: float) -> None:
        self._ms = ms

    def canary(self, match: object, timeout_s: float) -> Seen:
        return Seen(status=200, seconds=self._ms / 1000)


def _bit(kind: str, added_ms: float) -> bool:
    """Whether a reading that is longer by so much is a bite, by the fault's own judgement."""
    fault: Any = member("faults", kind).model_validate({"target": "t", **DOSED[kind][0]})
    before = Reading(value=5, least=5, unit="ms", by="x")
    during = Reading(value=5 + added_ms, least=5 + added_ms, unit="ms", by="x")
    if isinstance(fault, ProxyFault):
        plan = SimpleNamespace(baseline=before, affected=["x"])
        target = SimpleNamespace(capability=lambda _: _Rules(5 + added_ms))
        return fault.attest(target, plan).bit  # type: ignore[arg-type]
    if hasattr(fault, "enough"):
        return bool(fault.enough(SimpleNamespace(baseline=before, affected=["x"]), during.value))
    if kind.startswith("network.proxy."):
        return bool(fault.bites(before, during)[0])
    return bool(fault.bites(before, during, 1 if kind == "network.latency" else {})[0])


@pytest.mark.parametrize("kind", sorted(DOSED))
def test_twice_the_dose_is_no_bite(kind: str) -> None:
    """Neither is none of it, nor a tenth; the dose itself is one."""
    dose_ms = DOSED[kind][1]
    assert [_bit(kind, dose_ms * times) for times in (0, 0.1, 1, 2, 10)] == [False, False, True, False, False]


def test_the_loss_of_a_bad_line_has_two_ends() -> None:
    """Of twice the packets lost it is another line; what chance adds to 40 pings is still the same."""
    fault: Any = member("faults", "kubernetes.netem").model_validate({"target": "t", "loss_percent": 20})
    plan: Any = SimpleNamespace(baseline=Reading(value=1, unit="ms", by="x"), affected=["x"])
    shares = (0, 0.2, 0.35, 0.45, 1)
    assert [fault.enough(plan, 1 + 1000 * share) for share in shares] == [False, True, True, False, False]


@pytest.mark.parametrize("kind", sorted(DELAYS))
@pytest.mark.parametrize(
    ("least", "median", "bit"),
    [(100, 104, True), (1, 5, False), (205, 207, False), (310, 1000, False), (110, 900, True), (0, 104, True)],
)
def test_the_dose_has_two_ends(kind: str, least: float, median: float, bit: bool) -> None:
    """Judged by the median from below and by the least from above: a busy machine makes some waits longer, not all."""
    fault: Any = member("faults", kind).model_validate({"target": "t", **DELAYS[kind]})
    before = Reading(value=2, least=1, unit="ms", by="x")
    during = Reading(value=median, least=least, unit="ms", by="x")
    found, words = fault.bites(before, during, {})
    assert found is bit
    assert "100 ms" in words


def test_the_file_probe_says_the_least_of_each_call(tmp_path: Path) -> None:
    """Of writes, syncs and reads, none of which is more than the median."""
    said = probe(str(tmp_path / "probe"), 0, str(tmp_path))
    for call in ("write", "fsync", "read"):
        assert 0 <= said[f"{call}_least_ms"] <= said[f"{call}_ms"]
