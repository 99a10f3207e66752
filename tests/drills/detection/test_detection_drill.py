"""Detection drills on a real table and real files: who notices is told, who does not is told by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.clock import SystemClock
from chaosday.drills.detection.drill import DetectionDrill, parse_drill
from chaosday.drills.detection.kind import DetectionKind
from chaosday.errors import InvalidExperiment
from chaosday.judging.verdict import Verdict
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import Run
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL

pytestmark = pytest.mark.lab

ROWS = 50


@pytest.fixture
def table(pair: tuple[Node, Node]) -> Iterator[dict[str, Any]]:
    """A scratch table as a target."""
    target = {"kind": "postgresql", "port": pair[0].port, "password": pair[0].password}
    with PostgreSQL.model_validate(target).connect() as connection:
        connection.execute("create table orders (id int primary key, customer text, pieces int)")
        connection.execute(f"insert into orders select g, 'c' || g, g from generate_series(1, {ROWS}) g")
        connection.execute("comment on table orders is 'chaosday-scratch'")
    yield target
    with PostgreSQL.model_validate(target).connect() as connection:
        connection.execute("drop table orders")


def drill(table: dict[str, Any], *damage: str, **changed: Any) -> DetectionDrill:
    rows = {"kind": "data.rows", "target": "db", "table": "orders", "accept_weak_lease": True, "count": 2}
    not_null = {"expect": "expect_column_values_to_not_be_null", "arguments": {"column": "customer"}}
    data = {
        "targets": {"db": table, "here": {"kind": "local_host"}},
        "damage": [rows | {"damage": each} | ({} if each == "delete" else {"column": "customer"}) for each in damage],
        "monitors": [
            {
                "name": "count",
                "probe": {
                    "kind": "postgresql.query",
                    "target": "db",
                    "query": "select count(*) from orders",
                    "at_least": ROWS,
                },
            },
            {
                "name": "suite",
                "probe": {
                    "kind": "postgresql.expectations",
                    "target": "db",
                    "query": "select * from orders",
                    "suite": [not_null],
                },
            },
        ],
        "every_s": 0.1,
        "quiet_s": 1,
        "patience_s": 2,
        "max_targets": 4,
    }
    return parse_drill(data | changed)


def played(value: DetectionDrill, root: Path) -> tuple[Verdict, dict[str, Any]]:
    directory = RunDirectory.create(root, value.title, SystemClock())
    kind = DetectionKind(value)
    with Run(kind, directory) as run:
        verdict = complete(run)
    return verdict, {each["name"]: each for each in kind.seen["damage"]}


def contents(table: dict[str, Any]) -> list[Any]:
    with PostgreSQL.model_validate(table).connect() as connection:
        return connection.execute("select * from orders order by id").fetchall()


def test_each_monitor_notices_what_it_can(table: dict[str, Any], tmp_path: Path) -> None:
    """The row count sees deletions, the suite sees NULLs, and neither the other's; the table is as it was."""
    before = contents(table)
    verdict, seen = played(drill(table, "delete", "null"), tmp_path)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    noticed = {name: {n["monitor"] for n in each["notices"] if n["after_s"] is not None} for name, each in seen.items()}
    assert noticed == {"data.rows: delete": {"count"}, "data.rows: null": {"suite"}}
    assert contents(table) == before


def test_damage_that_nobody_notices_is_a_violation(table: dict[str, Any], tmp_path: Path) -> None:
    """Swapped values fool a row count and a null check: violated, by name; asked of all, deletion is, too."""
    verdict, _ = played(drill(table, "swap"), tmp_path)
    assert verdict.outcome is Outcome.VIOLATED
    assert {name: proof.held for name, proof in verdict.proofs.items()} == {"bite": True, "sight": True, "clean": True}
    assert played(drill(table, "delete", must_notice="all"), tmp_path)[0].outcome is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("probe", "words"),
    [
        ({"kind": "command", "target": "here", "run": "exit 1"}, "not healthy before any damage"),
        ({"kind": "command", "target": "here", "run": "no-such-monitor"}, "gave no answer"),
    ],
)
def test_a_monitor_that_rings_or_is_dead_proves_nothing(
    table: dict[str, Any], tmp_path: Path, probe: dict[str, Any], words: str
) -> None:
    """An alarm that rings anyway, or that cannot ring, ends the drill before anything is damaged."""
    verdict, seen = played(drill(table, "delete", monitors=[{"name": "m", "probe": probe}]), tmp_path)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert not seen and any(words in reason for reason in verdict.reasons), verdict.reasons


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"damage": []}, "nothing to notice"),
        ({"monitors": []}, "nobody to notice"),
        ({"patienc_s": 1}, "no such field"),
        ({"targets": {}}, "no target is called 'db'"),
    ],
)
def test_a_wrong_drill_is_refused(changed: dict[str, Any], words: str) -> None:
    """Nothing to damage, nobody to notice, a misspelt field, an unknown target."""
    with pytest.raises(InvalidExperiment, match=words):
        drill({"kind": "postgresql"}, "delete", **changed)


@pytest.mark.usefixtures("with_prefect")
def test_the_command_shows_who_noticed(table: dict[str, Any], tmp_path: Path) -> None:
    """Through Prefect and the command line: a table of damage and monitors, a report, the verdict's exit code."""
    value = drill(table, "delete", "swap").model_dump(mode="json", exclude={"targets"})
    value["targets"] = {"db": {**table}, "here": {"kind": "local_host"}}
    secret = value["targets"]["db"].pop("password")
    file = tmp_path / "drill.yaml"
    file.write_text(yaml.safe_dump(value))
    done = subprocess.run(
        [sys.executable, "-m", "chaosday", "drill", str(file), "--quiet"],
        cwd=tmp_path,
        env={**os.environ, "PGPASSWORD": secret, "CHAOSDAY_RUNS": str(tmp_path / "runs"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout[:3000] + done.stderr
    assert "not noticed" in done.stdout and "violated" in done.stdout
    (journal,) = (tmp_path / "runs").glob("*/journal.jsonl")
    run = journal.parent
    assert "data.rows" in (run / "report.html").read_text()
    assert json.loads((run / "verdict.json").read_text())["outcome"] == "violated"
    assert secret not in done.stdout + done.stderr + "".join(
        path.read_text(errors="replace") for path in run.rglob("*") if path.is_file()
    )
