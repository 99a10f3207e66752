"""Each rule speaks where its setting can lose data, is silent where it is sound, and says where it cannot be read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import psycopg
import pytest
import yaml

from chaosday.drills.advice import files
from chaosday.drills.advice.advising import SYSTEMS, advise, drafted
from chaosday.lab.stands import mariadb as mariadb_stand
from chaosday.lab.stands import redis as redis_stand
from chaosday.model.experiment import load
from chaosday.servers import postgres
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.mariadb import MariaDB
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.redis import Redis
from chaosday.targets.sqlite_file import SQLiteFile

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("advice")]
ROOT = Path(__file__).resolve().parents[3]
SOUND_POSTGRESQL = "archive_mode = on\narchive_command = 'true'\nfsync = on\nsynchronous_commit = on\n"


def rules(found: object) -> set[str]:
    """What was found, by rule; ``?`` before those that could not be read. What is below the tests' folder is theirs."""
    own = {rule.name for rule in files.MOUNT_RULES}
    assert isinstance(found, list)
    return {("" if each.state == "can lose" else "?") + each.rule for each in found if each.rule not in own}


@pytest.fixture(scope="module")
def server(server_directory: Path) -> Iterator[PostgreSQL]:
    """A sound PostgreSQL, whose settings are changed by the tests."""
    node = postgres.primary(server_directory, name="advised", extra=SOUND_POSTGRESQL)
    yield PostgreSQL(port=node.port, password=node.password)  # type: ignore[arg-type]
    node.stop()


def said_with(target: PostgreSQL, *statements: str) -> set[str]:
    """The rules that speak after these statements; everything is as it was afterwards."""
    with target.connect() as sql:
        try:
            for each in statements:
                sql.execute(each)
            sql.execute("select pg_reload_conf()")
            _settled(sql, statements)
            return rules(advise(target))
        finally:
            sql.execute("alter system reset all")
            sql.execute("alter role postgres reset all")
            sql.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where not active")
            sql.execute("select pg_reload_conf()")
            _settled(sql, ())


def _settled(sql: psycopg.Connection[object], statements: tuple[str, ...]) -> None:
    """A reload is told to the server, and done a moment later: waited for by what this session sees of it."""
    wanted = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on", "archive_command": "true"}
    for each in statements:
        words = each.split()
        if words[:3] == ["alter", "system", "set"]:
            wanted[words[3]] = words[5].strip("'")
    for name, value in wanted.items():
        for _ in range(2_000):
            found = sql.execute("select setting from pg_settings where name = %s", [name]).fetchone()
            if found and str(found[0]).replace("(disabled)", "") == value:  # type: ignore[index]
                break
            sql.execute("select pg_sleep(0.05)")


def test_a_sound_postgresql_is_not_spoken_of(server: PostgreSQL) -> None:
    """As installed, with an archive, checksums and no replica to lose: nothing to say."""
    assert said_with(server) == set()


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (["alter system set fsync = off"], {"fsync"}),
        (["alter system set full_page_writes = off"], {"full_page_writes"}),
        (["alter system set synchronous_commit = off"], {"synchronous_commit"}),
        (
            ["alter role postgres set synchronous_commit = False"],
            {"overrides", "?synchronous_commit", "?synchronous_standby_names"},
        ),
        (["alter system set archive_command = ''"], {"archive"}),
        (["select pg_create_physical_replication_slot('nobody', true)"], {"idle slots"}),
    ],
)
def test_what_a_postgresql_can_lose(server: PostgreSQL, statements: list[str], expected: set[str]) -> None:
    """Each unsound setting of a real server is named, and nothing else is."""
    assert said_with(server, *statements) == expected


def test_an_archive_that_fails(server: PostgreSQL) -> None:
    """An archive whose last try failed is named; until then its command alone looks sound."""
    with server.connect() as sql:
        sql.execute("alter system set archive_command = 'false'")
        sql.execute("select pg_reload_conf()")
        _settled(sql, ("alter system set archive_command = 'false'",))
        sql.execute("create table if not exists archived (id int)")
        sql.execute("select pg_switch_wal()")
        try:
            for _ in range(2_000):
                if rules(advise(server)) == {"archive"}:
                    break
                sql.execute("select pg_sleep(0.05)")
            assert "last try" in next(each.words for each in advise(server))
        finally:
            sql.execute("drop table archived")
            sql.execute("alter system reset all")
            sql.execute("select pg_reload_conf()")
            _settled(sql, ())
            sql.execute("select pg_stat_reset_shared('archiver')")


def test_a_pair_without_synchronous_standby(pair: tuple[postgres.Node, postgres.Node]) -> None:
    """A standby that no commit waits for is named with what it can lose; the same pair as it is used elsewhere."""
    (primary, standby) = pair
    found = advise(PostgreSQL(port=primary.port, password=primary.password))  # type: ignore[arg-type]
    itself = advise(PostgreSQL(port=standby.port, password=primary.password))  # type: ignore[arg-type]
    assert not {"copies", "synchronous_standby_names"} & rules(itself), "a standby is a copy, and has none to wait for"
    assert "synchronous_standby_names" in rules(found) and "copies" not in rules(found)


def test_an_account_that_may_see_little(server: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary account reads as much; what was taken from it is no good news, and said to be unread."""
    blind = server.model_copy(update={"user": "blind", "password": None, "password_env": "BLIND"})
    monkeypatch.setenv("BLIND", "x")
    with server.connect() as sql:
        sql.execute("create role blind login password 'x'")
        try:
            assert rules(advise(blind)) == set()
            sql.execute("revoke select on pg_stat_archiver from public")
            (found,) = [each for each in advise(blind) if each.rule == "archive"]
            assert found.state == "unread" and "permission denied" in found.words
        finally:
            sql.execute("grant select on pg_stat_archiver to public")
            sql.execute("drop role blind")


def test_redis_in_both_settings(tmp_path: Path) -> None:
    """As installed it can lose; synced at each write it is not spoken of; each other setting is named."""
    sound = "appendonly yes;appendfsync always"
    with redis_stand.stand(tmp_path / "redis", settings=sound) as facts:
        target = Redis.model_validate(facts["server"])
        assert advise(target) == []
        for settings, expected in (
            ({"appendonly": "no"}, {"appendonly"}),
            ({"appendfsync": "everysec"}, {"appendfsync"}),
            ({"appendfsync": "no"}, {"appendfsync"}),
            ({"maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"}, {"maxmemory-policy"}),
            ({"no-appendfsync-on-rewrite": "yes"}, {"no-appendfsync-on-rewrite"}),
            ({"stop-writes-on-bgsave-error": "no", "save": "60 1"}, {"stop-writes-on-bgsave-error"}),
        ):
            client = target.connect(5)
            before = client.config_get(*settings)
            client.config_set(*[word for pair in settings.items() for word in pair])
            assert rules(advise(target)) == expected
            client.config_set(*[word for pair in before.items() for word in pair])
            client.close()
        client = target.connect(5)
        client.execute_command("ACL", "SETUSER", "default", "-config")
        client.close()
        assert {each.state for each in advise(target)} == {"unread"}


def test_redis_with_a_replica(tmp_path: Path) -> None:
    """Replicas that no write waits for are named; with min-replicas-to-write they are not."""
    with redis_stand.stand(tmp_path / "redis", settings="appendonly yes;appendfsync always", replica=True) as facts:
        target = Redis.model_validate(facts["server"])
        assert rules(advise(target)) == {"min-replicas-to-write"}
        client = target.connect(5)
        client.config_set("min-replicas-to-write", 1)
        client.close()
        assert advise(target) == []


def test_mariadb_in_both_settings(tmp_path: Path) -> None:
    """Sound with its log and tables synced; each weaker setting is named."""
    settings = "innodb-flush-log-at-trx-commit=1;log-bin=binlog;sync-binlog=1"
    with mariadb_stand.stand(tmp_path / "mariadb", settings=settings) as facts:
        target = MariaDB.model_validate(facts["server"])
        assert advise(target) == []
        for statement, back, expected in (
            ("set global innodb_flush_log_at_trx_commit = 0", "set global innodb_flush_log_at_trx_commit = 1",
             {"innodb_flush_log_at_trx_commit"}),
            ("set global innodb_flush_log_at_trx_commit = 2", "set global innodb_flush_log_at_trx_commit = 1",
             {"innodb_flush_log_at_trx_commit"}),
            ("set global sync_binlog = 0", "set global sync_binlog = 1", {"sync_binlog"}),
            ("create table fragile (id int) engine = MyISAM", "drop table fragile", {"tables without transactions"}),
        ):  # fmt: skip
            connection = target.connect(5)
            with connection.cursor() as cursor:
                cursor.execute(statement)
                assert rules(advise(target)) == expected
                cursor.execute(back)
            connection.close()
        assert advise(target) == []


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_a_sqlite_file_does_not_say(tmp_path: Path, mode: str) -> None:
    """How its connections sync is in no file: said, and not guessed. Reading it makes and locks nothing."""
    path = tmp_path / "app.db"
    writer = sqlite3.connect(path)
    writer.execute(f"pragma journal_mode = {mode}")
    writer.execute("create table t (id int)")
    writer.commit()
    writer.execute("begin exclusive")
    before = sorted(each.name for each in tmp_path.iterdir())
    assert rules(advise(SQLiteFile(path=path))) == {"?synchronous"}
    assert sorted(each.name for each in tmp_path.iterdir()) == before
    writer.close()


MOUNTS = {
    "tmpfs": ("1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /data rw - tmpfs tmpfs rw", {"in memory"}),
    "no barrier": ("1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /data rw - ext4 /dev/b rw,barrier=0", {"barriers"}),
    "overlay": ("1 0 0:1 / / rw - overlay overlay rw,lowerdir=/x", {"container layer"}),
    "network": ("1 0 0:1 / / rw - ext4 /dev/a rw\n2 1 0:2 / /data rw - nfs4 host:/x rw", {"network file system"}),
    "sound": ("1 0 0:1 / / rw - tmpfs tmpfs rw\n2 1 0:2 / /data rw,noatime shared:1 - xfs /dev/b rw", set()),
    "a space": ("1 0 0:1 / / rw - tmpfs tmpfs rw\n2 1 0:2 / /data\\040two rw - ext4 /dev/b rw", {"in memory"}),
    "nothing": ("", {"?in memory", "?barriers", "?container layer", "?network file system"}),
}


@pytest.mark.parametrize("name", MOUNTS)
def test_what_lies_below_a_file(tmp_path: Path, name: str) -> None:
    """The file system that holds it, by the table of mounts, decides; a file system elsewhere does not."""
    text, expected = MOUNTS[name]
    table = tmp_path / "mountinfo"
    table.write_text(text)
    settings = files.mount_of(Path("/data/app.db"), table)
    found = set()
    for rule in files.SQLITE_RULES[:-1]:
        missing = [need for need in rule.needs if need not in settings.values]
        if missing or rule.loses(settings.values):
            found.add(("?" if missing else "") + rule.name)
    assert found == expected


def test_a_duckdb_file_in_memory_is_named(tmp_path: Path) -> None:
    """On a real tmpfs it is lost with the machine; on a disk there is nothing to say of it."""
    shared = Path("/dev/shm") / f"chaosday-{tmp_path.parent.name}.duckdb"
    try:
        duckdb.connect(str(shared)).close()
        assert "in memory" in {each.rule for each in advise(DuckDBFile(path=shared))}
    finally:
        shared.unlink(missing_ok=True)


def test_every_rule_cites_and_every_twin_is_there() -> None:
    """A rule says where it is written; the finding that shows it is a file of the repository."""
    every = [rule for system in SYSTEMS.values() for rule in system.rules]
    assert all(rule.cites and rule.needs and rule.risk in (1, 2, 3) for rule in every)
    named = {rule.finding for rule in every} - {""}
    assert not [name for name in named if not (ROOT / "deployments" / "findings" / f"{name}.yaml").is_file()]


def test_the_experiment_that_is_written_is_one(server: PostgreSQL, tmp_path: Path) -> None:
    """It can be read, holds no secret, and hurts nothing before somebody says which process is meant."""
    with server.connect() as sql:
        sql.execute("alter role postgres set synchronous_commit = off")
    try:
        found = [each for each in advise(server) if each.draft]
        assert found
        for each in found:
            file = tmp_path / f"{each.rule}.yaml"
            file.write_text(drafted(each))
            assert load(file).title and server.secret() not in file.read_text()
            assert "SAY-WHICH-PROCESS" in yaml.safe_load(file.read_text())["targets"]["process"]["pattern"]
    finally:
        with server.connect() as sql:
            sql.execute("alter role postgres reset all")
