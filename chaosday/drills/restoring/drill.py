"""A restore drill as a value: what is backed up, how, and what is promised of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from chaosday.checks.amcheck import Amcheck
from chaosday.checks.ledger import LedgerCheck
from chaosday.checks.pg_verifybackup import PgVerifybackup
from chaosday.checks.recovery_objectives import RecoveryObjectives
from chaosday.checks.s3_ledger import S3Ledger
from chaosday.checks.sqlite_integrity import SqliteIntegrity
from chaosday.drills.restoring.accident import Accident
from chaosday.drills.restoring.picking import Pick
from chaosday.drills.restoring.subject import OBJECTS, RESTORED
from chaosday.model.base import Model
from chaosday.model.check import Check
from chaosday.model.experiment import ENVIRONMENT, Guard, validated
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.mariadb import MariaDB
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.s3_store import S3Store
from chaosday.targets.sqlite_file import SQLiteFile

SOURCE = "source"
METHODS: dict[str, tuple[str, ...]] = {
    "postgresql": ("base_backup", "dump", "command"),
    "mariadb": ("dump", "mariadb_backup"),
    "sqlite_file": ("online", "export", "file_copy"),
    "duckdb_file": ("export", "file_copy"),
    "s3_store": ("versions",),
}
"""What each kind of source can be backed up by; the first is taken where none is named."""


class OwnRestore(Model):
    """Your own way to back up and to restore, as commands (POSIX ``sh``) of this machine.

    All get the folder of the backup in ``$CHAOSDAY_BACKUP`` and the source in libpq's variables: ``PGHOST``,
    ``PGPORT``, ``PGUSER``, ``PGDATABASE``, ``PGPASSFILE``, and those of TLS as the source has them. They run under the
    account of the copy's server.
    """

    backup: str = ""
    """Takes the backup. Empty where one is taken anyhow while clients write: ``command`` has to restore that one."""
    command: str = ""
    """Restores into ``$CHAOSDAY_INTO``, or into the server that libpq's variables name then."""
    listing: str = ""
    """Prints which backups there are: ``restic snapshots --json``, ``borg list --json``, ``pgbackrest info
    --output=json``, or a line for each with a time (ISO 8601, or seconds since 1970) and a name. The name of the one
    that is picked is in ``$CHAOSDAY_PICKED`` when ``command`` runs."""
    pick: Pick = "newest"
    """Which one: the newest; or one that was there before the drill, by its age, or a ``random`` one by the seed. It
    owes nothing of the drill's own: it is looked through by pg_amcheck, and is to be no older than ``rpo_s``."""
    into: Literal["data_directory", "server"] = "data_directory"
    """An empty folder that it fills with a data directory, which is started and recovers as its files say; or an empty
    server that is started before."""
    timeout_s: float = Field(default=3600, gt=0, le=86_400)

    def commands(self) -> list[str]:
        """What is run of it."""
        return [each for each in (self.backup, self.listing, self.command) if each]

    def lacking(self) -> str:
        """What does not go together, in words; empty where nothing."""
        if self.pick != "newest" and not self.listing:
            return "restore.listing: say what lists the backups, for one to be picked"
        if self.pick != "newest" and self.backup:
            return "restore.backup: none is taken where one that is there already is picked"
        return ""


class RestoreDrill(Model):
    """Writes are acknowledged while a backup is taken; the backup is restored beside the source and compared.

    The source is read by the backup and written to only in tables of chaosday's own. The restored copy
    lives in a scratch folder of this machine, which needs as much room as the database, and goes again.
    """

    drill: Literal["restore"] = "restore"
    title: str = Field(default="restore drill", min_length=1, max_length=120)
    hypothesis: str = "Every write that was acknowledged before the backup began is in the restored store."
    seed: int = Field(default=1, ge=0)
    source: PostgreSQL | MariaDB | SQLiteFile | DuckDBFile | S3Store = Field(default=PostgreSQL(), discriminator="kind")
    method: Literal["base_backup", "dump", "mariadb_backup", "online", "export", "file_copy", "versions", "command"] = (
        "base_backup"
    )
    """PostgreSQL: pg_basebackup of the whole cluster, pg_dump of the database, or your own commands. MariaDB:
    mariadb-dump of the database, or mariadb-backup of the whole server. SQLite: its online backup (``.backup``), an
    export (``.dump``), or a copy of the file alone. DuckDB: EXPORT DATABASE, for which clients pause, or such a copy. A
    bucket: the versions that it keeps."""
    restore: OwnRestore | None = None
    """Your own commands; ``method`` is ``command`` then."""
    accident: Accident | None = None
    """Recover to the moment before one: PostgreSQL with ``base_backup`` and the WAL that is streamed meanwhile."""
    amcheck: bool = False
    """Have pg_amcheck look through the restored PostgreSQL, table by table with its indexes."""
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
        """A source without a kind is a PostgreSQL, and each kind has its own first method."""
        if not isinstance(data, dict) or not isinstance(data.get("source"), dict):
            return data
        source = {"kind": "postgresql", **data["source"]}
        method = {"method": METHODS[source["kind"]][0]} if str(source["kind"]) in METHODS else {}
        method |= {"method": "command"} if data.get("restore") else {}
        return {**method, **data, "source": source}

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if self.method not in (able := METHODS[self.source.kind]):
            raise ValueError(f"method: {self.method} is none for a {self.source.kind}, which has {', '.join(able)}")
        if (self.method == "command") != (self.restore is not None and bool(self.restore.command)):
            raise ValueError("restore: method 'command' goes with a 'command' that restores, and it with that method")
        if self.restore and (lacking := self.restore.lacking()):
            raise ValueError(lacking)
        if self.accident and (self.source.kind, self.method) != ("postgresql", "base_backup"):
            raise ValueError(f"accident: goes with method base_backup of a postgresql, not {self.method} of this one")
        if self.amcheck and self.source.kind != "postgresql":
            raise ValueError(f"amcheck: goes with a postgresql, not with a {self.source.kind}")
        for number, guard in enumerate(self.guards):
            if guard.probe.target != SOURCE:
                raise ValueError(f"guards.{number}: the one target is called {SOURCE!r}, not {guard.probe.target!r}")
        return self

    @property
    def existing(self) -> bool:
        """Whether a backup is restored that was there before anything was written to the ledger."""
        return self.restore is not None and self.restore.pick != "newest"

    def checks(self) -> list[Check]:
        """The ledger against what was restored, the two objectives, and what there is that knows the files."""
        objectives = RecoveryObjectives(rpo_s=self.rpo_s, rto_s=self.rto_s)
        if self.existing:
            return [Amcheck(), objectives]
        if isinstance(self.source, S3Store):
            return [S3Ledger(store=OBJECTS), objectives]
        ledger: list[Check] = [LedgerCheck(store=RESTORED), objectives]
        if self.amcheck:
            ledger.append(Amcheck())
        if isinstance(self.source, SQLiteFile):
            return [*ledger, SqliteIntegrity()]
        return [*ledger, PgVerifybackup()] if self.method == "base_backup" else ledger


def parse_drill(data: dict[str, Any], where: str = "") -> RestoreDrill:
    """Validate plain data through the strict door."""
    return validated(RestoreDrill, data, where)
