"""Every member of every family goes through a flow's parameters and comes back as it was."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from prefect import flow

from chaosday.model.experiment import Experiment, parse
from chaosday.registry import members

pytestmark = pytest.mark.xdist_group("prefect")


def _everything() -> Experiment:
    """One experiment with every member of every family that an experiment can hold."""
    named = {family: [model() for model in members(family).values()] for family in ("faults", "probes", "actions")}
    targets = {kind.replace(".", "_"): model() for kind, model in members("targets").items()}
    aim = {"target": next(iter(targets))}

    def at(parts: list[Any]) -> list[dict[str, Any]]:
        return [part.model_dump(mode="json") | aim for part in parts]

    return parse(
        {
            "title": "everything",
            "targets": {name: target.model_dump(mode="json") for name, target in targets.items()},
            "workloads": at([model() for model in members("workloads").values()]),
            "faults": [{"fault": fault} for fault in at(named["faults"])],
            "actions": at(named["actions"]),
            "repairs": at(named["actions"]),
            "steady_state": at(named["probes"]),
            "guards": [{"probe": probe} for probe in at(named["probes"])],
            "evidence": at(named["probes"]),
            "checks": [model().model_dump(mode="json") for model in members("checks").values()],
        }
    )


def test_through_a_flow_run_of_this_process(prefect_api: None) -> None:
    """As ``chaosday run`` hands it over: resolved, validated, given to the flow, and equal."""

    @flow(name="echo", persist_result=False)
    def echo(experiment: Experiment) -> Experiment:
        return experiment

    whole = _everything()
    assert echo(whole) == whole


def test_through_the_json_of_a_deployment() -> None:
    """As the API hands it over: what becomes JSON on the way there is the same value on the way back."""
    from flows.experiment import experiment

    whole = _everything()
    sent = orjson.loads(orjson.dumps(experiment.serialize_parameters({"experiment": whole})))
    assert experiment.validate_parameters(sent)["experiment"] == whole
