"""Which subject a drill is of: by the kind of its source, and its method."""

from __future__ import annotations

from pathlib import Path

from chaosday.drills.restoring.backups import METHODS, PostgresBackup
from chaosday.drills.restoring.drill import SOURCE, RestoreDrill
from chaosday.drills.restoring.files import DuckDBBackup, SQLiteBackup
from chaosday.drills.restoring.mariadb import MariaDBDump, MariaDBFiles, data_directory
from chaosday.drills.restoring.objects import ObjectVersions
from chaosday.drills.restoring.own import OwnBackup
from chaosday.drills.restoring.replaying import Replayed
from chaosday.drills.restoring.subject import OBJECTS, RESTORED, Subject
from chaosday.servers.account import Account, owner_of, unprivileged
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.mariadb import MariaDB
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.s3_store import S3Store
from chaosday.targets.sqlite_file import SQLiteFile
from chaosday.workloads.ledger import Ledger
from chaosday.workloads.s3 import S3Workload


def account_of(value: RestoreDrill) -> Account:
    """Who the copy belongs to: a server refuses to run as root, and files that are here tell which account to take."""
    source = value.source
    if isinstance(source, PostgreSQL):
        return owner_of(source.data_directory) if source.data_directory else unprivileged()
    if isinstance(source, MariaDB):
        return owner_of(data_directory(source)) if value.method == "mariadb_backup" else unprivileged()
    return Account()


def subject_of(value: RestoreDrill, token: str, account: Account, folder: Path) -> Subject:
    """The drill's subject, which keeps to ``folder``, its account's own, and to the one above, which is ours."""
    common = {"target": SOURCE, "clients": value.clients, "rate_per_s": value.rate_per_s, "scope": token}
    source = value.source
    if isinstance(source, S3Store):
        return ObjectVersions(source, S3Workload.model_validate(common | {"store": OBJECTS}), token)
    ledger = Ledger.model_validate(common | {"store": RESTORED})
    if isinstance(source, SQLiteFile):
        return SQLiteBackup(source, ledger, account, folder, value.method)
    if isinstance(source, DuckDBFile):
        return DuckDBBackup(source, ledger, account, folder, value.method)
    if isinstance(source, MariaDB):
        made = MariaDBFiles if value.method == "mariadb_backup" else MariaDBDump
        return made(source, ledger, account, folder)
    return _postgresql(value, source, ledger, account, folder)


def _postgresql(value: RestoreDrill, source: PostgreSQL, ledger: Ledger, account: Account, folder: Path) -> Subject:
    made: PostgresBackup
    if value.restore is not None:
        made = OwnBackup(source, ledger, account, folder, value.restore, value.seed)
    elif value.accident is not None:
        made = Replayed(source, ledger, account, folder, value.accident)
    else:
        made = METHODS[value.method](source, ledger, account, folder)
    made.amcheck = value.amcheck or value.existing
    return made
