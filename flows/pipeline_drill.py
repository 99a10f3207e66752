"""The pipeline drill, as a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blocks.guardrails import Guardrails
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.drills.pipelines.kind import PipelineKind
from flows.approval import PATIENCE_S
from flows.attempt import run_flow
from flows.pipeline import Asked, carried_out


@run_flow(name="pipeline drill", flow_run_name="{drill.title}")
def pipeline_drill(
    drill: PipelineDrill,
    directory: Path | None = None,
    guardrails: Guardrails | None = None,
    requested_by: str = "",
    approval_wait_s: int = PATIENCE_S,
) -> Any:
    """Kill a command at every distinct point of its work, on copies, run it again, and compare what it wrote.

    Args:
        drill: Which command, what it writes to, and how its scheduler runs it again.
        directory: The run directory that takes the evidence; a new one under chaosday-runs by default.
        guardrails: What runs may do here; without them only production is refused.
        requested_by: Who asks. Faults that need a second person wait for somebody else's consent in the UI.
        approval_wait_s: How long they wait, in seconds.
    """
    asked = Asked(guardrails, requested_by, approval_wait_s)
    return carried_out(PipelineKind(drill), directory, asked)
