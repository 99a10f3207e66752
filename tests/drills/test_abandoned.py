"""A run that died is judged from what it left: never better than inconclusive, with a report, and once."""

from __future__ import annotations

import multiprocessing
import socket
from pathlib import Path
from typing import Any

import orjson
import pytest

from chaosday.clock import SystemClock
from chaosday.drills.abandoned import SILENT_ELSEWHERE_S, STILL_OPEN_S, conclude_abandoned
from chaosday.drills.leftovers import leftovers, remove_leftovers
from chaosday.record.journal import Journal, read
from chaosday.record.recorder import Recorder
from chaosday.record.run_directory import RunDirectory

pytestmark = pytest.mark.kernel

READING = {"value": 1.0, "unit": "ms", "by": "a round trip"}
BITE = {"fault": "host.cpu", "target": "here", "bit": True, "baseline": READING, "during": READING, "why": "w"}
MEANT = {"title": "meant", "hypothesis": "h", "seed": 7, "checks": [{"kind": "ledger"}], "faults": [{}]}
PLAN = {"title": "t", "hypothesis": "h", "seed": 1, "placebo": False, "targets": {}, "faults": [], "experiment": MEANT}


def died(root: Path, *events: tuple[str, dict[str, Any]], host: str = "", **files: Any) -> Path:
    """The journal of a run whose process said these things, recorded three writes, and is gone."""
    directory = RunDirectory.create(root, "died", SystemClock())

    def live() -> None:
        if host:
            socket.gethostname = lambda: host
        journal = Journal.create(directory.journal_path, directory.run)
        for event, data in events:
            journal.append(event, **data)

    process = multiprocessing.get_context("fork").Process(target=live)
    process.start()
    process.join()
    for name, data in files.items():
        directory.write_json(f"{name}.json", data)
    with Recorder(directory.history_directory, 0) as recorder:
        for key in range(3):
            recorder.end(recorder.invoke("write", key, 1), "ok")
    return directory.journal_path


class Later(SystemClock):
    """The same clock, some seconds on."""

    def __init__(self, seconds: float) -> None:
        self._ns = int(seconds * 1e9)

    def wall_ns(self) -> int:
        return super().wall_ns() + self._ns


@pytest.mark.parametrize(
    ("events", "files", "reason"),
    [
        ([], {}, "the last that it said was opened"),
        ([("preflight", {"experiment": MEANT})], {}, "the last that it said was preflight"),
        ([("preflight", {"experiment": MEANT}), ("workloads_started", {})], {"plan": PLAN}, "workloads_started"),
        ([("shortfall", {"reason": "a guard tripped"})], {"plan": PLAN}, "a guard tripped"),
        ([("preflight", {"kind": "gameday", "experiment": {"title": "day"}})], {}, "the last that it said"),
    ],
)
def test_in_whatever_phase_it_died(tmp_path: Path, events: Any, files: Any, reason: str) -> None:
    """Verdict, findings and report are there, the journal's chain goes on, and nothing is done a second time."""
    journal = died(tmp_path, *events, **files)
    (did,) = conclude_abandoned([journal])
    assert did.ok and "inconclusive" in did.words
    verdict = orjson.loads((journal.parent / "verdict.json").read_bytes())
    assert verdict["outcome"] == "inconclusive"
    assert any(reason in line for line in verdict["reasons"])
    assert "cancelled by the end of its process" in verdict["reasons"][0]
    for name in ("report.html", "findings.json", "hashes.json", "history.parquet"):
        assert (journal.parent / name).is_file(), name
    assert [record.event for record in read(journal).records][-1] == "verdict"
    assert conclude_abandoned([journal]) == []


def test_who_knows_more_is_believed(tmp_path: Path) -> None:
    """Prefect may know that somebody cancelled it."""
    journal = died(tmp_path)
    conclude_abandoned([journal], lambda directory: f"cancelled by ada: {directory.run}")
    assert orjson.loads((journal.parent / "verdict.json").read_bytes())["reasons"][0].startswith("cancelled by ada")


def test_a_bite_that_nobody_saw_the_end_of_is_revert_failed(tmp_path: Path) -> None:
    """It was injected, and nothing says that it was observed afterwards."""
    journal = died(tmp_path, ("attested", {"lease_id": "cd-1234", "bite": BITE}))
    conclude_abandoned([journal])
    assert orjson.loads((journal.parent / "verdict.json").read_bytes())["outcome"] == "revert_failed"


def test_those_that_are_not_ours_to_judge_are_left(tmp_path: Path) -> None:
    """One that lives, one of another machine, and one whose fault is still being healed: until enough time has gone."""
    living = RunDirectory.create(tmp_path, "living", SystemClock())
    journal = Journal.create(living.journal_path, living.run)
    assert conclude_abandoned([living.journal_path]) == []
    journal.close()

    open_fault = died(tmp_path, *_open_fault())
    elsewhere = died(tmp_path, host="another machine")
    for path, after_s in ((open_fault, STILL_OPEN_S), (elsewhere, SILENT_ELSEWHERE_S)):
        (waits,) = conclude_abandoned([path])
        assert waits.ok and "will be judged" in waits.words
        assert not (path.parent / "verdict.json").exists()
        (judged,) = conclude_abandoned([path], clock=Later(after_s + 1))
        assert judged.ok and (path.parent / "report.html").is_file()
    assert orjson.loads((open_fault.parent / "verdict.json").read_bytes())["outcome"] == "revert_failed"


def _open_fault() -> list[tuple[str, dict[str, Any]]]:
    undo = {"script": ":", "residue_script": "", "data": {}}
    lease = {"id": "cd-1234", "run": "r", "fault": "host.cpu", "target": "here", "undo": undo, "ttl_s": 10}
    plan = {"lease": lease, "affected": ["here"], "baseline": READING}
    planned = {"lease_id": "cd-1234", "fault": {"kind": "host.cpu"}, "target_name": "here", "target": {}, "plan": plan}
    return [("planned", planned), ("arming", {"lease_id": "cd-1234"})]


def test_a_report_that_was_not_written_is_written(tmp_path: Path) -> None:
    """It died between its verdict and its report: the verdict stands."""
    verdict = {"outcome": "violated", "words": "Damage was found", "reasons": ["lost"], "bites": [], "cleans": []}
    proofs = {name: {"held": True, "lines": []} for name in ("bite", "sight", "clean")}
    journal = died(tmp_path, plan=PLAN, verdict=verdict | {"proofs": proofs})
    conclude_abandoned([journal])
    assert orjson.loads((journal.parent / "verdict.json").read_bytes())["outcome"] == "violated"
    assert (journal.parent / "report.html").is_file()


def test_what_is_no_run_is_passed_by(tmp_path: Path) -> None:
    """Journals lie in other folders too; and one that cannot be read keeps nobody else from being judged."""
    (tmp_path / "journal.jsonl").write_text("")
    broken, fine = died(tmp_path), died(tmp_path)
    broken.write_text('{"not": "a record"}\n')
    wrong, right = conclude_abandoned([tmp_path / "journal.jsonl", broken, fine])
    assert not wrong.ok and right.ok


@pytest.mark.parametrize(
    ("events", "looked_for"),
    [
        ([("verdict", {"outcome": "inconclusive", "by": "recover"})], True),
        ([("verdict", {"outcome": "violated", "by": "recover"})], False),
        ([("verdict", {"outcome": "pass"})], True),
        ([("verdict", {"outcome": "violated"})], False),
        ([("verdict", {"outcome": "pass"}), ("cleaned_up", {})], False),
        ([("verdict", {"outcome": "pass"}), ("left_behind", {"reason": "no route"})], True),
        ([("verdict", {"outcome": "pass"}), ("left_behind", {}), ("cleaned_up", {})], False),
        ([], False),
    ],
)
def test_what_stayed_in_a_target_is_looked_for(tmp_path: Path, events: Any, looked_for: bool) -> None:
    """After a violation the damage stays; what a run took away itself is gone; what one that was killed before that
    had made, and all the rest, is named with age and owner."""
    prepared = ("prepare", {"workload": {"kind": "ledger", "target": "database", "scope": "abc123"}})
    meant = ("preflight", {"experiment": {"targets": {"database": {"kind": "postgresql", "port": 1, "via": "door"}}}})
    journal = died(tmp_path, meant, prepared, *events, plan=PLAN)
    # Listed as well: what stays because of a violation, and what is taken away once somebody has judged the run.
    listed = leftovers([journal])
    assert bool(listed) == (looked_for or not events or events[-1][1].get("by") == "recover")
    assert all(each.target == "database" and "abc123" in each.words and "old, of" in each.words for each in listed)
    did = remove_leftovers([journal], clock=Later(7200))
    assert len(did) == looked_for
    if looked_for:
        assert did[0].ok and "abc123" in did[0].words and "2 h old, of process" in did[0].words
        assert "not reached" in did[0].words and did[0].target == "database"
        assert read(journal).records[-1].event == "left_behind"
