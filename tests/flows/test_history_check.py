"""A history judged on a Dask cluster through Prefect's task runner gives what it gives in one place."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.histories import registers
from chaosday.checkers.per_key import independently
from chaosday.registry import member

pytestmark = [pytest.mark.lab]


@pytest.mark.parametrize("stale", [pytest.param(False, marks=pytest.mark.slow), True])
def test_the_cluster_agrees(prefect_api: None, tmp_path: Path, stale: bool) -> None:
    """Thirty keys on a local cluster of two workers: the same verdict, anomalies and count as here."""
    from flows.history_check import history_check, on_cluster

    history = registers(3_000, 30, 4, 1, stale=stale)
    file = tmp_path / "history.parquet"
    history.write(file)
    here = independently(history, member("checks", "register")().analyse)  # type: ignore[attr-defined]
    there = on_cluster(file, "register")
    for name in ("valid?", "anomaly-types", "anomaly-counts", "examined", "keys"):
        assert there.get(name) == here.get(name), name
    assert there["valid?"] is not stale
    if stale:
        state = history_check(file, "register", return_state=True)
        assert (state.name, f"{here['examined']} operations" in str(state.message)) == ("invalid", True)
