"""A stream of changes between two real PostgreSQL, disturbed and read while it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.judging.proof import all_corruptions
from chaosday.lab.stands import fresh
from chaosday.model.corruption import NotApplicable
from chaosday.model.experiment import parse
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from tests.docs.pages import ROOT

pytestmark = [pytest.mark.lab]


def test_the_ready_experiment_runs(tmp_path: Path) -> None:
    """The file as it stands, aimed at the lab: the stream is cut, a column comes in mid-stream, and all of it arrives
    in order; damage of every kind could be planted in what was seen."""
    document = yaml.safe_load((ROOT / "deployments" / "experiments" / "your-postgresql-stream.yaml").read_text())
    with fresh("postgresql_stream", {}) as facts:
        for name in ("source", "sink"):
            document["targets"][name] = facts[name]
        stream = {"route": "stream", "upstream": facts["upstream"], "control": facts["control"]}
        document["targets"]["stream"] = {"kind": "proxy_route", **stream}
        document["baseline_at_most_s"] = 120
        directory = RunDirectory.create(tmp_path / "runs", "stream", SystemClock())
        with Run(ExperimentKind(parse(document)), directory) as run:
            cleans = play(run)
            findings = run.verify()
    assert [each.words for each in cleans if not each.clean] == []
    assert [(finding.outcome.value, finding.anomalies) for finding in findings] == [("pass", [])], findings
    evidence, planted = directory.evidence(), 0
    for corruption in all_corruptions():
        if "stream" in corruption.stores:
            try:
                planted += bool(corruption.plant(evidence, 1, np.random.default_rng(1)).keys)
            except NotApplicable as reason:
                pytest.fail(f"{corruption.kind}: {reason}")
    assert planted == 7
