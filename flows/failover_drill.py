"""The failover drill, as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocks.guardrails import Guardrails
from chaosday.drills.failover.drill import FailoverDrill
from chaosday.drills.failover.kind import FailoverKind
from flows.approval import PATIENCE_S
from flows.attempt import run_flow
from flows.pipeline import Asked, carried_out


@run_flow(name="failover drill", flow_run_name="{drill.title}")
def failover_drill(
    drill: FailoverDrill,
    directory: Path | None = None,
    guardrails: Guardrails | None = None,
    requested_by: str = "",
    approval_wait_s: int = PATIENCE_S,
) -> Any:
    """Leave the primary, verify, return, verify: what was acknowledged, who takes writes, how long nobody does.

    Args:
        drill: What leads away and home again, and which sides there are.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        guardrails: What runs may do here; without them only production is refused.
        requested_by: Who asks. What needs a second person waits for somebody else's consent in the UI.
        approval_wait_s: How long it waits, in seconds.
    """
    asked = Asked(guardrails, requested_by, approval_wait_s)
    return carried_out(FailoverKind(drill), directory, asked)
