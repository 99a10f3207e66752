"""``python -m tests.broken.pipeline SWITCH WORKLOAD CHECK``: a run of the whole pipeline on the broken store."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from chaosday.clients.line_server import LineServer
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.model.experiment import parse
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from tests.broken.server import Broken


def run(switch: str, workload: dict[str, Any], check: dict[str, Any]) -> dict[str, Any]:
    """Verdict, anomalies by name, and the reasons."""
    serving = LineServer(Broken(switch), lambda: "the broken store, 1")
    serving.start()
    data = {
        "title": f"broken: {switch or 'not at all'}",
        "targets": {"store": {"kind": "line_store", "port": serving.port}},
        "workloads": [{"target": "store", "clients": 4, **workload}],
        "steady_state": [{"kind": "answers", "target": "store"}],
        "checks": [{key: value for key, value in check.items() if key != "must_see"}],
        "must_see": check.get("must_see"),
        "baseline_s": 1,
        "baseline_at_most_s": 300,
        "fault_window_s": 0,
        "after_s": 0,
        "loss_rate_to_see": 0.01,
        "sight_budget_s": 600,
    }
    with tempfile.TemporaryDirectory() as root:
        directory = RunDirectory.create(Path(root), data["title"], SystemClock())
        with Run(ExperimentKind(parse(data)), directory) as pipeline:
            play(pipeline)
            findings = pipeline.verify()
            pipeline.prove()
            verdict = pipeline.conclude()
    serving.close()
    found = {each.name: each.count for finding in findings for each in finding.anomalies}
    return {"verdict": verdict.outcome.value, "anomalies": found, "reasons": verdict.reasons[:3]}


if __name__ == "__main__":
    print(json.dumps([run(*each) for each in json.load(sys.stdin)]))
