"""A store that has lost everything is found out, and loudly: nothing left to read is no reason to judge nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.model.experiment import parse
from chaosday.model.finding import Outcome
from chaosday.progress import Step, listening
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.servers.postgres import Node
from tests.targets.test_postgresql import target_of


@pytest.mark.lab
def test_a_table_that_is_gone_has_lost_every_row(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Dropped in the middle of a run: every acknowledged row is lost, and the verdict is violated."""
    victim = subprocess.Popen(["sleep", "600"])
    data = {
        "title": "a lost table",
        "targets": {
            "db": {"kind": "postgresql", "port": pair[0].port, "password": pair[0].password},
            "victim": {"kind": "local_process", "pid": victim.pid, "state_dir": str(tmp_path / "leases")},
        },
        "workloads": [{"kind": kind, "target": "db", "clients": 1} for kind in ("ledger", "bank")],
        "faults": [{"fault": {"kind": "process.pause", "target": "victim"}}],
        "checks": [{"kind": "ledger"}, {"kind": "bank"}],
        "baseline_s": 0.3,
        "fault_window_s": 0.3,
        "after_s": 0,
        "loss_rate_to_see": 0.9,
        "sight_budget_s": 120,
    }
    run = Run(ExperimentKind(parse(data)), RunDirectory.create(tmp_path / "runs", "lost", SystemClock()))

    def drop(step: Step) -> None:
        if step.phase == "observe":
            with target_of(pair[0]).connect() as connection:
                for workload in run.workloads.prepared:
                    table = workload.table  # type: ignore[attr-defined]
                    connection.execute(f"drop table if exists chaosday.{table}")

    try:
        with run, listening(drop):
            play(run)
            run.verify()
            verdict = run.report()
    finally:
        victim.kill()
        victim.wait()
    assert verdict.outcome is Outcome.VIOLATED, verdict.reasons
    lost = {finding.check: {anomaly.name for anomaly in finding.anomalies} for finding in run.findings}
    assert "lost" in lost["ledger"], lost
    assert lost["bank"], lost
