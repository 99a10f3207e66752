"""Detect: listen to somebody's monitors, plant damage where it is scratch, and see who notices."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.artifacts import create_table_artifact

from chaosday.drills.detection.run import DetectionRun
from chaosday.judging.proof import KillMatrix
from chaosday.model.finding import Finding
from tasks.settings import ACT


@task(name="preflight", **ACT)
def preflight(run: DetectionRun) -> dict[str, Any]:
    """What would be damaged, by name, and how it would be put back."""
    return run.preflight()


@task(name="listen", **ACT)
def listen(run: DetectionRun) -> None:
    """The monitors have to be healthy before anything is damaged."""
    run.listen()


@task(name="plant damage", **ACT)
def damage(run: DetectionRun) -> None:
    """Each kind in turn: planted, noticed or not, undone."""
    run.damage()


@task(name="who noticed", **ACT)
def verify(run: DetectionRun) -> list[Finding]:
    """What each monitor noticed, and after how long, as a table in the UI."""
    findings = run.verify()
    rows = [
        {"damage": each["name"]}
        | {n["monitor"]: "not noticed" if n["after_s"] is None else f"{n['after_s']:.1f} s" for n in each["notices"]}
        for each in run.seen["damage"]
    ]
    if rows:
        create_table_artifact(
            rows, key=f"chaosday-noticed-{run.directory.token}", description="Damage, and after how long it was noticed"
        )
    return findings


@task(name="prove the detectors", **ACT)
def prove(run: DetectionRun) -> KillMatrix:
    """Would unnoticed damage be told?"""
    return run.prove()
