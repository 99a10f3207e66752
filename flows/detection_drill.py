"""The detection drill, as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocks.guardrails import Guardrails
from chaosday.drills.detection.drill import DetectionDrill
from chaosday.drills.detection.kind import DetectionKind
from flows.approval import PATIENCE_S
from flows.attempt import run_flow
from flows.pipeline import Asked, carried_out


@run_flow(name="detection drill", flow_run_name="{drill.title}")
def detection_drill(
    drill: DetectionDrill,
    directory: Path | None = None,
    guardrails: Guardrails | None = None,
    requested_by: str = "",
    approval_wait_s: int = PATIENCE_S,
) -> Any:
    """Plant real damage where it is marked as scratch, undo it, and say whose monitors noticed, and how soon.

    Args:
        drill: What is damaged, and whose monitors ought to notice.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        guardrails: What runs may do here; without them only production is refused.
        requested_by: Who asks. Faults that need a second person wait for somebody else's consent in the UI.
        approval_wait_s: How long they wait, in seconds.
    """
    asked = Asked(guardrails, requested_by, approval_wait_s)
    return carried_out(DetectionKind(drill), directory, asked)
