"""What decides whether a MariaDB or MySQL server keeps what it acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaosday.drills.advice.rule import Rule, Settings, unless
from chaosday.targets.mariadb import MariaDB

MANUAL = "MariaDB manual"
_INNODB = "https://mariadb.com/kb/en/innodb-system-variables/"
_REPLICATION = "https://mariadb.com/kb/en/replication-and-binary-log-system-variables/"
_NAMED = (
    "innodb_flush_log_at_trx_commit", "innodb_doublewrite", "innodb_flush_method", "sync_binlog", "log_bin",
    "rpl_semi_sync_master_enabled", "rpl_semi_sync_source_enabled",
)  # fmt: skip
MASTER, SOURCE = "rpl_semi_sync_master_enabled", "rpl_semi_sync_source_enabled"
"""MariaDB's name of a setting, and what MySQL calls it from 8.0.26 on."""
_ASKED = {
    "replicas": "select count(*) from information_schema.processlist where command like 'Binlog Dump%%'",
    "unsafe_tables": "select group_concat(concat(table_schema, '.', table_name) separator ', ') "
    "from information_schema.tables where engine in ('MyISAM', 'MEMORY', 'CSV') and table_type = 'BASE TABLE' "
    "and table_schema not in ('mysql', 'information_schema', 'performance_schema', 'sys')",
}


def read(target: MariaDB) -> Settings:
    """Ask for everything that a rule needs; what this account may not see is told as unread."""
    import pymysql

    values: dict[str, str] = {}
    unread: dict[str, str] = {}
    connection = target.connect(5, answer_s=10)
    try:
        with connection.cursor() as cursor:
            for name in _NAMED:
                cursor.execute("show global variables where variable_name = %s", [name])
                if found := cursor.fetchone():
                    values[name] = str(found[1])
                elif name != SOURCE:
                    unread[name] = "this server does not know it"
            for name, query in _ASKED.items():
                try:
                    cursor.execute(query.replace("%%", "%"))
                    (said,) = cursor.fetchone()
                    values[name] = "" if said is None else str(said)
                except pymysql.Error as error:
                    unread[name] = f"the server refuses ({error.args[0] if error.args else type(error).__name__})"
            if SOURCE in values:
                values[MASTER] = values.pop(SOURCE)
                unread.pop(MASTER, None)
            _own_threads_only(cursor, values, unread)
    finally:
        connection.close()
    return Settings(values, unread)


def _own_threads_only(cursor: Any, values: dict[str, str], unread: dict[str, str]) -> None:
    """Without PROCESS the list of processes has our own alone: no replica in it says nothing."""
    cursor.execute("show grants")
    granted = " ".join(str(row[0]).upper() for row in cursor.fetchall())
    if values.get("replicas") == "0" and not any(
        word in granted for word in ("ALL PRIVILEGES ON *.*", "PROCESS", "BINLOG MONITOR")
    ):
        del values["replicas"]
        unread["replicas"] = "this account sees no other connections: grant process to it"


def _binlog(values: Mapping[str, str]) -> str:
    if values["log_bin"].upper() not in ("ON", "1") or values["sync_binlog"] == "1":
        return ""
    return (
        "the binary log is synced only now and then: after a power cut it lacks commits that the tables have, so that "
        "replicas and restores from it lose them"
    )


def _semi_sync(values: Mapping[str, str]) -> str:
    if values["replicas"] in ("", "0") or values["rpl_semi_sync_master_enabled"].upper() in ("ON", "1"):
        return ""
    return (
        f"{values['replicas']} replicas follow, and no commit waits for one: what they had not received when the "
        "server is lost is gone once one takes over"
    )


def _tables(values: Mapping[str, str]) -> str:
    if not values["unsafe_tables"]:
        return ""
    return (
        f"{values['unsafe_tables'][:200]}: these tables have no transactions, and a crash leaves them damaged or empty"
    )


RULES = (
    Rule(
        "innodb_flush_log_at_trx_commit", ("innodb_flush_log_at_trx_commit",), risk=3, shown_by="power",
        finding="mariadb-power-cut", cites=f"{MANUAL}, innodb_flush_log_at_trx_commit: {_INNODB}",
        loses=unless(
            "innodb_flush_log_at_trx_commit", ("1", "3"), "with {value} the log is not synced at each commit: a power "
            "cut loses about a second of acknowledged commits"
        ),
    ),
    Rule(
        "innodb_doublewrite", ("innodb_doublewrite",), risk=3,
        cites=f"{MANUAL}, innodb_doublewrite: {_INNODB}",
        loses=unless(
            "innodb_doublewrite", ("on", "1", "fast", "detect_and_recover"), "a page that a crash left half written "
            "cannot be put right: its table is corrupt"
        ),
    ),
    Rule(
        "innodb_flush_method", ("innodb_flush_method",), risk=3,
        cites=f"{MANUAL}, innodb_flush_method: {_INNODB}",
        loses=lambda values: (
            "files are not synced at all: a power cut loses commits and corrupts tables"
            if values["innodb_flush_method"].lower() in ("nosync", "littlesync") else ""
        ),
    ),
    Rule(
        "sync_binlog", ("log_bin", "sync_binlog"), risk=3,
        cites=f"{MANUAL}, sync_binlog: {_REPLICATION}", loses=_binlog,
    ),
    Rule(
        "semi-synchronous replication", ("replicas", "rpl_semi_sync_master_enabled"), risk=3,
        cites=f"{MANUAL}, Semisynchronous Replication: https://mariadb.com/kb/en/semisynchronous-replication/",
        loses=_semi_sync,
    ),
    Rule(
        "tables without transactions", ("unsafe_tables",), risk=2,
        cites=f"{MANUAL}, MyISAM Storage Engine: https://mariadb.com/kb/en/myisam-storage-engine/", loses=_tables,
    ),
)  # fmt: skip
