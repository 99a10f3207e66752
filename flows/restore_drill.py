"""The restore drill, as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocks.guardrails import Guardrails
from chaosday.drills.restoring.drill import RestoreDrill
from chaosday.drills.restoring.kind import RestoreKind
from flows.approval import PATIENCE_S
from flows.attempt import run_flow
from flows.pipeline import Asked, carried_out


@run_flow(name="restore drill", flow_run_name="{drill.title}")
def restore_drill(
    drill: RestoreDrill,
    directory: Path | None = None,
    guardrails: Guardrails | None = None,
    requested_by: str = "",
    approval_wait_s: int = PATIENCE_S,
) -> Any:
    """Take a backup while clients write, restore it beside the source, and compare it with what was acknowledged.

    Args:
        drill: What is backed up, how, and what is promised of it.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        guardrails: What runs may do here; without them only production is refused.
        requested_by: Who asks. Faults that need a second person wait for somebody else's consent in the UI.
        approval_wait_s: How long they wait, in seconds.
    """
    asked = Asked(guardrails, requested_by, approval_wait_s)
    return carried_out(RestoreKind(drill), directory, asked)
