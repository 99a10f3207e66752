"""What decides whether a PostgreSQL server keeps what it acknowledged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaosday.drills.advice.rule import Rule, Settings, unless
from chaosday.targets.postgresql import PostgreSQL

MANUAL = "PostgreSQL manual"
_NAMED = (
    "fsync", "full_page_writes", "synchronous_commit", "synchronous_standby_names", "data_checksums", "wal_level",
    "archive_mode", "archive_command", "archive_library", "max_slot_wal_keep_size", "data_directory",
)  # fmt: skip
_ASKED = {
    "standbys": "select count(*) from pg_stat_replication where state is distinct from 'backup' "
    "and pid not in (select active_pid from pg_replication_slots where slot_type = 'logical' and active_pid > 0)",
    "is_standby": "select pg_is_in_recovery()",
    "idle_slots": "select string_agg(slot_name, ', ') from pg_replication_slots where not active",
    "archive_behind": "select last_failed_time > coalesce(last_archived_time, '-infinity') from pg_stat_archiver",
    "overrides": "select string_agg(distinct each, ', ') from pg_db_role_setting, unnest(setconfig) each "
    "where each ~ '^(synchronous_commit|full_page_writes)='",
}
ARCHIVE_LIBRARY = 150_000
"""The version from which there is one."""
_LOCAL = ("", "localhost", "127.0.0.1", "::1")


def read(target: PostgreSQL) -> Settings:
    """Ask for everything that a rule needs; what this account may not see is told as unread."""
    import psycopg

    values: dict[str, str] = {}
    unread: dict[str, str] = {}
    with target.connect(answer_s=10) as connection:
        # Nothing but selects; and nothing is set, which would stay with a pooler's connection, for others.
        rows = connection.execute("select name, setting, source from pg_settings where name = any(%s)", [list(_NAMED)])
        for name, setting, source in rows.fetchall():
            if source in ("user", "database", "database user"):
                unread[name] = f"{target.user} has one of its own ({source}), behind which the server's is not seen"
            else:
                values[str(name)] = str(setting)
        if int(connection.info.server_version) < ARCHIVE_LIBRARY:
            values.setdefault("archive_library", "")
        for name, query in _ASKED.items():
            try:
                (found,) = connection.execute(query).fetchone()
            except psycopg.Error as error:
                unread[name] = " ".join(str(error).split())[:160]
            else:
                values[name] = _text(found)
    why = f"{target.user} may not see it: grant pg_read_all_settings to {target.user}"
    unread |= {name: why for name in _NAMED if name not in values and name not in unread}
    data = values.get("data_directory", "")
    here = target.host in _LOCAL or target.host.startswith("/")
    return Settings(values, unread, data if here and data and Path(data).is_dir() else "")


def _text(found: Any) -> str:
    if isinstance(found, bool):
        return "on" if found else "off"
    return "" if found is None else str(found)


def _without_standby(values: Mapping[str, str]) -> str:
    waits = values["synchronous_standby_names"].strip() and values["synchronous_commit"] not in ("off", "local")
    if values["is_standby"] == "on" or values["standbys"] in ("0", "") or waits:
        return ""
    return (
        f"{values['standbys']} standbys follow, and no commit waits for one: what they had not received when the "
        "primary is lost is gone once one is promoted"
    )


def _no_copy(values: Mapping[str, str]) -> str:
    if values["is_standby"] == "on" or values["standbys"] not in ("0", "") or values["archive_mode"] != "off":
        return ""
    return (
        "no standby follows and no log is archived: when the disk is lost, everything since the last backup is, and "
        "there is no going back to a moment before a mistake"
    )


def _archive(values: Mapping[str, str]) -> str:
    if values["archive_mode"] == "off":
        return ""
    if values["archive_command"].strip() in ("", "(disabled)") and not values["archive_library"].strip():
        return "archiving is on and nothing says where to: logs pile up, and backups cannot be brought up to date"
    if values["archive_behind"] == "on":
        return "the last try to archive a log failed: what is written since is in no archive, and the disk fills"
    return ""


def _slots(values: Mapping[str, str]) -> str:
    if not values["idle_slots"] or values["max_slot_wal_keep_size"] != "-1":
        return ""
    return (
        f"nobody reads the slots {values['idle_slots']}, and nothing limits the log kept for them: the disk fills, and "
        "the server stops"
    )


def _is_off(value: str) -> bool:
    """As PostgreSQL reads a boolean, whatever the case, also cut short; ALTER ROLE keeps the word as it was written."""
    said = value.strip().lower()
    return said != "" and any(word.startswith(said) for word in ("off", "false", "no", "0")) and said != "o"


def _overrides(values: Mapping[str, str]) -> str:
    weak = [each for each in values["overrides"].split(", ") if _is_off(each.rpartition("=")[2])]
    if not weak:
        return ""
    return (
        f"some users or databases have settings of their own ({', '.join(weak)}): their commits are acknowledged "
        "before they are durable, whatever the server's setting says"
    )


RULES = (
    Rule(
        "fsync", ("fsync",), risk=3, shown_by="power", finding="postgresql-power-cut",
        cites=f"{MANUAL}, 19.5.1 fsync: https://www.postgresql.org/docs/current/runtime-config-wal.html",
        loses=unless("fsync", ("on",), "a power cut loses acknowledged commits and can corrupt the whole cluster"),
    ),
    Rule(
        "full_page_writes", ("full_page_writes",), risk=3,
        cites=f"{MANUAL}, 19.5.1 full_page_writes: https://www.postgresql.org/docs/current/runtime-config-wal.html",
        loses=unless(
            "full_page_writes", ("on",), "a page that a crash left half written is not put right: rows in it are lost "
            "or corrupt, and nothing says so"
        ),
    ),
    Rule(
        "synchronous_commit", ("synchronous_commit",), risk=3, shown_by="crash",
        finding="postgresql-asynchronous-commit",
        cites=f"{MANUAL}, 28.4 Asynchronous Commit: https://www.postgresql.org/docs/current/wal-async-commit.html",
        loses=unless(
            "synchronous_commit", ("on", "local", "remote_write", "remote_apply"), "a crash loses the commits of the "
            "last three wal_writer_delay (0.6 s as installed) that clients were told were done"
        ),
    ),
    Rule(
        "overrides", ("overrides",), risk=3, shown_by="crash", finding="postgresql-asynchronous-commit",
        cites=f"{MANUAL}, 28.4 Asynchronous Commit: https://www.postgresql.org/docs/current/wal-async-commit.html",
        loses=_overrides,
    ),
    Rule(
        "synchronous_standby_names",
        ("is_standby", "standbys", "synchronous_standby_names", "synchronous_commit"), risk=3, shown_by="failover",
        finding="postgresql-asynchronous-failover",
        cites=f"{MANUAL}, 26.2.8 Synchronous Replication: https://www.postgresql.org/docs/current/warm-standby.html",
        loses=_without_standby,
    ),
    Rule(
        "copies", ("is_standby", "standbys", "archive_mode"), risk=2,
        cites=f"{MANUAL}, 25.3 Continuous Archiving: https://www.postgresql.org/docs/current/continuous-archiving.html",
        loses=_no_copy,
    ),
    Rule(
        "archive", ("archive_mode", "archive_command", "archive_library", "archive_behind"), risk=2,
        cites=f"{MANUAL}, 25.3.1: https://www.postgresql.org/docs/current/continuous-archiving.html",
        loses=_archive,
    ),
    Rule(
        "idle slots", ("idle_slots", "max_slot_wal_keep_size"), risk=2,
        cites=f"{MANUAL}, 19.6.1 max_slot_wal_keep_size: "
        "https://www.postgresql.org/docs/current/runtime-config-replication.html",
        loses=_slots,
    ),
    Rule(
        "data_checksums", ("data_checksums",), risk=1, finding="postgresql-bit-flips",
        cites=f"{MANUAL}, 28.2 Data Checksums: https://www.postgresql.org/docs/current/checksums.html",
        loses=unless(
            "data_checksums", ("on",), "a bit that the disk changed is read as data, and copied into backups"
        ),
    ),
)  # fmt: skip
