"""What deployments/prefect.yaml promises is there: flows by their entrypoints, parameters that they take."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from chaosday.lab.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOYMENTS = yaml.safe_load((ROOT / "deployments" / "prefect.yaml").read_text())["deployments"]


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: str(each["name"]))
def test_each_deployment_can_be_started(deployment: dict[str, Any]) -> None:
    """Its flow can be imported, and every parameter is one of the flow's and valid."""
    module, _, name = deployment["entrypoint"].rpartition(".")
    flow = getattr(importlib.import_module(module), name)
    signature = inspect.signature(flow.fn, eval_str=True)
    for parameter, value in deployment.get("parameters", {}).items():
        TypeAdapter(signature.parameters[parameter].annotation).validate_python(value, extra="forbid")
    assert deployment["description"] and deployment["work_pool"]["name"] == "chaosday"


def test_only_what_is_safe_by_itself_has_a_schedule() -> None:
    """Templates point at other people's stores: none of them runs before somebody says when."""
    scheduled = {each["name"] for each in DEPLOYMENTS if each.get("schedules")}
    assert scheduled == {"asynchronous", "synchronous", "recover", "campaign", *SCENARIOS}


@pytest.mark.parametrize("file", sorted((ROOT / "deployments" / "drills").glob("*.yaml")), ids=lambda path: path.stem)
def test_each_drill_can_be_read(file: Path) -> None:
    """The parameter files that the documentation points at are valid through the strict door."""
    from chaosday.drills.kinds import load_run

    kind, said = load_run(file), yaml.safe_load(file.read_text())
    assert kind.intent().title
    assert kind.kind == said.get("drill", said.get("kind"))


@pytest.mark.breadth
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_scenario_of_the_lab_passes(scenario: str, prefect_api: None, runs: Path) -> None:
    """As a schedule would start it: hurt and measured, nothing lost, and the checks could have seen it."""
    from flows.lab import lab

    state = lab(scenario, return_state=True)
    assert state.name == "pass", state.message
