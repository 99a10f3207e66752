"""Recovery to the moment before an accident: what was there then is there again, and nothing that came after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from chaosday.drills.restoring.accident import Accident, Moment, as_of_moment, until
from chaosday.drills.restoring.drill import parse_drill
from chaosday.errors import InvalidExperiment
from chaosday.model.finding import Outcome
from chaosday.model.history import History
from chaosday.servers.postgres import Node
from tests.drills.restoring.test_restore_drill import drill, played

BREADTH = pytest.mark.breadth


@pytest.mark.lab
@pytest.mark.parametrize("statement", ["delete", *(pytest.param(n, marks=BREADTH) for n in ("update", "drop"))])
def test_a_recovery_to_the_moment_before_an_accident_passes(
    pair: tuple[Node, Node], server_directory: Path, statement: str
) -> None:
    """Every acknowledged write of before is there, none that began after it; fetch and replay are parts of the time."""
    value = drill(pair[0], accident={"statement": statement, "at_s": 0.3})
    verdict, directory = played(value, server_directory / f"accident-{statement}")
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert all(proof.held for proof in verdict.proofs.values())
    measured = directory.read_json("observations/recovery_objectives.json")
    assert set(measured["rto_parts"]) == {
        "fetch_s", "replay_s", "open_s", "first_write_s", "first_right_answer_s",
    }  # fmt: skip
    assert 0 <= measured["rpo_s"] < 5
    assert not (directory.path / "copy").exists()


@pytest.mark.lab
def test_a_recovery_to_the_latest_brings_the_accident_back(pair: tuple[Node, Node], server_directory: Path) -> None:
    """The twin: the same backup and the same WAL, replayed to the end."""
    value = drill(pair[0], accident={"statement": "delete", "at_s": 0.3, "recover_to": "latest"})
    verdict, directory = played(value, server_directory / "accident-latest")
    assert verdict.outcome is Outcome.VIOLATED, verdict.reasons
    ledger = next(each for each in directory.read_json("findings.json") if each["check"] == "ledger")
    assert "lost" in {each["name"] for each in ledger["anomalies"]}


@pytest.mark.kernel
def test_what_a_moment_promises() -> None:
    """Acknowledged by then: owed. Open then: may be. Begun after it: may not be."""
    rows = [
        {"f": "insert", "key": 1, "value": 7, "result": 1, "start_ns": 0, "end_ns": 10, "status": "ok"},
        {"f": "insert", "key": 2, "value": 8, "result": 1, "start_ns": 9, "end_ns": 30, "status": "ok"},
        {"f": "insert", "key": 3, "value": 9, "result": 1, "start_ns": 40, "end_ns": 90, "status": "ok"},
        {"f": "insert", "key": 4, "value": 9, "result": 1, "start_ns": 41, "end_ns": 90, "status": "unknown"},
    ]
    history = History.from_rows([{"index": n, "process": n, "error": None, **row} for n, row in enumerate(rows)])
    moment = Moment("noon", 20, 22)
    assert as_of_moment(history, moment).statuses().tolist() == [0, 2, 1, 1]
    assert len(until(history, moment)) == 1


@pytest.mark.kernel
def test_an_accident_where_no_log_is_kept_is_refused_in_words() -> None:
    """A dump can be taken back to its own moment alone."""
    assert Accident().statement == "delete"
    for source, method in (({"kind": "postgresql"}, "dump"), ({"kind": "sqlite_file"}, "online")):
        with pytest.raises(InvalidExperiment, match="accident: goes with method base_backup of a postgresql"):
            parse_drill({"source": source, "method": method, "accident": {}})
