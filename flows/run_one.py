"""One experiment as one flow run of this process: what ``chaosday run`` and the findings have in common."""

from __future__ import annotations

from chaosday.judging.verdict import Verdict
from chaosday.model.experiment import Experiment
from chaosday.record.run_directory import RunDirectory
from flows.terminal import watching


def run_one(value: Experiment, directory: RunDirectory, *, quiet: bool, placebo: bool = False) -> Verdict:
    """One experiment as one flow run of this process, watched over in case we die."""
    from flows.experiment import experiment

    with watching(quiet=quiet):
        state = experiment(value, directory.path, placebo=placebo, return_state=True)
    return Verdict.model_validate(directory.read_json("verdict.json")) if state else Verdict()
