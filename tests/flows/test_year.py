"""Campaign and retention as flows: what they show in Prefect is what the commands say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.campaign import campaign
from flows.prune import retention
from tests.campaign.many_runs import ARun, write

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("prefect")]


def test_the_flows_of_a_year(prefect_api: None, tmp_path: Path) -> None:
    """One artifact says what is to be done, one what was proven; retention only shows until it is told to cut."""
    from prefect import get_client

    now = datetime.now(UTC)
    places = [
        write(tmp_path, ARun(now - timedelta(days=days), token=f"{days:06d}", evidence_bytes=4_000))
        for days in (2, 3, 500)
    ]
    write(tmp_path, ARun(now - timedelta(days=4), title="other", outcome="violated", lost=1))
    assert campaign(tmp_path, return_state=True).message == "2 things to do"
    assert retention(keep=2, runs=tmp_path, return_state=True).message == "1 runs would be cut"
    assert (places[2] / "history.parquet").exists()
    assert retention(dry_run=False, keep=2, runs=tmp_path, return_state=True).message == "1 runs were cut"
    assert not (places[2] / "history.parquet").exists()
    with get_client(sync_client=True) as client:
        shown = {each.key: str(each.data) for each in client.read_artifacts()}
    assert "other: it found damage" in shown["chaosday-next"].replace("\\", "")
    assert "never restored" in shown["chaosday-next"]
    assert "process.kill" in shown["chaosday-campaign"] and "history" not in shown["chaosday-prune"]
