"""What a campaign covers: systems x faults x detectors, each with the day on which it was last proven."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from chaosday.clock import Clock
from chaosday.errors import MalformedInput
from chaosday.model.base import Model

EXPIRES_DAYS = 30.0
STAMP = "%Y%m%dT%H%M%S"

State = Literal["fresh", "expired", "never"]


class Covered(Model):
    """One detector, for one fault on one system. ``never`` was meant to be proven and never was."""

    system: str
    fault: str
    check: str
    state: State
    proven: str = ""
    """The last day (UTC) on which the fault bit and the check, known to have sight, gave a verdict."""
    age_days: float | None = None
    runs: int = 0


class Judged(Model):
    """What coverage reads of one finished run."""

    run: str
    plan: dict[str, Any]
    verdict: dict[str, Any]
    findings: list[dict[str, Any]]


def coverage(runs: Iterable[Judged], clock: Clock, expires_days: float = EXPIRES_DAYS) -> list[Covered]:
    """Every combination that any run was made for; proof grows old, because systems change under it."""
    asked: set[tuple[str, str, str]] = set()
    proven: dict[tuple[str, str, str], list[datetime]] = {}
    for run in runs:
        if run.verdict.get("placebo"):
            continue
        moment = day_of(run.run)
        for system in systems_of(run.plan):
            for fault in {each["fault"]["kind"] for each in run.plan["faults"]} or {"none: the workload alone"}:
                for check in {each["kind"] for each in run.plan["experiment"].get("checks", [])}:
                    asked.add((system, fault, check))
                    if _proves(run, fault, check):
                        proven.setdefault((system, fault, check), []).append(moment)
    now = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC)
    return [_covered(key, proven.get(key, []), now, expires_days) for key in sorted(asked)]


def systems_of(plan: dict[str, Any]) -> list[str]:
    """The systems whose data is judged, as they named themselves; those that faults hurt where nothing is written."""
    targets = plan["targets"]
    names = [each["target"] for each in plan["experiment"].get("workloads", [])]
    names = names or [each["fault"]["target"] for each in plan["faults"]]
    return sorted({str((targets.get(name) or {}).get("is") or name).split(",")[0] for name in names})


def day_of(run: str) -> datetime:
    """When a run began: its name starts with the moment, in UTC."""
    try:
        return datetime.strptime(run[:15], STAMP).replace(tzinfo=UTC)
    except ValueError:
        raise MalformedInput(f"{run} is no run: its name does not begin with a moment like 20260131T235959") from None


def _proves(run: Judged, fault: str, check: str) -> bool:
    proofs = run.verdict["proofs"]
    bit = [bite["bit"] for bite in run.verdict["bites"] if bite["fault"] == fault]
    hit = all(bit) if bit else not run.plan["faults"]
    judged = any(each["check"] == check and each["outcome"] in ("pass", "violated") for each in run.findings)
    return bool(hit and judged and proofs["sight"]["held"])


def _covered(key: tuple[str, str, str], proven: list[datetime], now: datetime, expires_days: float) -> Covered:
    system, fault, check = key
    if not proven:
        return Covered(system=system, fault=fault, check=check, state="never")
    last = max(proven)
    age = (now - last).total_seconds() / 86_400
    return Covered(
        system=system,
        fault=fault,
        check=check,
        state="fresh" if age <= expires_days else "expired",
        proven=last.date().isoformat(),
        age_days=round(age, 2),
        runs=len(proven),
    )
