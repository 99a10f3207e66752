"""The block that says what experiments may do here."""

from __future__ import annotations

from pydantic import Field

from blocks.target_block import FormBlock, page
from chaosday.errors import InvalidExperiment
from chaosday.safety.guardrails import Freeze, Window
from chaosday.safety.guardrails import Guardrails as Limits


class Guardrails(FormBlock):
    """Limits that hold whatever an experiment file says; the stricter of the two wins."""

    _block_type_name = "chaosday guardrails"
    _block_type_slug = "chaosday-guardrails"
    _documentation_url = page("safety.md")
    _description = "What chaos experiments may do in this workspace, to what, when, and who has to agree."

    environments: list[str] = Field(
        default=[], description="Where experiments may run; empty is everywhere that does not sound like production"
    )
    protected_names: list[str] = Field(default=[], description="Shell patterns of targets that no experiment may name")
    allowed_faults: list[str] = Field(default=["*"], description="Shell patterns of fault kinds")
    max_targets: int = Field(default=1, ge=1, le=10_000, description="How many things may be hurt at once")
    max_duration_s: int = Field(
        default=900, ge=1, description="Longest baseline, fault window and aftermath together, in seconds"
    )
    max_ttl_s: int = Field(
        default=300, ge=1, description="Longest lease: how long a fault may outlive its orchestrator, in seconds"
    )
    late_tolerance_s: int = Field(
        default=300, ge=0, description="A run that starts later than this after its time injects nothing, in seconds"
    )
    windows: list[Window] = Field(default=[], description="Hours in which faults may be on; empty is any time")
    freezes: list[Freeze] = Field(default=[], description="Days on which nothing is hurt")
    approval_for: list[str] = Field(
        default=[], description="Shell patterns of fault kinds to which a second person has to agree"
    )

    def limits(self) -> Limits:
        """The same as the kernel takes it."""
        try:
            return Limits.model_validate({name: getattr(self, name) for name in Limits.model_fields})
        except ValueError as error:
            raise InvalidExperiment(f"the guardrails block is wrong: {' '.join(str(error).split())[:200]}") from None
