"""Every member of every family goes through a flow's parameters and comes back as it was."""

from __future__ import annotations

import importlib
from typing import Any

import orjson
import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.exceptions import PrefectHTTPStatusError
from pydantic import TypeAdapter, ValidationError

from blocks.target_block import TargetBlock
from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import Experiment, parse
from chaosday.model.unknown_fields import secrets_in_clear
from chaosday.registry import FAMILIES, members


def _everything() -> Experiment:
    """One experiment with every member of every family that an experiment can hold."""
    named = {family: [model() for model in members(family).values()] for family in ("faults", "probes", "actions")}
    targets = {kind.replace(".", "_"): model() for kind, model in members("targets").items()}
    aim = {"target": next(iter(targets))}

    def at(parts: list[Any]) -> list[dict[str, Any]]:
        return [part.model_dump(mode="json") | aim for part in parts]

    # One that knows no undo of its own says so.
    actions = [each | ({"irreversible": True} if "irreversible" in each else {}) for each in at(named["actions"])]
    return parse(
        {
            "title": "everything",
            "targets": {name: target.model_dump(mode="json") for name, target in targets.items()},
            "workloads": at([model() for model in members("workloads").values()]),
            "faults": [{"fault": fault} for fault in at(named["faults"])],
            "actions": actions,
            "repairs": actions,
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


DATABASE = {"host": "127.0.0.1", "port": 1}
CONNECTIONS = "adhoc.ad_hoc_connections"
SLOW = {"kind": "network.proxy.latency", "delay_ms": 5}


@pytest.mark.parametrize(
    ("flow", "parameters", "said"),
    [
        (CONNECTIONS, {"database": DATABASE, "fault": SLOW}, ""),
        (CONNECTIONS, {"database": DATABASE, "fault": SLOW | {"rate_kb_per_s": 1}}, ""),
        (
            "adhoc.ad_hoc_connections",
            {"database": DATABASE, "fault": SLOW | {"delay_mss": 3000}},
            "fault.delay_mss: there",
        ),
        (CONNECTIONS, {"database": DATABASE | {"porrt": 2}, "fault": SLOW}, "database.porrt: there"),
        (
            "adhoc.ad_hoc_connections",
            {"database": DATABASE, "fault": SLOW, "guardrails": {"max_target": 1}},
            "max_target",
        ),
        (
            "adhoc.ad_hoc_connections",
            {"database": DATABASE, "fault": SLOW, "durations": {"fault": 1}},
            "durations.fault",
        ),
        (CONNECTIONS, {"database": DATABASE, "fault": SLOW, "dry_runn": False}, "did you mean dry_run?"),
        ("adhoc.ad_hoc_host", {"database": DATABASE, "host": {"hots": "h"}, "fault": {}}, "did you mean host?"),
        ("lab.lab", {"scenario": "replica lag", "seed": 3}, ""),
        ("lab.lab", {"seedd": 3}, "seedd: there is no such parameter; did you mean seed?"),
        ("lab.lab", {"seed": "many"}, "seed: "),
        ("durability.durability", {"arms": "synchronous"}, "did you mean arm?"),
        ("experiment.experiment", {"experiment": {"targets": {"a": {"kind": "postgresql", "porrt": 1}}}}, "a.porrt"),
        ("restore_drill.restore_drill", {"drill": {"titel": "t"}}, "did you mean title?"),
        ("failover_drill.failover_drill", {"drill": {"sidess": []}}, "did you mean sides?"),
        ("detection_drill.detection_drill", {"drill": {"monitorss": []}}, "did you mean monitors?"),
        ("gameday.gameday", {"day": {"abort": [{"whenn": "it burns"}]}}, "did you mean when?"),
        ("recover.recovery", {"run": "/nowhere"}, "did you mean runs?"),
        ("halt.halt", {"reason": "fire"}, "reason: there is no such parameter"),
    ],
)
def test_what_nobody_knows_is_refused_in_words(flow: str, parameters: dict[str, Any], said: str) -> None:
    """Parameters, their fields at any depth, blocks that are written out; fields of another tab are let through."""
    module, _, name = flow.partition(".")
    strict = getattr(importlib.import_module(f"flows.{module}"), name)
    if not said:
        assert set(parameters) <= set(strict.validate_parameters(parameters))
        return
    with pytest.raises(InvalidExperiment, match="Nothing was begun") as refused:
        strict.validate_parameters(parameters)
    assert said in str(refused.value)


def test_a_refusal_shows_no_value(caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong may be a secret, or stand beside one."""
    from flows.adhoc import ad_hoc_connections

    wrong = {"database": DATABASE | {"port": "canary", "password": "canary"}, "fault": SLOW}
    with pytest.raises(InvalidExperiment) as refused:
        ad_hoc_connections.validate_parameters(wrong)
    assert "database: port" in str(refused.value)
    assert "canary" not in str(refused.value) + caplog.text


def secret_fields(model: Any) -> list[str]:
    """The fields of a model that hold a secret, as pydantic has them, however deep."""
    schema = TypeAdapter(model).json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return [
        name
        for part in parts
        for name, field in part.get("properties", {}).items()
        if any(each.get("writeOnly") for each in (field, *field.get("anyOf", [])))
    ]


def test_a_secret_in_clear_is_refused_wherever_it_stands() -> None:
    """Prefect keeps parameters as they are: each secret of each target and block, and none that a model holds."""
    import blocks
    from flows.experiment import experiment

    tried = 0
    for kind, model in members("targets").items():
        for field in secret_fields(model):
            wrong = {"experiment": {"targets": {"t": {"kind": kind, field: "canary"}}}}
            with pytest.raises(InvalidExperiment, match=rf"experiment.targets.t.{field}: a secret in clear") as refused:
                experiment.validate_parameters(wrong)
            assert "canary" not in str(refused.value)
            assert not secrets_in_clear(model, {"kind": kind, field: ""})
            assert not secrets_in_clear(model, model.model_validate({field: "canary"}))
            tried += 1
    for family in set(FAMILIES) - {"targets"}:
        assert not [kind for kind, model in members(family).items() if secret_fields(model)], "try these as well"
    offered = [each for each in vars(blocks).values() if isinstance(each, type) and issubclass(each, TargetBlock)]
    for block in offered:
        for field in secret_fields(block):
            assert secrets_in_clear(block | None, {"$ref": {"block_document_id": "x"}, field: "canary"}) == [field]
            tried += 1
    assert tried > 20


def test_a_form_takes_a_password_by_its_block_only() -> None:
    """Written out it is refused with the place of it and what to do; left out, the worker's environment is asked."""
    from flows.adhoc import ad_hoc_connections

    with pytest.raises(InvalidExperiment, match=r"^database.password: .* choose a block, .* Nothing was begun$"):
        ad_hoc_connections.validate_parameters({"database": DATABASE | {"password": "canary"}, "fault": SLOW})
    assert ad_hoc_connections.validate_parameters({"database": DATABASE | {"password": None}, "fault": SLOW})


def test_a_server_keeps_no_secret_of_a_run_that_it_refuses(prefect_api: None) -> None:
    """Whoever types one into a form is refused by the deployment's schema: no run is made, and nothing is stored."""
    from flows.adhoc import ad_hoc_connections
    from flows.experiment import experiment

    canary, database = "canary-of-a-form", {"kind": "postgresql", "password": "canary-of-a-form"}
    wrong: list[tuple[Any, dict[str, Any]]] = [
        (ad_hoc_connections, {"database": DATABASE | {"password": canary}, "fault": SLOW}),
        (experiment, {"experiment": {"targets": {"t": database}}}),
    ]
    with get_client(sync_client=True) as client:
        for flow, parameters in wrong:
            schema = flow.parameters.model_dump_for_openapi()
            made = client.create_deployment(
                client.create_flow(flow), "secrets", parameter_openapi_schema=schema, enforce_parameter_schema=True
            )
            with pytest.raises(PrefectHTTPStatusError, match="409"):
                client.create_flow_run_from_deployment(made, parameters=parameters)
            blank = orjson.loads(orjson.dumps(parameters).replace(canary.encode(), b""))
            run = client.create_flow_run_from_deployment(made, parameters=blank)
            kept = client.read_flow_runs(
                flow_run_filter=FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[made]))
            )
            assert [each.id for each in kept] == [run.id]
            client.delete_deployment(made)


def test_a_misspelt_field_of_a_block_is_refused() -> None:
    """Prefect's blocks take any field and forget it: a misspelt limit would be no limit."""
    from blocks import Guardrails, PostgreSQLDatabase

    for block, field in ((PostgreSQLDatabase, "porrt"), (Guardrails, "protected_name")):
        with pytest.raises(ValidationError, match=f"{field}: there is no such field; did you mean"):
            block(**{field: 1})
        assert block.model_validate(block().model_dump()).model_dump() == block().model_dump()
