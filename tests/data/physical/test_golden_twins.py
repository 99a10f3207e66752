from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chaosday.errors import EvidenceMissing, MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding, Outcome
from chaosday.planting.report_planting import ReportedDamage
from chaosday.registry import members

DIFF = {"equal": True, "removed": 0, "added": 0, "changed": 0, "duplicate_keys_left": 0, "duplicate_keys_right": 0,
        "rows_left": 5, "rows_right": 5, "reasons": [], "sample_keys": [], "duplicate_sample": [],
        "blind_to": ["chance"]}  # fmt: skip
MANIFEST = {"counts": {}, "damage": [], "unread": {}, "pieces_before": 4, "pieces_after": 4, "leaves_read": 0}
SQLITE = {"lines": [], "foreign_keys": [], "error": "", "pages": 3, "busy": False, "finished": True}
FILE = {"path": "a.parquet", "pages": 2, "protected": 2, "bad": [], "error": ""}
OBJECT = {
    "key": "k",
    "verified": ["etag-md5"],
    "wrong": [],
    "unverifiable": [],
    "error": "",
    "denied": False,
    "changed": False,
}
LAKE = {"name": "a", "size_bytes": 9, "size_found": 9, "rows": 1, "rows_found": 1, "missing": False, "error": "",
        "statistics": []}  # fmt: skip
LAKE_TABLE: dict[str, Any] = {"files": [LAKE], "others_missing": [], "orphans": [], "orphan_count": 0,
                              "orphan_bytes": 0}  # fmt: skip
BACKUP = {"exit_code": 0, "lines": ["backup successfully verified"], "files": 900, "checksums": True}
PAGE = 'pg_verifybackup: error: checksum mismatch for file "base/1/1259"'

NOTICE = {"monitor": "dbt", "after_s": 0.5, "readings": 4, "silent": 0}
NOTICED = {"name": "data.rows: delete", "bit": True, "notices": [NOTICE, {**NOTICE, "monitor": "m", "after_s": None}]}
ATTEMPT = {"point": "2.after", "way": "kill", "state": "1", "hit": True, "differences": []}
TWICE = [{"output": "shop.orders", "kind": "duplicated", "rows": 1, "sample": []}]
TOLD = {"output": "shop.orders", "damage": "lost", "told": True, "said": "lost"}
DRILLED: dict[str, Any] = {
    "attempts": [ATTEMPT], "planted": [TOLD], "audit": {"disagreeing": []}, "coverage": {"not_covered": {}},
}  # fmt: skip
THERE = {"name": "away", "meant": "b", "left": "a", "open": ["b"], "silent": []}
BACK = {"name": "home", "meant": "a", "left": "b", "open": ["a"], "silent": []}
LED: dict[str, Any] = {
    "ways": ["away", "home"], "stations": [THERE, BACK], "split": [], "splits": 0,
    "sides": {"a": {"answered": 9}, "b": {"answered": 9}}, "refused_s": {"away": 2.5, "home": 2.5},
}  # fmt: skip
OF_ONE = "of 1 crash states leave shop.orders duplicated"

SOUND: dict[str, dict[str, Any]] = {
    "table_diff": DIFF, "manifest": MANIFEST, "sqlite_integrity": SQLITE, "parquet_checksums": {"files": [FILE]},
    "s3_checksums": {"objects": [OBJECT]}, "pg_verifybackup": BACKUP,
    "recovery_objectives": {"rpo_s": 1.5, "rto_s": 3.0}, "detection": {"damage": [NOTICED], "ringing": []},
    "exactly_once": DRILLED, "lake_files": LAKE_TABLE, "failover": LED,
}  # fmt: skip
TWINS: list[tuple[str, dict[str, Any], str]] = [
    ("table_diff", {"changed": 2, "sample_keys": ["7"]}, "row-changed"),
    ("table_diff", {"duplicate_keys_left": 1, "duplicate_sample": ["7"]}, "duplicate-key"),
    ("table_diff", {"changed": 2, "reasons": ["the left side changed"]}, ""),
    ("table_diff", {"rows_left": 0, "rows_right": 0}, ""),
    ("manifest", {"counts": {"stale": 1}, "damage": [{"kind": "stale", "name": "a"}]}, "stale"),
    ("manifest", {"unread": {"a": "denied"}}, ""),
    ("manifest", {"pieces_before": 0, "pieces_after": 0}, ""),
    ("sqlite_integrity", {"lines": ["row 1 missing from index i"]}, "corrupt-page"),
    ("sqlite_integrity", {"foreign_keys": ["c row 1 -> p"]}, "orphan-row"),
    ("sqlite_integrity", {"error": "database disk image is malformed", "finished": False, "pages": 0}, "corrupt-page"),
    ("sqlite_integrity", {"error": "database is locked", "busy": True, "finished": False}, ""),
    ("sqlite_integrity", {"pages": 0}, ""),
    ("parquet_checksums", {"files": [FILE, {**FILE, "bad": ["a row group 0 column v page 1"]}]}, "bad-page"),
    ("parquet_checksums", {"files": [{**FILE, "pages": 0, "protected": 0, "error": "no footer"}]}, "unreadable-file"),
    ("parquet_checksums", {"files": [FILE, {**FILE, "protected": 0}]}, ""),
    ("parquet_checksums", {"files": [{**FILE, "unsupported": "no codec"}]}, ""),
    ("parquet_checksums", {"files": []}, ""),
    ("s3_checksums", {"objects": [{**OBJECT, "wrong": ["crc32"]}]}, "wrong-checksum"),
    ("s3_checksums", {"objects": [OBJECT, {**OBJECT, "error": "InternalError"}]}, "unreadable-object"),
    ("s3_checksums", {"objects": [{**OBJECT, "error": "connection refused"}]}, ""),
    ("s3_checksums", {"objects": [OBJECT, {**OBJECT, "error": "AccessDenied", "denied": True}]}, ""),
    ("s3_checksums", {"objects": [OBJECT, {**OBJECT, "wrong": ["crc32"], "changed": True}]}, ""),
    ("s3_checksums", {"objects": [{**OBJECT, "verified": [], "unverifiable": ["crc32c"]}]}, ""),
    ("s3_checksums", {"objects": []}, ""),
    ("pg_verifybackup", {"exit_code": 1, "lines": [PAGE]}, "wrong-checksum"),
    ("pg_verifybackup", {"exit_code": 1, "lines": ["pg_verifybackup: fatal: out of memory"]}, ""),
    ("pg_verifybackup", {"files": 0}, ""),
    ("recovery_objectives", {"rpo_s": 301}, "rpo-exceeded"),
    ("recovery_objectives", {"rto_s": 3601}, "rto-exceeded"),
    ("recovery_objectives", {"rto_s": None}, ""),
    ("detection", {"damage": [NOTICED, {**NOTICED, "notices": [{**NOTICE, "after_s": None}]}]}, "unnoticed"),
    ("detection", {"damage": [{**NOTICED, "bit": False}]}, ""),
    ("detection", {"damage": [{**NOTICED, "notices": [NOTICE, {**NOTICE, "after_s": None, "silent": 4}]}]}, ""),
    ("detection", {"ringing": ["dbt"]}, ""),
    ("detection", {"damage": []}, ""),
    ("lake_files", {"files": [LAKE, {**LAKE, "missing": True, "size_found": None}]}, "missing-file"),
    ("lake_files", {"others_missing": ["metadata/m0.avro"]}, "missing-file"),
    ("lake_files", {"files": [{**LAKE, "size_found": 8}]}, "wrong-size"),
    ("lake_files", {"files": [{**LAKE, "rows_found": 2}]}, "wrong-count"),
    ("lake_files", {"files": [{**LAKE, "error": "no footer"}]}, "unreadable-file"),
    ("lake_files", {"files": [{**LAKE, "statistics": ["v: a value is above"]}]}, "wrong-statistics"),
    ("lake_files", {"files": []}, ""),
    ("failover", {"splits": 2, "split": [{"sides": ["a", "b"], "at_ns": 1}] * 2}, "split-brain"),
    ("failover", {"stations": [{**THERE, "open": ["a"]}, BACK]}, "did-not-move"),
    ("failover", {"refused_s": {"away": 61, "home": 1}}, "refused-too-long"),
    ("failover", {"stations": [THERE]}, ""),
    ("failover", {"stations": [{**THERE, "silent": ["a"]}, BACK]}, ""),
    ("failover", {"sides": {}}, ""),
    ("exactly_once", {"attempts": [{**ATTEMPT, "differences": TWICE}]}, OF_ONE),
    ("exactly_once", {"attempts": []}, ""),
    ("exactly_once", {"attempts": [ATTEMPT, {**ATTEMPT, "hit": False, "why": "it ended before"}]}, ""),
    ("exactly_once", {"planted": []}, ""),
    ("exactly_once", {"planted": [{**TOLD, "told": False}]}, ""),
    ("exactly_once", {"audit": {"disagreeing": ["2.after"]}}, ""),
    ("exactly_once", {"coverage": {"not_covered": {"10.0.0.1:5433": 2}}}, ""),
]  # fmt: skip


def check(kind: str) -> Check:
    made = members("checks")[kind]()
    assert isinstance(made, Check)
    return made


OBSERVED = {"exactly_once": "pipeline"}
"""What a check reads, where it is not called like the check."""


def judge(kind: str, said: Any) -> Finding:
    name = OBSERVED.get(kind, kind)
    return check(kind).judge(Evidence(Path("nowhere"), overlay={f"observations/{name}": said}))


@pytest.mark.parametrize("kind", SOUND)
def test_sound_evidence_passes(kind: str) -> None:
    """Nothing found and something examined is a pass, which says what it is blind to."""
    finding = judge(kind, SOUND[kind])
    assert (finding.outcome, finding.examined > 0, bool(finding.blind_to)) == (Outcome.PASS, True, True)


@pytest.mark.parametrize(("kind", "change", "anomaly"), TWINS)
def test_damage_and_doubt(kind: str, change: dict[str, Any], anomaly: str) -> None:
    """Damage is a violation with its name; doubt and emptiness are inconclusive, with a reason."""
    finding = judge(kind, SOUND[kind] | change)
    assert [one.name for one in finding.anomalies] == ([anomaly] if anomaly else [])
    assert finding.outcome is (Outcome.VIOLATED if anomaly else Outcome.INCONCLUSIVE)
    assert anomaly or finding.reasons


@pytest.mark.parametrize("kind", SOUND)
def test_missing_and_foreign_evidence(kind: str) -> None:
    """No observation is missing evidence; another tool's is malformed, and never a pass."""
    with pytest.raises(EvidenceMissing):
        check(kind).judge(Evidence(Path("nowhere")))
    for foreign in ({"tool": "another"}, []):
        with pytest.raises(MalformedInput):
            judge(kind, foreign)


@pytest.mark.parametrize("kind", [k for k, m in members("corruptions").items() if issubclass(m, ReportedDamage)])
def test_reported_damage_is_read(kind: str) -> None:
    """Planted reports are found by their check, each key named."""
    corruption = members("corruptions")[kind]()
    assert isinstance(corruption, ReportedDamage)
    name = corruption.observation
    reader = {seen: kind for kind, seen in OBSERVED.items()}.get(name, name)
    evidence = Evidence(Path("nowhere"), overlay={f"observations/{name}": SOUND[reader]})
    planted = corruption.plant(evidence, 3, np.random.default_rng(1))
    finding = check(reader).judge(planted.evidence)
    assert 1 <= len(planted.keys) <= 3
    assert planted.keys <= finding.damaged_keys()


def test_silent_flips_are_mentioned_where_there_are_no_page_checksums() -> None:
    """A backup of a cluster without checksums says that it is blind to pages that were rotten already."""
    assert any("rotten" in line for line in judge("pg_verifybackup", BACKUP | {"checksums": False}).blind_to)
