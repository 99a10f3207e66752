"""The ad-hoc forms are made from the registry, and what they describe is an experiment."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import TypeAdapter, ValidationError

from chaosday.errors import InvalidExperiment
from chaosday.registry import member
from chaosday.targets.local_host import LocalHost
from chaosday.targets.postgresql import PostgreSQL
from flows.adhoc import parse_form
from flows.form import (
    CONNECTION_FAULTS,
    HOST_FAULTS,
    Checks,
    ConnectionFault,
    Durations,
    Guards,
    HostFault,
    experiment_of,
)

CASES = [*((ConnectionFault, kind) for kind in CONNECTION_FAULTS), *((HostFault, kind) for kind in HOST_FAULTS)]
PROXY = {"kind": "proxy_route", "upstream": "127.0.0.1:5432"}


@pytest.mark.parametrize(("union", "kind"), CASES, ids=lambda case: case if isinstance(case, str) else "")
def test_a_tab_is_its_fault(union: Any, kind: str) -> None:
    """Each tab becomes that fault, with the same defaults, and ignores what another tab had filled in."""
    tab = TypeAdapter(union).validate_python({"kind": kind, "of_another_tab": 1})
    wanted = experiment_of(
        "t",
        "h",
        PostgreSQL(),
        tab,
        durations=Durations(),
        checks=Checks(),
        guards=Guards(database_stops_answering=True),
    )
    hurt = wanted["faults"][0]["fault"]["target"]
    wanted["targets"][hurt] = PROXY if hurt == "door" else LocalHost()
    (fault_at,) = parse_form(wanted).faults
    default = member("faults", kind).model_validate({"target": hurt, "ttl_s": fault_at.fault.ttl_s})
    assert fault_at.fault == default


@pytest.mark.parametrize("union", [ConnectionFault, HostFault])
def test_every_field_has_a_default_and_a_label(union: Any) -> None:
    """Without defaults a submit after a change of tabs fails; without labels people read names of variables."""
    for tab in get_args(union):
        assert tab().kind
        for field in tab.model_json_schema()["properties"].values():
            assert field["title"][0].isupper() and "_" not in field["title"]


def test_nothing_to_look_at_is_refused() -> None:
    """With every check switched off there would be nothing to judge."""
    tab = TypeAdapter(ConnectionFault).validate_python({"kind": "network.proxy.reset"})
    none = Checks(ledger=False, bank=False)
    wanted = experiment_of("t", "h", PostgreSQL(), tab, durations=Durations(), checks=none, guards=Guards())
    with pytest.raises(InvalidExperiment, match="switch on at least one"):
        parse_form(wanted)


def test_seconds_have_limits() -> None:
    """Whole seconds, from one to an hour."""
    with pytest.raises(ValidationError):
        Durations(fault_s=0)
