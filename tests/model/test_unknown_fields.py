"""A misspelt field is found wherever it stands, and what a form sends along from another tab is not one."""

from __future__ import annotations

from typing import Any

import pytest

from chaosday.drills.gameday.day import GameDay
from chaosday.drills.restoring.drill import RestoreDrill
from chaosday.model.experiment import Experiment
from chaosday.model.unknown_fields import unknown_fields

pytestmark = pytest.mark.kernel
LATENCY = {"kind": "network.proxy.latency", "target": "door", "delay_ms": 20}
PROBE = {"kind": "postgresql.write", "target": "database"}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"seed": 1, "targets": {"database": {"kind": "postgresql", "port": 5432}}}, []),
        ({"seedd": 1}, ["seedd: there is no such field; did you mean seed?"]),
        ({"targets": {"database": {"kind": "postgresql", "porrt": 1}}}, ["targets.database.porrt: there is no such"]),
        ({"faults": [{"fault": LATENCY | {"delay_mss": 3000}}]}, ["faults.0.fault.delay_mss: there is no such field"]),
        ({"faults": [{"fault": LATENCY, "at": 1}]}, ["faults.0.at: there is no such field; did you mean at_s?"]),
        ({"faults": [{"fault": LATENCY | {"rate_kb_per_s": 1}}]}, []),
        ({"faults": [{"fault": {"kind": "cloud.s3.tamper", "keys": "*"}}]}, []),
        ({"guards": [{"probe": PROBE | {"timeoutt_s": 1}}]}, ["guards.0.probe.timeoutt_s: "]),
        ({"settle": {"probe": PROBE, "sucesses": 2}}, ["settle.sucesses: there is no such field; did you mean succ"]),
        ({"blast_radius": {"max_target": 2}}, ["blast_radius.max_target: "]),
        ({"checks": [{"kind": "ledger", "nonsense": 1}], "sed": 1}, ["checks.0.nonsense: ", "sed: "]),
        ({"targets": "no mapping", "faults": {"not": "a list"}}, []),
        ({"settle": {"$ref": {"block_document_id": "1"}}}, []),
    ],
)
def test_of_an_experiment(data: dict[str, Any], said: list[str]) -> None:
    """Each is named by its place, with the field that was meant; fields of other members of a union are let through."""
    found = unknown_fields(Experiment, data)
    assert len(found) == len(said)
    assert all(line.startswith(begins) for line, begins in zip(found, said, strict=True)), found


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (GameDay, {"abort": [{"whn": "it burns"}]}),
        (GameDay, {"flags": {"patience": 3}}),
        (GameDay, {"systems": [{"monitors": [{"probee": PROBE}]}]}),
        (RestoreDrill, {"titel": "t"}),
    ],
)
def test_of_other_kinds_of_run(value: Any, data: dict[str, Any]) -> None:
    """Drills and game days are read by the same eyes."""
    assert len(unknown_fields(value, data)) == 1


def test_a_model_that_was_made_holds_nothing_unknown() -> None:
    """Only plain data can."""
    assert unknown_fields(dict[str, Experiment], {"a": object()}) == []
    assert unknown_fields(Experiment | None, None) == []
