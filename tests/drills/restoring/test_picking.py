"""One backup of those that are there: what repositories list is read, and the pick is restored."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

import pytest

from chaosday.checks.recovery_objectives import RecoveryObjectives
from chaosday.drills.restoring.drill import parse_drill
from chaosday.drills.restoring.picking import DAY_S, Backup, OlderThan, backups_of, picked
from chaosday.errors import InvalidExperiment, TargetUnreachable
from chaosday.judging.verdict import judge_checks
from chaosday.model.finding import Outcome
from chaosday.servers.postgres import Node
from tests.drills.restoring.test_restore_drill import drill, played

RESTIC = [
    {"time": "2026-01-02T00:00:00.123456789Z", "id": "b" * 64},
    {"time": "2026-01-01T02:00:00+02:00", "id": "a" * 64},
]
BORG = {"archives": [{"name": "drill-1", "start": "2026-01-01T00:00:00.000000", "time": "2026-01-01T00:00:00.000000"}]}
PGBACKREST = [
    {"backup": [
        {"label": "20260101-000000F", "error": False, "timestamp": {"start": 1, "stop": 1767225600}},
        {"label": "20260102-000000F", "error": True, "timestamp": {"start": 1, "stop": 1767312000}},
    ]}
]  # fmt: skip
FIRST_S = 1767225600.0


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("text", "names"),
    [
        (json.dumps(RESTIC), ["a" * 64, "b" * 64]),
        (json.dumps(BORG), ["drill-1"]),
        (json.dumps(PGBACKREST), ["20260101-000000F"]),
        ("1767312000.5 of tuesday.dump\n1767225600 monday.dump\n", ["monday.dump", "of tuesday.dump"]),
        ("2026-01-01T00:00:00Z only", ["only"]),
        ("", []), ("[]", []), ('{"archives": []}', []),
    ],
)  # fmt: skip
def test_a_listing_is_read_oldest_first(text: str, names: list[str]) -> None:
    """Whatever repository printed it; a backup that its repository calls failed is none."""
    found = backups_of(text)
    assert [each.name for each in found] == names
    assert not found or math.isclose(found[0].at_s, FIRST_S, abs_tol=1)


@pytest.mark.kernel
@pytest.mark.parametrize(
    "text",
    ["yesterday a.dump", "1767225600", "7", "{}", '[{"id": "x"}]', "[1]", '{"archives": 1}', "1 --force", "1 a\tb\x07",
     "null", "1767225600 " + "x" * 2000, "[" * 100_000],
)  # fmt: skip
def test_what_is_no_listing_is_one_line(text: str) -> None:
    """Nor a name that a command would take for something else."""
    with pytest.raises(TargetUnreachable, match="listing") as refused:
        backups_of(text)
    assert len(str(refused.value)) < 300 and "\n" not in str(refused.value)


@pytest.mark.kernel
def test_one_is_picked_by_age_or_by_its_seed() -> None:
    """The newest that is old enough; by chance, but the same for a seed, and each of them for some seed."""
    backups = [Backup(day * DAY_S, f"day {day}") for day in range(5)]
    now_s = 4.5 * DAY_S
    assert picked(backups, "newest", 1, now_s).name == "day 4"
    assert picked(backups, OlderThan(older_than_days=2), 1, now_s).name == "day 2"
    assert picked(backups, "random", 7, now_s) == picked(backups, "random", 7, now_s)
    assert {picked(backups, "random", seed, now_s).name for seed in range(100)} == {each.name for each in backups}
    with pytest.raises(TargetUnreachable, match=r"no backup is older than 30 days: the oldest of 5 is 4\.5"):
        picked(backups, OlderThan(older_than_days=30), 1, now_s)
    with pytest.raises(TargetUnreachable, match="names no backup"):
        picked([], "newest", 1, now_s)


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("restore", "words"),
    [
        ({"command": "x", "pick": "random"}, "listing"),
        ({"command": "x", "pick": {"older_than_days": 1}, "listing": "y", "backup": "z"}, "backup"),
        ({"command": "x", "pick": "oldest"}, "pick"),
        ({"command": "x", "pick": {"older_than_days": 0}, "listing": "y"}, "older_than_days"),
    ],
)
def test_a_pick_that_makes_no_sense_is_refused(restore: dict[str, Any], words: str) -> None:
    """Without a listing there is nothing to pick from; one that is there already is not taken."""
    with pytest.raises(InvalidExperiment, match=words):
        parse_drill({"source": {}, "restore": restore})


@pytest.mark.lab
def test_a_dump_of_last_week_is_restored_and_looked_through(pair: tuple[Node, Node], server_directory: Path) -> None:
    """It owes nothing of the drill's, is read whole, and is as old as it is; one that is too old is found so."""
    node, folder = pair[0], server_directory / "dumps"
    folder.mkdir(mode=0o700)
    node.account.own(folder)
    login = ["-h", "127.0.0.1", "-p", str(node.port), "-U", "postgres", "-d", "postgres"]
    node.tool("pg_dump", "-Fc", *login, "-f", str(folder / "old.dump"))
    (folder / "new.dump").write_bytes(b"no dump")
    old_s = time.time() - 7 * DAY_S
    os.utime(folder / "old.dump", (old_s, old_s))
    restore = {
        "listing": f"find {folder} -name '*.dump' -printf '%T@ %f\\n'",
        "command": f'{node.bin}/pg_restore --no-owner --no-privileges -d "$PGDATABASE" "{folder}/$CHAOSDAY_PICKED"',
        "into": "server",
        "pick": {"older_than_days": 5},
    }
    verdict, directory = played(drill(node, restore=restore, rpo_s=8 * DAY_S), server_directory / "of-before")
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert all(proof.held for proof in verdict.proofs.values())
    measured = directory.read_json("observations/recovery_objectives.json")
    assert measured["picked"] == "old.dump" and measured["rpo_s"] == pytest.approx(7 * DAY_S, abs=3600)
    assert {each["check"] for each in directory.read_json("findings.json")} == {"amcheck", "recovery_objectives"}
    assert not (directory.path / "copy").exists()
    (finding,) = judge_checks([RecoveryObjectives(rpo_s=DAY_S)], directory.evidence())
    assert [each.name for each in finding.anomalies] == ["rpo-exceeded"]
