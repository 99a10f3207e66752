"""A fault that needs a second person waits for one: somebody else, by name, with a reason."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from chaosday.safety.guardrails import Guardrails
from flows.approval import Approval, judged
from tests.safety.test_guardrails import experiment


@pytest.mark.parametrize(
    ("said", "agreed"),
    [
        ({"approve": True, "approver": "ada", "why": "seen the plan"}, True),
        ({"approve": False, "approver": "ada", "why": "seen the plan"}, False),
        ({"approve": True, "approver": "Bob ", "why": "I asked for it"}, False),
        ({"approve": True, "approver": "", "why": "anonymous"}, False),
        ({"approve": True, "approver": "ada", "why": " "}, False),
    ],
)
def test_consent_counts_only_from_somebody_else(said: dict[str, Any], agreed: bool) -> None:
    """Given, by name, not the requester's own, with a reason."""
    approved = judged(Approval(**said), ["process.kill"], "bob")
    assert (approved is not None) is agreed


@pytest.mark.lab
@pytest.mark.parametrize(("approver", "outcome"), [("ada", "ada"), ("bob", "none")])
def test_the_run_waits_for_it(prefect_api: None, runs: Path, approver: str, outcome: str) -> None:
    """Paused until resumed with input; the requester who approves himself approves nothing."""
    from prefect import flow, get_client, resume_flow_run
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName, FlowRunFilterState
    from prefect.client.schemas.filters import FlowRunFilterStateType as Type
    from prefect.client.schemas.objects import StateType

    from flows.approval import approval_of

    name = f"approval-by-{approver}"

    @flow(name="asks", flow_run_name=name)
    def asks() -> str:
        limits = Guardrails(approval_for=["network.*"])
        approved = approval_of(experiment(), limits, "bob", 120)
        return approved.approver if approved else "none"

    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(asks()), daemon=True)
    thread.start()
    paused = FlowRunFilter(
        name=FlowRunFilterName(any_=[name]), state=FlowRunFilterState(type=Type(any_=[StateType.PAUSED]))
    )
    until = time.monotonic() + 200
    with get_client(sync_client=True) as client:
        while not (waiting := client.read_flow_runs(flow_run_filter=paused)):
            assert time.monotonic() < until, "it never paused"
            time.sleep(0.2)
    resume_flow_run(waiting[0].id, run_input={"approve": True, "approver": approver, "why": "seen the plan"})
    thread.join(120)
    assert found == [outcome]
