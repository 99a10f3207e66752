"""Judging a run's evidence again: the same checks, on any machine, long after the run."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from chaosday.errors import EvidenceMissing
from chaosday.judging.verdict import judge_checks
from chaosday.model.any_of import any_of
from chaosday.model.check import Check
from chaosday.model.experiment import in_words
from chaosday.model.finding import Finding, judged
from chaosday.record.run_directory import RunDirectory


def checks_of(directory: RunDirectory) -> list[Check]:
    """The checks of the run's experiment, from its plan; ``EvidenceMissing`` if the plan has none that we know."""
    plan: dict[str, Any] = directory.read_json("plan.json")
    try:
        stated = plan["experiment"]["checks"]
    except (KeyError, TypeError, IndexError):
        raise EvidenceMissing(f"{directory.run}: its plan.json is no plan of an experiment with checks") from None
    try:
        checks: list[Check] = TypeAdapter(list[any_of("checks")]).validate_python(stated)  # type: ignore[misc,arg-type]
    except ValidationError as error:
        raise EvidenceMissing(
            f"{directory.run}: its plan names checks that this version lacks: {in_words(error)}"
        ) from None
    return checks


def judge_again(directory: RunDirectory) -> list[Finding]:
    """The findings of the run's own checks on the run's own evidence; all inconclusive where it was altered."""
    checks = checks_of(directory)
    if altered := directory.altered():
        why = f"evidence altered: {', '.join(altered[:5])}{' and more' if len(altered) > 5 else ''}"
        return [judged(check.kind, examined=0, anomalies=[], unsure=[why]) for check in checks]
    return judge_checks(checks, directory.evidence())


def shown(findings: list[Finding]) -> str:
    """Findings as lines for a terminal."""
    lines = []
    for finding in findings:
        found = ", ".join(f"{each.count:,} {each.name}" for each in finding.anomalies) or "; ".join(finding.reasons)
        examined = f"{finding.examined:,} {finding.examined_unit} examined"
        lines.append(f"{finding.check}: {finding.outcome.value}, {examined}{': ' + found if found else ''}")
    return "\n".join(lines)
