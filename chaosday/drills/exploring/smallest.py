"""The smallest experiment that violates, as a file that runs like any other."""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import SecretStr

from chaosday.drills.exploring.base import Base
from chaosday.drills.exploring.trials import Experiment
from chaosday.drills.finding_file import ARMS
from chaosday.registry import members

LINE = 110


def file_of(base: Base, experiment: Experiment, anomalies: list[str]) -> str:
    """YAML: an experiment, or, where a lab starts the system, a finding whose other arm has the same faults.

    Secrets that stood in a target stay behind; where they came from is as good for this file.
    """
    said = _twins(base, experiment, anomalies) if base.finding is not None else _without_secrets(base, experiment)
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=LINE)


def _without_secrets(base: Base, experiment: Experiment) -> dict[str, Any]:
    kept = {name: _found_again(target) for name, target in experiment.get("targets", {}).items()}
    return {**experiment, "title": f"smallest: {base.title}"[:120], "targets": kept}


def _found_again(target: dict[str, Any]) -> dict[str, Any]:
    model = members("targets").get(str(target.get("kind")))
    fields = model.model_fields if model else {}
    return {name: value for name, value in target.items() if name not in fields or not _is_secret(fields[name])}


def _is_secret(field: Any) -> bool:
    return SecretStr.__name__ in str(field.annotation)


def _twins(base: Base, experiment: Experiment, anomalies: list[str]) -> dict[str, Any]:
    """What was shrunk goes to the experiment, and out of the changes of both arms, which would replace it.

    Workloads stay with an arm that has its own: they are what makes it sound.
    """
    finding = base.finding
    assert finding is not None
    shrunk = {"faults", "fault_window_s", "actions", "repairs"} & set(experiment)
    # Where the arm that is called sound violates, it is the one that has the problem.
    from_arm = {"unsound": finding.arm(base.arm), "sound": finding.sound}
    changes = {arm: {n: v for n, v in from_arm[arm].change.items() if n not in shrunk} for arm in ARMS}
    common = {**finding.experiment, **{name: experiment[name] for name in sorted(shrunk)}}
    if "workloads" in changes["unsound"]:
        changes["unsound"]["workloads"] = experiment["workloads"]
    else:
        common["workloads"] = experiment["workloads"]
    arms: dict[str, dict[str, Any]] = {
        arm: {k: v for k, v in {**from_arm[arm].model_dump(mode="json"), "change": changes[arm]}.items() if v}
        for arm in ARMS
    }
    arms["unsound"]["anomalies"] = anomalies
    if finding.sound.verdict == "pass":
        arms["sound"].pop("verdict", None)
    arms["unsound"].pop("verdict", None)
    told = {name: getattr(finding, name) for name in ("finding", "system", "source", "story", "lab")}
    return {**told, "experiment": common, **arms}
