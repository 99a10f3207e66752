"""Restore drills of SQLite, DuckDB and MariaDB: what each way to back up keeps, and what it does not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chaosday.drills.restoring.drill import parse_drill
from chaosday.errors import InvalidExperiment
from chaosday.lab.stands import stand
from chaosday.model.finding import Outcome
from tests.drills.restoring.test_restore_drill import played

pytestmark = pytest.mark.lab
SMALL = {
    "before_s": 0.7, "before_at_most_s": 300, "after_s": 0.3, "sight_budget_s": 600, "loss_rate_to_see": 0.1,
    "clients": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running MariaDB as a target."""
    with stand("mariadb", tmp_path_factory.mktemp("mariadb"), {}) as facts:
        yield facts["server"]


def in_wal_mode(folder: Path) -> dict[str, Any]:
    """A SQLite file that says to keep a write-ahead log, as most applications have it."""
    path = folder / "a 'file'.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("pragma journal_mode = wal")
    return {"kind": "sqlite_file", "path": str(path)}


def source_of(kind: str, folder: Path) -> dict[str, Any]:
    return in_wal_mode(folder) if kind == "sqlite_file" else {"kind": kind, "path": str(folder / "a 'file'.duckdb")}


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("sqlite_file", "online"),
        pytest.param("sqlite_file", "export", marks=pytest.mark.breadth),
        ("duckdb_file", "export"),
    ],
)
def test_a_sound_copy_of_a_file_passes_with_its_proofs(kind: str, method: str, tmp_path: Path) -> None:
    """What was acknowledged before it is there, what came after is not, and nothing is left of the copy."""
    source = source_of(kind, tmp_path)
    # Clients that paused have to come back, which takes a busy machine a while.
    drill = parse_drill({**SMALL, "source": source, "method": method, "after_s": 3})
    verdict, directory = played(drill, tmp_path / "runs")
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert all(proof.held for proof in verdict.proofs.values())
    measured = directory.read_json("observations/recovery_objectives.json")
    assert {"restore_s", "open_s", "first_write_s", "first_right_answer_s"} == set(measured["rto_parts"])
    assert measured["first_answer_right"] is True
    assert measured["acknowledged_after_it"] > 0
    assert not (directory.path / "copy").exists()
    assert [each["check"] for each in directory.read_json("findings.json")][2:] == (
        ["sqlite_integrity"] if kind == "sqlite_file" else []
    )


@pytest.mark.parametrize("kind", ["sqlite_file", pytest.param("duckdb_file", marks=pytest.mark.breadth)])
def test_a_file_without_its_log_lacks_what_was_acknowledged(kind: str, tmp_path: Path) -> None:
    """The twin of a sound copy: ``cp`` of the file alone, while its newest commits stand in the log beside it."""
    source = source_of(kind, tmp_path)
    value = parse_drill({**SMALL, "source": source, "method": "file_copy"})
    verdict, directory = played(value, tmp_path / "runs")
    assert verdict.outcome is Outcome.VIOLATED, verdict.reasons
    ledger = next(each for each in directory.read_json("findings.json") if each["check"] == "ledger")
    assert "lost" in {each["name"] for each in ledger["anomalies"]}
    assert directory.read_json("observations/recovery_objectives.json")["first_answer_right"] is False


@pytest.mark.parametrize("method", ["dump", pytest.param("mariadb_backup", marks=pytest.mark.breadth)])
def test_a_sound_backup_of_mariadb_passes_with_its_proofs(
    mariadb: dict[str, Any], server_directory: Path, method: str
) -> None:
    """The copy answers on a socket alone, and no secret is kept."""
    value = parse_drill({**SMALL, "source": mariadb, "method": method})
    verdict, directory = played(value, server_directory / f"mariadb-{method}")
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert all(proof.held for proof in verdict.proofs.values())
    assert directory.read_json("observations/recovery_objectives.json")["first_answer_right"] is True
    assert not (directory.path / "copy").exists()
    for path in directory.path.rglob("*"):
        assert not (path.is_file() and mariadb["password"].encode() in path.read_bytes()), path


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("source", "method", "words"),
    [
        (
            {"kind": "sqlite_file"},
            "dump",
            "method: dump is none for a sqlite_file, which has online, export",
        ),
        ({"kind": "mariadb"}, "base_backup", "which has dump, mariadb_backup"),
        ({"kind": "nats"}, "dump", "source"),
    ],
)
def test_a_method_that_the_source_has_not_is_refused_in_words(source: dict[str, Any], method: str, words: str) -> None:
    """With those that it has."""
    with pytest.raises(InvalidExperiment, match=words):
        parse_drill({"source": source, "method": method})


@pytest.mark.kernel
def test_each_kind_of_source_has_a_method_of_its_own() -> None:
    """Which is taken where none is named."""
    kinds = ("postgresql", "mariadb", "sqlite_file", "duckdb_file")
    taken = [parse_drill({"source": {"kind": kind}}).method for kind in kinds]
    assert taken == ["base_backup", "dump", "online", "export"]


@pytest.mark.kernel
def test_amcheck_of_what_is_no_postgresql_is_refused_in_words() -> None:
    """There is no such thing."""
    with pytest.raises(InvalidExperiment, match="amcheck: goes with a postgresql, not with a mariadb"):
        parse_drill({"source": {"kind": "mariadb"}, "amcheck": True})
