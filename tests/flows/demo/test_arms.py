"""The demo's experiment without Prefect, and the same question asked in plain SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.judging.verdict import Verdict
from chaosday.lab.failover import Arm, FailoverLab, failover_lab
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run

pytestmark = pytest.mark.lab


@dataclass(frozen=True)
class Done:
    """A finished run, its servers still up."""

    lab: FailoverLab
    directory: RunDirectory
    verdict: Verdict
    lost: set[int]


@contextmanager
def finished(arm: Arm, root: Path) -> Iterator[Done]:
    with failover_lab(arm, root / f"{arm}-servers") as lab:
        directory = RunDirectory.create(root, lab.experiment.title, SystemClock())
        with Run(ExperimentKind(lab.experiment), directory) as run:
            play(run)
            findings = run.verify()
            run.prove()
            verdict = run.conclude()
        ledger = next(finding for finding in findings if finding.check == "ledger")
        lost = ledger.anomaly("lost")
        yield Done(lab, directory, verdict, {int(key) for key in lost.keys} if lost else set())


def lost_by_plain_sql(done: Done) -> tuple[int, set[int]]:
    """Acknowledged inserts that the promoted standby does not have: raw client files against raw SQL."""
    acknowledged: set[int] = set()
    for file in done.directory.history_directory.glob("client-*.jsonl"):
        begun: dict[int, int] = {}
        for line in file.read_text().splitlines():
            event = json.loads(line)
            if event.get("f") == "insert":
                begun[event["invoke"]] = event["key"]
            elif event.get("status") == "ok" and event["end"] in begun:
                acknowledged.add(begun[event["end"]])
    standby = done.lab.standby
    with psycopg.connect(
        host="127.0.0.1", port=standby.port, user="postgres", password=standby.password, dbname="postgres"
    ) as connection:
        table = connection.execute("select tablename from pg_tables where tablename like 'ledger%'").fetchall()
        assert len(table) == 1
        present = {row[0] for row in connection.execute(f"select id from chaosday.{table[0][0]}")}
    return len(acknowledged), acknowledged - present


def test_asynchronous_replication_loses_acknowledged_writes(server_directory: Path) -> None:
    """The unsound arm is violated, and the lost keys are those that a plain query misses."""
    with finished("asynchronous", server_directory / "async") as done:
        acknowledged, missing = lost_by_plain_sql(done)
        assert done.verdict.outcome is Outcome.VIOLATED, done.verdict.reasons
        assert {name: proof.held for name, proof in done.verdict.proofs.items()} == {
            "bite": True,
            "sight": True,
            "clean": True,
        }, done.verdict.reasons
        ledger = next(f for f in done.directory.read_json("findings.json") if f["check"] == "ledger")
        counted = next(each["count"] for each in ledger["anomalies"] if each["name"] == "lost")
        assert counted == len(missing) > 0
        assert done.lost <= missing
        assert acknowledged > 500


def test_synchronous_replication_loses_nothing(server_directory: Path) -> None:
    """The sound arm passes with its three proofs, and a plain query misses nothing either."""
    with finished("synchronous", server_directory / "sync") as done:
        acknowledged, missing = lost_by_plain_sql(done)
        assert done.verdict.outcome is Outcome.PASS, done.verdict.reasons
        assert missing == set() == done.lost
        assert acknowledged > 300
        passwords = {done.lab.primary.password}
        for path in done.directory.path.rglob("*"):
            if path.is_file():
                assert not any(secret.encode() in path.read_bytes() for secret in passwords), path
