"""What of the conformance suite runs by default: on hosts of the lab, each fault's life; the rest is slow."""

from __future__ import annotations

import pytest

from tests.conformance.benches import BENCHES  # first: it is what takes in the other table
from tests.conformance.container_benches import CONTAINER_BENCHES
from tests.conformance.host_benches import HOST_BENCHES

BY_DEFAULT = ("test_it_bites_and_ends",)
SLOW = {*HOST_BENCHES, *CONTAINER_BENCHES}
# Their effect is a share of the processor or a wait of milliseconds, which a busy machine can hide or feign.
ALONE = ("host.cpu", "host.cgroup_limit", "storage.latency")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the many runs on hosts as slow, and leave them out unless they are asked for (``-m slow``)."""
    kept, left = [], []
    for item in items:
        callspec = getattr(item, "callspec", None)
        kind = callspec.params.get("bench", callspec.params.get("kind")) if callspec else None
        if kind in BENCHES and kind in SLOW and "conformance" in item.nodeid:
            item.add_marker(pytest.mark.lab)
            if getattr(item, "originalname", "") not in BY_DEFAULT or kind in ALONE:
                item.add_marker(pytest.mark.slow)
                if "slow" not in config.option.markexpr:
                    left.append(item)
                    continue
        kept.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = kept
