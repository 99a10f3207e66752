"""A restore drill of a bucket: the versions that were newest when the backup was taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosday.drills.restoring.drill import parse_drill
from chaosday.model.finding import Outcome
from chaosday.targets.s3_store import S3Store
from tests.drills.restoring.test_restore_drill import played

pytestmark = pytest.mark.lab


def test_versions_of_a_bucket_are_restored_beside_it(store: S3Store, tmp_path: Path) -> None:
    """A bucket that keeps versions passes, objective by objective, and nothing of the drill is left in it; one that
    keeps none is refused before anything is written."""
    asked = {"before_s": 0.5, "before_at_most_s": 300, "after_s": 1, "sight_budget_s": 600, "loss_rate_to_see": 0.05}
    value = parse_drill({"source": {"kind": "s3_store"}, **asked})
    value = value.model_copy(update={"source": store})
    refused, _ = played(value, tmp_path)
    assert any("keeps no versions" in reason for reason in refused.reasons), refused.reasons
    store.s3().put_bucket_versioning(Bucket=store.bucket, VersioningConfiguration={"Status": "Enabled"})
    verdict, directory = played(value, tmp_path)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    measured = directory.read_json("observations/recovery_objectives.json")
    assert measured["rpo_s"] > 0 and measured["acknowledged_after_it"] > 0
    assert not store.s3().list_object_versions(Bucket=store.bucket, Prefix=store.prefix).get("Versions")
