"""Collecting evidence: everything that will be judged is on disk before anybody judges it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import partial

from chaosday.clients.driver import Driver
from chaosday.model.experiment import Experiment
from chaosday.model.probe import LONG_S
from chaosday.model.target import Target
from chaosday.processes.limits.within import within
from chaosday.record.recorder import seal
from chaosday.record.run_directory import RunDirectory
from chaosday.safety.reading import collected


def collect(
    directory: RunDirectory, experiment: Experiment, targets: Mapping[str, Target], drivers: Sequence[Driver]
) -> None:
    """Write the history, what each store and replica holds now, and what the evidence probes say.

    Raises what a target or a probe raises; what was written before that stays.
    """
    seal(directory.history_directory, directory.path / "history.parquet")
    for driver in drivers:
        workload = driver.workload
        replicas = {name: targets[name] for name in workload.replicas}
        target, what = targets[workload.target], f"reading back what the {workload.kind} workload wrote"
        found = within(LONG_S, partial(workload.read_back, target, replicas), what)
        for name, rows in found.items():
            directory.write_rows(name, rows)
        for name, said in workload.facts().items():
            directory.write_json(f"observations/{name}.json", said)
    scratch = directory.path / "scratch"
    try:
        for probe in experiment.evidence:
            scratch.mkdir(exist_ok=True)
            for name, said in collected(probe, targets[probe.target], scratch).items():
                directory.write_json(f"observations/{name}.json", said)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
