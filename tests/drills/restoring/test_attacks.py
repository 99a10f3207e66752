"""What a source, or whoever has the copy's account, gets out of a restore drill that root plays: nothing more."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chaosday.drills.restoring.accident import Accident, Moment
from chaosday.drills.restoring.files import DuckDBBackup, SQLiteBackup
from chaosday.errors import ForeignState, TargetUnreachable
from chaosday.servers.account import Account
from chaosday.servers.postgres import Node
from chaosday.servers.server import Server
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.sqlite_file import SQLiteFile
from chaosday.workloads.ledger import Ledger
from tests.attackers import STRANGER, needs_root, shared_folder, stranger

ACCOUNT = Account(STRANGER, STRANGER)


@pytest.fixture
def theirs() -> Iterator[Path]:
    """A folder of the account's in one of ours, and beside it a file of ours."""
    with shared_folder() as folder:
        folder.chmod(0o711)
        (folder / "of").mkdir(mode=0o700)
        ACCOUNT.own(folder / "of")
        (folder / "roots").write_text("as it was")
        (folder / "roots").chmod(0o600)
        yield folder / "of"


def _node(theirs: Path) -> Node:
    return Node("restored", theirs / "backup", 1, "", Path("/nonexistent"), ACCOUNT)


WRITES = {
    "backup/postgresql.auto.conf": lambda theirs: _node(theirs).configure("port = 1"),
    "backup/recovery.signal": lambda theirs: ACCOUNT.write(theirs / "backup/recovery.signal", ""),
    "restored.pw": lambda theirs: ACCOUNT.write(theirs / "restored.pw", "password"),
    "run": lambda theirs: ACCOUNT.own(theirs / "run"),
    "backup": lambda theirs: ACCOUNT.close(theirs / "backup"),
}


@needs_root
@pytest.mark.parametrize("name", WRITES)
def test_a_link_in_the_copy_leads_to_nothing_of_roots(name: str, theirs: Path) -> None:
    """What a hostile server sends, or its account puts there: roots' file is neither written to, nor given away."""
    roots = theirs.parent / "roots"
    (theirs / name).parent.mkdir(exist_ok=True, parents=True)
    (theirs / name).parent.chmod(0o777)
    done = stranger('ln -s "$1" "$2"', roots, theirs / name)
    assert done.returncode == 0, done.stderr
    with pytest.raises(ForeignState, match="left alone"):
        WRITES[name](theirs)
    assert roots.read_text() == "as it was"
    assert (roots.stat().st_uid, roots.stat().st_mode & 0o777) == (0, 0o600)


@needs_root
def test_a_log_that_is_a_link_is_not_read_for_an_error(theirs: Path) -> None:
    """An error ends with the last line of the server's log, and not with that of a file of root's."""
    (theirs.parent / "roots").write_text("root:secret-of-root:1\n")
    assert stranger('ln -s "$1" "$2"', theirs.parent / "roots", theirs / "backup.log").returncode == 0
    assert _node(theirs).last_words() == "it is empty"
    (theirs / "backup.log").unlink()
    assert stranger('echo FATAL: no >"$1"', theirs / "backup.log").returncode == 0
    assert _node(theirs).last_words() == "FATAL: no"


@pytest.mark.parametrize("said", ["{pid}", "-1", "0", "1"])
def test_a_number_that_others_wrote_ends_no_process(said: str, tmp_path: Path) -> None:
    """Neither theirs, whoever put it there, nor everybody's: to kill(2), -1 is every process of the machine."""
    ended: list[tuple[int, int]] = []
    with subprocess.Popen(["sleep", "60"]) as victim:
        try:
            server = Server("restored", ["false"], tmp_path)
            if said == "{pid}":
                if os.geteuid() != 0:
                    pytest.skip("a file of somebody else's takes root to be made")
                server.pid_file.write_text(str(victim.pid))
                os.chown(server.pid_file, STRANGER, STRANGER)
            else:
                server.pid_file.write_text(said)
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr("os.kill", lambda pid, number: ended.append((pid, number)))
                server.stop()
        finally:
            victim.send_signal(signal.SIGKILL)
    assert ended == []


def _backup(made: type[Any], source: Any, folder: Path) -> Any:
    (folder / "scratch").mkdir()
    return made(source, Ledger(), Account(), folder / "scratch", "export")


def test_a_dump_opens_no_other_file(tmp_path: Path) -> None:
    """Behind a definition SQLite keeps what its owner wrote there, and a dump repeats it: it attaches nothing."""
    path = tmp_path / "theirs.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table x (a)")
        connection.execute("pragma writable_schema = on")
        more = f"CREATE TABLE x(a);\nATTACH DATABASE '{tmp_path}/written' AS e;\nCREATE TABLE e.y(z)"
        connection.execute("update sqlite_master set sql = ?", (more,))
        connection.commit()
    backup = _backup(SQLiteBackup, SQLiteFile(path=path), tmp_path)
    backup.take()
    with pytest.raises(TargetUnreachable, match="could not be loaded: too many attached"):
        backup.bring_up()
    assert not (tmp_path / "written").exists()


def test_a_view_reads_no_other_file(tmp_path: Path) -> None:
    """A DuckDB file with a view of somebody else's file is neither restored nor compared."""
    import duckdb

    from chaosday.data.reconcile import diff

    secret, path = tmp_path / "secret.csv", tmp_path / "theirs.duckdb"
    secret.write_text("word\nsecret-of-root\n")
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute(f"create view orders as select * from read_csv('{secret}')")
    backup = _backup(DuckDBBackup, DuckDBFile(path=path), tmp_path)
    backup.take()
    with pytest.raises(TargetUnreachable, match="disabled by configuration"):
        backup.bring_up()
    done = subprocess.run(
        [sys.executable, "-P", "-m", "chaosday", "diff", f"duckdb:///{path}#orders", str(secret), "--key", "word"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode not in (0, 1, 70), done.stdout + done.stderr
    assert "secret-of-root" not in done.stdout + done.stderr
    assert diff(str(secret), str(secret), key=["word"]).equal


def test_a_clock_that_says_more_than_a_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the source says of its time would be a line of the copy's configuration, in which commands stand."""
    from chaosday.drills.restoring import replaying
    from chaosday.targets.postgresql import PostgreSQL

    said = "2026-03-01 10:00:00+00'\nrestore_command = 'touch /tmp/x"
    monkeypatch.setattr(replaying, "happen", lambda *_: Moment(said, 1, 2))
    (tmp_path / "of").mkdir()
    source = PostgreSQL.model_validate({"bin_directory": str(tmp_path)})
    replayed = replaying.Replayed(source, Ledger(), Account(), tmp_path / "of", Accident())
    with pytest.raises(TargetUnreachable, match="says no moment") as caught:
        replayed.happen()
    assert "\n" not in str(caught.value)
