"""What is known of one run once its evidence is put aside: the row that a catalogue keeps of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from chaosday.errors import MalformedInput
from chaosday.model.base import Model

STAMP = "%Y%m%dT%H%M%S"
_VERSION = re.compile(r"(.+?)[ /]v?(\d[\w.+~-]*)")
NO_FAULT = "none: the workload alone"


class Judged(Model):
    """What a summary is made of: the documents of one finished run."""

    run: str
    plan: dict[str, Any]
    verdict: dict[str, Any]
    findings: list[dict[str, Any]]


class RunSummary(Model):
    """One run: ``id`` is the hash of its journal's first record, which every copy of it shares."""

    run: str
    id: str
    title: str
    kind: str = ""
    """What kind of run it was: experiment, restore, detection ..."""
    outcome: str
    words: str = ""
    placebo: bool = False
    began: str
    """RFC 3339, in UTC."""
    seconds: float = 0
    lost: int = 0
    """Acknowledged rows that were found lost or stale, of ``of``."""
    of: int = 0
    operations: int = 0
    proofs: dict[str, bool] = {}
    doses: list[str] = []
    """What was measured of each fault, in words."""
    systems: list[str] = []
    """The systems whose data was judged, with their versions, as they named themselves."""
    faults: list[str] = []
    checks: list[str] = []
    proven: list[tuple[str, str]] = []
    """Fault and check, where the fault was measured to hit and the check, known to have sight, gave a verdict."""
    host: str = ""
    rpo_s: float | None = None
    rto_s: float | None = None
    """What a restore drill measured."""
    asked_by: str = ""
    """Who approved it, where somebody had to."""
    pruned: bool = False
    """Its evidence was cut, and this is what is left."""

    @property
    def day(self) -> datetime:
        """When it began."""
        return datetime.fromisoformat(self.began)

    @property
    def counts(self) -> bool:
        """Whether its rows are pooled: a verdict that was proven, of a run that hurt something."""
        return not self.placebo and self.outcome in ("pass", "violated")


def summary_of(
    judged: Judged, *, id: str = "", kind: str = "", began: str = "", seconds: float = 0, host: str = "",
    asked_by: str = "",
) -> RunSummary:  # fmt: skip
    """The summary of a run from its documents; what the journal knows is handed in."""
    plan, verdict = judged.plan, judged.verdict
    lost, of = counted(judged.findings)
    systems = systems_of(plan)
    faults = sorted({str(each["fault"]["kind"]) for each in plan["faults"]})
    checks = sorted({str(each["kind"]) for each in plan["experiment"].get("checks", [])})
    proven = [(fault, check) for fault in faults or [NO_FAULT] for check in checks if _proves(judged, fault, check)]
    return RunSummary(
        run=judged.run,
        id=id or judged.run,
        title=str(plan["title"]),
        kind=kind,
        outcome=str(verdict["outcome"]),
        words=str(verdict["words"])[:200],
        placebo=bool(verdict.get("placebo")),
        began=began or day_of(judged.run).isoformat(),
        seconds=round(seconds, 2),
        lost=lost,
        of=of,
        operations=max((int(each.get("examined") or 0) for each in judged.findings), default=0),
        proofs={name: bool(each["held"]) for name, each in verdict["proofs"].items()},
        doses=[f"{each['fault']} on {each['target']}: {each.get('why', '')}"[:160] for each in verdict["bites"]],
        systems=systems,
        faults=faults,
        checks=checks,
        proven=proven,
        host=host,
        asked_by=asked_by,
        rpo_s=_recovery(judged.findings, "rpo_s"),
        rto_s=_recovery(judged.findings, "rto_s"),
    )


def systems_of(plan: dict[str, Any]) -> list[str]:
    """The systems whose data is judged, as they named themselves; those that faults hurt where nothing is written."""
    targets = plan["targets"]
    names = [each["target"] for each in plan["experiment"].get("workloads", [])]
    names = names or [each["fault"]["target"] for each in plan["faults"]]
    return sorted({str((targets.get(name) or {}).get("is") or name).split(",")[0] for name in names})


def name_and_version(system: str) -> tuple[str, str]:
    """``PostgreSQL 18.6`` as its name and its version; the version is empty where none was said."""
    found = _VERSION.fullmatch(system)
    return (found[1], found[2]) if found else (system, "")


def day_of(run: str) -> datetime:
    """When a run began: its name starts with the moment, in UTC."""
    try:
        return datetime.strptime(run[:15], STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise MalformedInput(f"{run} is no run: its name does not begin with a moment like 20260131T235959") from None


def counted(findings: list[dict[str, Any]]) -> tuple[int, int]:
    """Rows lost or stale, of those that the ledger was owed."""
    for finding in findings:
        said = finding.get("result", {})
        if of := int(said.get("acknowledged_rows") or said.get("acknowledged_writes") or 0):
            missed = sum(each["count"] for each in finding["anomalies"] if each["name"] in ("lost", "stale"))
            return min(missed, of), of
    return 0, 0


def _recovery(findings: list[dict[str, Any]], name: str) -> float | None:
    """A figure that a restore drill measured; None for other runs, and where it came to none."""
    said = [each.get("result") or {} for each in findings if each["check"] == "recovery_objectives"]
    return said[0].get(name) if said else None


def _proves(run: Judged, fault: str, check: str) -> bool:
    if run.verdict.get("placebo"):
        return False
    bit = [bite["bit"] for bite in run.verdict["bites"] if bite["fault"] == fault]
    hit = all(bit) if bit else not run.plan["faults"]
    judged = any(each["check"] == check and each["outcome"] in ("pass", "violated") for each in run.findings)
    return bool(hit and judged and run.verdict["proofs"]["sight"]["held"])
