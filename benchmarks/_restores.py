"""Restore drills of every kind of backup that is built, and recoveries to the moment before an accident."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chaosday.clock import SystemClock
from chaosday.drills.restoring.drill import parse_drill
from chaosday.drills.restoring.kind import RestoreKind
from chaosday.lab.stands import stand
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import Run

COMMON = {"before_s": 1, "before_at_most_s": 120, "after_s": 0.5, "loss_rate_to_see": 0.05, "clients": 2}
KINDS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("file", {"engine": "sqlite_file"}, {"method": "online"}),
    ("file", {"engine": "sqlite_file"}, {"method": "export"}),
    ("file", {"engine": "duckdb_file"}, {"method": "export"}),
    ("postgresql", {}, {"method": "base_backup"}),
    ("postgresql", {}, {"method": "dump"}),
    ("mariadb", {}, {"method": "dump"}),
    ("mariadb", {}, {"method": "mariadb_backup"}),
)
STATEMENTS, QUICK_STATEMENTS = ("delete", "update", "truncate", "drop"), ("delete", "drop")


def restores(root: Path, *, quick: bool) -> dict[str, Any]:
    """``rpo_s`` and ``rto_s`` by kind, the latter with its parts, of those that were restored and found whole."""
    rpo: dict[str, float] = {}
    rto: dict[str, dict[str, float]] = {}
    for number, (lab, options, changes) in enumerate(KINDS):
        if lab == "mariadb" and shutil.which("mariadb-backup") is None:
            continue
        outcome, said = _drilled(root / f"restore-{number}", lab, options, changes)
        if outcome is Outcome.PASS:
            name = f"{options.get('engine', lab)} {changes['method']}"
            rpo[name] = round(said["rpo_s"], 3)
            rto[name] = {part: round(s, 3) for part, s in {"all": said["rto_s"], **said["rto_parts"]}.items()}
    cases = QUICK_STATEMENTS if quick else STATEMENTS
    ends = [
        _drilled(root / f"moment-{each}", "postgresql", {}, {"accident": {"statement": each, "at_s": 0.5}})[0]
        for each in cases
    ]
    return {"backup_kinds": sorted(rpo), "rpo_s": rpo, "rto_s": rto, "pitr_cases": len(ends),
            "pitr_wrong": sum(end is not Outcome.PASS for end in ends)}  # fmt: skip


def _drilled(root: Path, lab: str, options: dict[str, Any], changes: dict[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    with ExitStack() as undo:
        for folder in (root, root / "lab"):
            folder.mkdir()
            folder.chmod(0o711)
        facts = undo.enter_context(stand(lab, root / "lab", options))
        directory = RunDirectory.create(root / "runs", "restore", SystemClock())
        with Run(RestoreKind(parse_drill({**COMMON, **changes, "source": facts["server"]})), directory) as run:
            outcome = complete(run).outcome
        return outcome, directory.read_json("observations/recovery_objectives.json")
