"""When faults begin and end: at a time, or when something has come true; and what is said where it never does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.clients.line_server import LineServer
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind, length_of
from chaosday.errors import InvalidExperiment
from chaosday.model.experiment import Experiment, parse
from chaosday.record.journal import Record, read
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from tests.broken.server import Broken

FILES = {"kind": "data.files", "target": "here"}
STORE = {"kind": "line_store", "port": 1}
LOG = {"log": {"target": "here", "path": "/tmp/x", "pattern": "y"}}


def plain(**changes: Any) -> dict[str, Any]:
    """An experiment that is valid, and reaches nothing."""
    targets = {"store": STORE, "here": {"kind": "local_host"}}
    workloads = [{"kind": "set", "target": "store", "clients": 2, "rate_per_s": 200}]
    return {"targets": targets, "workloads": workloads, "checks": [{"kind": "set"}], **changes}


@pytest.mark.kernel
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"when": {}}, "say one of probe"),
        ({"when": {"acknowledged": 5, "bitten": "data.files"}}, "say one of probe"),
        ({"when": {"acknowledged": 5, "above": 1}}, "a probe goes with one of"),
        ({"when": {"probe": {"kind": "answers", "target": "store"}}}, "a probe goes with one of"),
        (
            {"when": {"probe": {"kind": "answers", "target": "nobody"}, "healthy": False}},
            "no target is called 'nobody'",
        ),
        ({"when": {"log": {"target": "nobody"}}}, "no target is called 'nobody'"),
        ({"when": {"bitten": "process.kill"}}, "no fault here is a process.kill"),
        ({"times": 3}, "say for_s or until"),
    ],
)
def test_a_condition_that_is_none_is_one_line(fault: dict[str, Any], said: str) -> None:
    """The place is named, and what is missing there."""
    with pytest.raises(InvalidExperiment, match=said):
        parse(plain(faults=[{"fault": FILES, **fault}]))


@pytest.mark.kernel
def test_what_a_probe_in_a_condition_runs_needs_leave_as_well() -> None:
    """Its command is one of the run's, and the time that is waited counts for how long it may take."""
    probe = {"kind": "command", "target": "here", "run": "a command"}
    when = {"probe": probe, "above": 3, "at_most_s": 500}
    value = parse(plain(faults=[{"fault": FILES, "when": when, "for_s": 2, "times": 3}]))
    assert "a command" in ExperimentKind(value).intent().commands
    assert length_of(value) >= 3 * 502


@pytest.mark.kernel
def test_drawn_faults_are_the_same_for_a_seed_and_in_the_plan_s_order() -> None:
    """Each once before any comes twice, within the time that is given."""
    faults = [{**FILES, "path": f"/tmp/{n}"} for n in range(3)]

    def drawn(seed: int) -> Experiment:
        return parse(plain(random={"faults": faults, "count": 5, "seed": seed, "within_s": 4}))

    schedule = drawn(3).schedule()
    assert schedule == drawn(3).schedule() != drawn(4).schedule()
    assert [each.at_s for each in schedule] == sorted(each.at_s for each in schedule)
    assert all(0 <= each.at_s <= 4 for each in schedule)
    paths = [str(each.fault.path) for each in schedule]
    assert len(paths) == 5 and set(paths) == {"/tmp/0", "/tmp/1", "/tmp/2"}
    assert ExperimentKind(drawn(3)).judgement().bites == 5


@pytest.fixture
def store() -> Iterator[int]:
    serving = LineServer(Broken(), lambda: "a sound store, 1")
    serving.start()
    try:
        yield serving.port
    finally:
        serving.close()


def played(folder: Path, port: int, faults: list[dict[str, Any]], *, during: Any = None) -> tuple[Run, list[Record]]:
    """A run of faults on files of their own, ``0.csv`` for the first, each in a folder that no other fault changes."""
    asked = []
    for number, each in enumerate(faults):
        victims = folder / "victims" / str(number)
        victims.mkdir(parents=True)
        (victims / ".chaosday-scratch").touch()
        (victims / f"{number}.csv").write_text(f"{number},x\n" * 300)
        asked.append({"fault": {**FILES, "path": str(victims), "match": f"{number}.csv"}, **each})
    data = plain(faults=asked, baseline_s=0.1, fault_window_s=0.5, after_s=0, blast_radius={"max_targets": 9})
    data["targets"] = {
        "store": {"kind": "line_store", "port": port},
        "here": {"kind": "local_host", "state_dir": str(folder / "leases")},
    }
    directory = RunDirectory.create(folder / "runs", "schedule", SystemClock())
    with Run(ExperimentKind(parse(data)), directory) as run:
        if during is not None:
            threading.Thread(target=during, daemon=True).start()
        play(run)
    return run, read(directory.journal_path).records


@pytest.mark.lab
def test_each_waits_for_what_it_waits_for(store: int, tmp_path: Path) -> None:
    """One at its time and twice; one after so many operations; one after another's bite; one at a line of a log, until
    a file says so. Everything that was waited for came, each fault was measured, and all is as it was."""
    log, gate = tmp_path / "store.log", tmp_path / "gate"
    log.write_text("checkpoint starting, long ago\n")
    gate.write_text("0\n")
    count = {"kind": "command", "target": "here", "run": f"cat {gate}"}

    over = threading.Event()

    def during() -> None:
        while not over.wait(1):
            with log.open("a") as file:
                file.write("checkpoint starting\n")
            gate.write_text("7\n")

    faults: list[dict[str, Any]] = [
        {"for_s": 0.2, "times": 2, "pause_s": 0.1},
        {"when": {"acknowledged": 200}},
        {"when": {"bitten": "data.files"}, "at_s": 0.1},
        {"when": {"log": {"target": "here", "path": str(log), "pattern": "checkpoint start"}},
         "until": {"probe": count, "above": 5}},
    ]  # fmt: skip
    run, records = played(tmp_path, store, faults, during=during)
    over.set()
    assert run.shortfalls == []
    assert len(run.bites) == 5 and all(each.bit for each in run.bites)
    assert len(run.cleans) == 5 and [each.words for each in run.cleans if not each.clean] == []
    said = [each.data["what"] for each in records if each.event == "came_true"]
    assert sorted(said) == sorted([
        "200 operations acknowledged", "data.files has bitten", f"a line of {log}: checkpoint start",
        "command on here: above 5.0",
    ])  # fmt: skip
    for number in range(4):
        assert (tmp_path / "victims" / str(number) / f"{number}.csv").read_text() == f"{number},x\n" * 300


@pytest.mark.lab
def test_what_never_comes_true_is_said_and_never_hangs(store: int, tmp_path: Path) -> None:
    """The run is inconclusive by what it waited for and what it saw last; what comes after it is not injected."""
    log = tmp_path / "store.log"
    log.write_text("checkpoint starting, long ago\n")
    never = {"log": {"target": "here", "path": str(log), "pattern": "checkpoint"}, "at_most_s": 0.5}
    run, records = played(tmp_path, store, [{"when": never}, {"at_s": 30}])
    assert run.shortfalls == [f"data.files: waited 0.5 s for a line of {log}: checkpoint; last seen: 0 new lines fit"]
    assert not [each for each in records if each.event == "injecting"]
