"""Restore drills against a real server: what a backup kept is shown, and what it lost is found."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from chaosday.clients.ledger import ROWS_SCHEMA, checksum
from chaosday.clock import SystemClock
from chaosday.drills.restoring.backups import BaseBackup
from chaosday.drills.restoring.drill import OwnRestore, RestoreDrill, parse_drill
from chaosday.drills.restoring.kind import RestoreKind
from chaosday.drills.restoring.own import OwnBackup
from chaosday.errors import TargetUnreachable
from chaosday.judging.verdict import Verdict
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.servers.account import Account
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL
from chaosday.workloads.ledger import Ledger
from tests.attackers import NEIGHBOUR, needs_root, stranger

pytestmark = pytest.mark.lab


def drill(node: Node, **changed: Any) -> RestoreDrill:
    source = {
        "kind": "postgresql",
        "port": node.port,
        "password": node.password,
        "data_directory": str(node.data),
        "bin_directory": str(node.bin),
    }
    return parse_drill(
        {
            "source": source,
            "before_s": 0.7,
            "before_at_most_s": 300,
            "after_s": 0.5,
            "sight_budget_s": 600,
            "loss_rate_to_see": 0.1,
        }
        | changed
    )


def played(value: RestoreDrill, root: Path, spoil: Any = None) -> tuple[Verdict, RunDirectory]:
    directory = RunDirectory.create(root, value.title, SystemClock())
    with Run(RestoreKind(value), directory) as run:
        play(run)
        if spoil is not None:
            spoil(directory)
        run.verify()
        run.prove()
        return run.conclude(), directory


@pytest.mark.parametrize("method", ["base_backup", "dump"])
def test_a_sound_backup_passes_with_its_proofs(pair: tuple[Node, Node], server_directory: Path, method: str) -> None:
    """Both objectives are measured, writes since the backup are missing, the copy is gone, and no secret is kept."""
    value = drill(pair[0], method=method, amcheck=True)
    verdict, directory = played(value, server_directory / f"restore-{method}")
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    looked = next(each for each in directory.read_json("findings.json") if each["check"] == "amcheck")
    assert looked["outcome"] == "pass" and looked["examined"] > 0
    measured = directory.read_json("observations/recovery_objectives.json")
    assert 0 < measured["rpo_s"] < 300 and measured["rto_s"] > 0 and measured["acknowledged_after_it"] > 0
    assert not (directory.path / "copy").exists()
    assert {name for name, proof in verdict.proofs.items() if proof.held} == {"bite", "sight", "clean"}
    for path in directory.path.rglob("*"):
        assert not (path.is_file() and pair[0].password.encode() in path.read_bytes()), path


def test_objectives_that_are_missed_are_violations(pair: tuple[Node, Node], server_directory: Path) -> None:
    """A recovery point and a recovery time that nobody can keep come out as exceeded."""
    verdict, _ = played(drill(pair[0], rpo_s=1e-6, rto_s=1e-6), server_directory / "objectives")
    assert verdict.outcome is Outcome.VIOLATED
    assert any("1 rpo-exceeded, 1 rto-exceeded" in reason for reason in verdict.reasons), verdict.reasons


def test_a_row_missing_from_the_copy_is_found(pair: tuple[Node, Node], server_directory: Path) -> None:
    """One acknowledged row less in what was read back from the copy is lost, by name."""

    def spoil(directory: RunDirectory) -> None:
        rows = directory.evidence().rows("restored")
        directory.write_rows("restored", rows.sort_by("position").slice(1))

    verdict, directory = played(drill(pair[0]), server_directory / "spoilt", spoil)
    assert verdict.outcome is Outcome.VIOLATED, verdict.reasons
    ledger = next(each for each in directory.read_json("findings.json") if each["check"] == "ledger")
    assert [(each["name"], each["count"]) for each in ledger["anomalies"]] == [("lost", 1)]


OWN = {
    "data_directory": (
        '{bin}/pg_basebackup -D "$CHAOSDAY_BACKUP/base" -c fast -X stream --no-sync --no-password',
        # Also with the source's own settings, and up to a moment.
        'cp -a "$CHAOSDAY_BACKUP/base/." "$CHAOSDAY_INTO" && touch "$CHAOSDAY_INTO/recovery.signal" && '
        'echo "data_directory = \'{data}\'" >> "$CHAOSDAY_INTO/postgresql.conf" && '
        'echo "restore_command = \'touch {asked}; false\'" >> "$CHAOSDAY_INTO/postgresql.conf" && '
        'echo "recovery_target = \'immediate\'" >> "$CHAOSDAY_INTO/postgresql.conf"',
    ),
    "server": (
        '{bin}/pg_dump --no-password -Fc -f "$CHAOSDAY_BACKUP/dump"',
        '{bin}/pg_restore --no-password --no-owner --no-privileges -d "$PGDATABASE" "$CHAOSDAY_BACKUP/dump"',
    ),
}
"""What people have in their scripts, by where it restores to."""


@pytest.mark.parametrize("into", OWN)
def test_one_s_own_commands_are_drilled_as_ours_are(pair: tuple[Node, Node], server_directory: Path, into: str) -> None:
    """They pass with the three proofs and the parts of the recovery time; the password is in nobody's environment, the
    copy is gone, and the guardrails judge the commands."""
    said = server_directory / f"environment-{into}"
    said.touch(mode=0o666)
    said.chmod(0o666)
    (asked := server_directory / f"asked-{into}").mkdir(mode=0o777)
    asked.chmod(0o777)
    places = {"bin": pair[0].bin, "data": pair[0].data, "asked": asked / "for-wal"}
    backup, command = (each.format(**places) for each in OWN[into])
    value = drill(pair[0], restore={"backup": f"env > {said}; {backup}", "command": command, "into": into})
    assert value.method == "command"
    assert RestoreKind(value).intent().commands == (f"env > {said}; {backup}", command)
    verdict, directory = played(value, server_directory / f"own-{into}")
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    measured = directory.read_json("observations/recovery_objectives.json")
    assert set(measured["rto_parts"]) == {"restore_s", "open_s", "first_write_s", "first_right_answer_s"}
    assert sum(measured["rto_parts"].values()) == pytest.approx(measured["rto_s"], abs=1)
    assert (asked / "for-wal").exists() == (into == "data_directory")
    assert "PGPORT" in said.read_text() and pair[0].password not in said.read_text()
    assert not (directory.path / "copy").exists()


def test_a_command_that_fails_is_inconclusive_and_leaves_nothing(
    pair: tuple[Node, Node], server_directory: Path
) -> None:
    """Its last words are the reason; a restore that left nothing is one that failed, whatever it says."""
    for command, words in (("echo no such backup; exit 4", "exit code 4: no such backup"), ("true", "no PG_VERSION")):
        verdict, directory = played(drill(pair[0], restore={"command": command}), server_directory / f"bad-{words[:4]}")
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert any(words in reason for reason in verdict.reasons), verdict.reasons
        assert not (directory.path / "copy").exists()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"source": {"kind": "postgresql", "port": 1}}, "does not answer"),
        ({"scratch": "/nonexistent"}, "there is no folder"),
    ],
)
def test_what_cannot_be_drilled_is_inconclusive(
    pair: tuple[Node, Node], server_directory: Path, changed: dict[str, Any], words: str
) -> None:
    """An unreachable source and a missing scratch folder end the drill before anything is copied, in words."""
    verdict, _ = played(drill(pair[0], **changed), server_directory / f"wrong-{len(words)}")
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert any(words in reason for reason in verdict.reasons), verdict.reasons


@needs_root
def test_nobody_else_gets_into_a_copy(pair: tuple[Node, Node], server_directory: Path) -> None:
    """It holds a production database's rows, whatever we know of its passwords: another local user reads none."""
    source = PostgreSQL.model_validate(pair[0].target())
    folder = server_directory / "copied"
    folder.mkdir(mode=0o711)
    pair[0].account.own(folder)
    BaseBackup(source, Ledger(), pair[0].account, folder).take()
    # As where it let us in by a rule and not by a password: the copy was then open to every local user.
    backup = BaseBackup(source.model_copy(update={"password": None}), Ledger(), pair[0].account, folder)
    backup.node = backup.start()
    try:
        target = backup.copy()
        with target.connect() as connection:
            assert connection.execute("select 1").fetchone() == (1,)
        for host in ("127.0.0.1", target.host):
            words = (pair[0].bin / "psql", "-h", host, "-p", target.port, "-U", "postgres", "-wAtc", "select 'in'")
            said = stranger('exec "$@"', *words, uid=NEIGHBOUR)
            assert said.returncode and "in" not in said.stdout.splitlines(), said
            assert "psql: error: connection" in said.stderr
    finally:
        assert backup.tidy() == ([], [])
    assert not Path(target.host).exists()


@pytest.mark.usefixtures("with_prefect")
def test_the_command_tells_what_kinds_of_drills_there_are(tmp_path: Path) -> None:
    """A file that is no drill is one line and exit 64; a drill of a dead server is inconclusive, with its run."""
    file = tmp_path / "drill.yaml"
    for content, code, words in (
        ({"drill": "fire"}, 64, "restore"),
        ({"drill": "restore", "befor_s": 1}, 64, "befor_s: there is no such field"),
        ({"drill": "restore", "source": {"port": 1}}, 2, "does not answer"),
    ):
        file.write_text(yaml.safe_dump(content))
        done = subprocess.run(
            [sys.executable, "-m", "chaosday", "drill", str(file), "--json"],
            cwd=tmp_path,
            env={**os.environ, "CHAOSDAY_RUNS": str(tmp_path / "runs")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        said = done.stderr if code == 64 else str(json.loads(done.stdout)["reasons"])
        assert words in said


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ('rmdir "$CHAOSDAY_INTO"; ln -s {source} "$CHAOSDAY_INTO"', "restored as a link to {source}"),
        ('ln -s {source}/pg_wal "$CHAOSDAY_INTO/pg_wal"', "restored/pg_wal as a link"),
        ('ln -s {source}/postgresql.conf "$CHAOSDAY_INTO"', "restored/postgresql.conf as a link"),
        ('mkdir "$CHAOSDAY_INTO/pg_tblspc"; ln -s {source} "$CHAOSDAY_INTO/pg_tblspc/7"', "pg_tblspc/7 as a link"),
        ('mkdir "$CHAOSDAY_INTO/wal"; ln -s wal "$CHAOSDAY_INTO/pg_wal"', "no PG_VERSION"),
    ],
)
def test_a_restore_that_leads_back_to_the_source_is_not_started(tmp_path: Path, command: str, words: str) -> None:
    """A folder or a file of it that is a link elsewhere: neither is touched. A link that stays inside is none."""
    (source := tmp_path / "source").mkdir(mode=0o755)
    source.chmod(0o755)
    (source / "pg_wal").mkdir()
    (source / "postgresql.conf").touch()
    (folder := tmp_path / "copy").mkdir()
    restore = OwnRestore(command=command.format(source=source))
    own = OwnBackup(PostgreSQL(bin_directory=Path("bin")), Ledger(), Account(), folder, restore)
    with pytest.raises(TargetUnreachable, match=words.format(source=source)):
        own.start()
    assert source.stat().st_mode & 0o777 == 0o755
    assert (source / "postgresql.conf").read_text() == ""


@pytest.mark.kernel
def test_what_a_backup_promises_and_how_far_behind_it_is() -> None:
    """Writes that ended after the cut are unknown to the backup; the recovery point ends at the last write of all."""
    rows = [
        {"process": 0, "f": "insert", "key": 1, "value": 7, "result": 1, "start_ns": 0, "end_ns": 10, "status": "ok"},
        {"process": 0, "f": "insert", "key": 2, "value": 8, "result": 1, "start_ns": 20, "end_ns": 30, "status": "ok"},
        {"process": 0, "f": "update", "key": 1, "value": 9, "result": 2, "start_ns": 40, "end_ns": 90, "status": "ok"},
    ]
    history = History.from_rows([{"index": n, "error": None, **row} for n, row in enumerate(rows)])
    assert history.as_of(25).statuses().tolist() == [0, 2, 2]
    held = [{"id": 1, "version": 1, "value": 7, "checksum": checksum(1, 1, 7), "position": 1}]
    behind = BaseBackup(PostgreSQL(bin_directory=Path("bin")), Ledger(), Account(), Path("nowhere")).behind
    assert behind(history, pa.Table.from_pylist(held, schema=ROWS_SCHEMA)) == (2, 80 / 1e9)
    assert behind(history, ROWS_SCHEMA.empty_table()) == (3, None)
