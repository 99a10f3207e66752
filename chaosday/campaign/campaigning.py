"""A campaign: many runs of the same experiments, and what they say together."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from chaosday.campaign.coverage import Judged
from chaosday.errors import EvidenceMissing, Refused
from chaosday.model.base import Model
from chaosday.record.owned import read_owned
from chaosday.record.run_directory import RunDirectory
from chaosday.statistics import CONFIDENCE, loss_upper_bound


class RunLine(Model):
    """One run in a row of them, oldest first."""

    run: str
    outcome: str
    lost: int = 0
    of: int = 0
    placebo: bool = False
    words: str = ""


class Series(Model):
    """The runs of one experiment, by its title; placebo runs are apart, they say nothing about the system.

    ``loss_upper_bound_95`` pools the rows that runs with a proven verdict looked at (pass or violated): one
    experiment repeated is one long experiment. None where nothing was looked at.
    """

    title: str
    runs: list[RunLine]
    faults: list[str]
    checks: list[str]
    passes: int
    violations: int
    inconclusive: int
    revert_failed: int
    placebo_runs: int
    placebo_alarms: int
    lost: int
    of: int
    loss_upper_bound_95: float | None


def runs_under(folders: Iterable[Path]) -> list[Judged]:
    """Every finished run of the folders, oldest first; a run without a verdict is not finished, and left out.

    Only ``FOLDER/RUN/verdict.json``, where it is ours: what lies deeper is data that a run took in (a backup, a copy),
    and what others may write would be pooled with what was proven.
    """
    found: list[Judged] = []
    for folder in folders:
        for path in folder.glob("*/verdict.json"):
            directory = RunDirectory(path.parent)
            try:
                verdict = orjson.loads(read_owned(path))
                plan = directory.read_json("plan.json")
            except (EvidenceMissing, Refused):
                continue
            found.append(Judged(run=directory.run, plan=plan, verdict=verdict, findings=_findings(directory)))
    return sorted(found, key=lambda each: each.run)


def series_of(runs: Iterable[Judged]) -> list[Series]:
    """The runs by their experiment's title."""
    found: dict[str, list[tuple[RunLine, dict[str, Any]]]] = {}
    for run in runs:
        found.setdefault(str(run.plan["title"]), []).append((_line(run), run.plan))
    return [_series(title, lines) for title, lines in sorted(found.items())]


def series_under(folders: Iterable[Path]) -> list[Series]:
    """Every finished run below the folders, by title."""
    return series_of(runs_under(folders))


def _findings(directory: RunDirectory) -> list[dict[str, Any]]:
    try:
        findings: list[dict[str, Any]] = directory.read_json("findings.json")
    except EvidenceMissing:
        return []
    return findings


def _line(run: Judged) -> RunLine:
    lost, of = _counted(run.findings)
    return RunLine(
        run=run.run,
        outcome=run.verdict["outcome"],
        lost=lost,
        of=of,
        placebo=bool(run.verdict.get("placebo")),
        words=run.verdict["words"],
    )


def _counted(findings: list[dict[str, Any]]) -> tuple[int, int]:
    """Rows lost or stale, of those that the ledger was owed."""
    for finding in findings:
        if of := int(finding["result"].get("acknowledged_rows") or finding["result"].get("acknowledged_writes") or 0):
            missed = sum(each["count"] for each in finding["anomalies"] if each["name"] in ("lost", "stale"))
            return min(missed, of), of
    return 0, 0


def _series(title: str, runs: list[tuple[RunLine, dict[str, Any]]]) -> Series:
    lines = [line for line, _ in runs]
    real, placebo = [line for line in lines if not line.placebo], [line for line in lines if line.placebo]
    proven = [line for line in real if line.outcome in ("pass", "violated")]
    lost, of = sum(line.lost for line in proven), sum(line.of for line in proven)
    plan = runs[-1][1]

    def count(outcome: str) -> int:
        return sum(line.outcome == outcome for line in real)

    return Series(
        title=title,
        runs=lines,
        faults=sorted({fault["fault"]["kind"] for fault in plan["faults"]}),
        checks=sorted({check["kind"] for check in plan["experiment"].get("checks", [])}),
        passes=count("pass"),
        violations=count("violated"),
        inconclusive=count("inconclusive"),
        revert_failed=count("revert_failed"),
        placebo_runs=len(placebo),
        placebo_alarms=sum(line.outcome == "violated" for line in placebo),
        lost=lost,
        of=of,
        loss_upper_bound_95=loss_upper_bound(lost, of, CONFIDENCE) if of else None,
    )
