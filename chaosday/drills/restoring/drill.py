"""A restore drill as a value: what is backed up, how, and what is promised of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from chaosday.checks.ledger import LedgerCheck
from chaosday.checks.pg_verifybackup import PgVerifybackup
from chaosday.checks.recovery_objectives import RecoveryObjectives
from chaosday.checks.s3_ledger import S3Ledger
from chaosday.drills.restoring.subject import OBJECTS, RESTORED
from chaosday.model.base import Model
from chaosday.model.check import Check
from chaosday.model.experiment import ENVIRONMENT, Guard, validated
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.s3_store import S3Store

SOURCE = "source"


class RestoreDrill(Model):
    """Writes are acknowledged while a backup is taken; the backup is restored beside the source and compared.

    The source is read by the backup and written to only in tables of chaosday's own. The restored copy
    lives in a scratch folder of this machine, which needs as much room as the database, and goes again.
    """

    drill: Literal["restore"] = "restore"
    title: str = Field(default="restore drill", min_length=1, max_length=120)
    hypothesis: str = "Every write that was acknowledged before the backup began is in the restored store."
    seed: int = Field(default=1, ge=0)
    source: PostgreSQL | S3Store = Field(default=PostgreSQL(), discriminator="kind")
    method: Literal["base_backup", "dump", "versions"] = "base_backup"
    """pg_basebackup of the whole cluster, pg_dump of the database, or the versions that a bucket keeps."""
    clients: int = Field(default=4, ge=1, le=64)
    rate_per_s: float = Field(default=0, ge=0)
    """Operations a second over all clients; 0 is as fast as it goes."""
    before_s: float = Field(default=2, gt=0, le=86_400)
    """How long clients write before the backup begins."""
    before_at_most_s: float = Field(default=0, ge=0, le=86_400)
    """They go on for so long, on a slow machine, until enough is acknowledged for ``loss_rate_to_see``."""
    after_s: float = Field(default=1, gt=0, le=86_400)
    """How long they write after it has ended: what no restore of this backup can bring back."""
    rpo_s: float = Field(default=300, gt=0)
    """Recovery point objective: how much time's worth of acknowledged writes may be missing, in seconds."""
    rto_s: float = Field(default=3600, gt=0)
    """Recovery time objective: from the decision to restore to the first write that the copy takes, in seconds."""
    scratch: Path | None = Field(default=None, title="Scratch folder")
    """Where the backup and its copy go for the time of the drill; empty is the run directory."""
    environment: str = Field(default="test", pattern=ENVIRONMENT)
    """Where the source belongs; ``production`` is refused unless the guardrails name it."""
    guards: list[Guard] = []
    """Probes of the ``source`` that stop the drill."""
    loss_rate_to_see: float = Field(default=0.01, gt=0, lt=1)
    sight_budget_s: float = Field(default=20, gt=0, le=3600)

    @model_validator(mode="before")
    @classmethod
    def _kinds(cls, data: Any) -> Any:
        """A source without a kind is a PostgreSQL, and a bucket has one method."""
        if not isinstance(data, dict) or not isinstance(data.get("source"), dict):
            return data
        source = {"kind": "postgresql", **data["source"]}
        versions = {"method": "versions"} if source["kind"] == "s3_store" else {}
        return {**versions, **data, "source": source}

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (self.method == "versions") != isinstance(self.source, S3Store):
            raise ValueError(f"method: {self.method} is none for a {self.source.kind}")
        for number, guard in enumerate(self.guards):
            if guard.probe.target != SOURCE:
                raise ValueError(f"guards.{number}: the one target is called {SOURCE!r}, not {guard.probe.target!r}")
        return self

    def checks(self) -> list[Check]:
        """The ledger against what was restored, the two objectives, and the backup's own manifest where it has one."""
        objectives = RecoveryObjectives(rpo_s=self.rpo_s, rto_s=self.rto_s)
        if isinstance(self.source, S3Store):
            return [S3Ledger(store=OBJECTS), objectives]
        ledger: list[Check] = [LedgerCheck(store=RESTORED), objectives]
        return [*ledger, PgVerifybackup()] if self.method == "base_backup" else ledger


def parse_drill(data: dict[str, Any], where: str = "") -> RestoreDrill:
    """Validate plain data through the strict door."""
    return validated(RestoreDrill, data, where)
