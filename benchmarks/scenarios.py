"""Search and shrinking on published findings, triggers, sweeps, restores, failovers, plugins, imported experiments.

What this house has not built has no figure here: see docs/evidence.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks._failovers import failovers, plugins
from benchmarks._restores import restores
from chaosday.clients.line_server import LineServer
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.drills.exploring.base import Limits, read_base
from chaosday.drills.exploring.exploration import Exploration
from chaosday.drills.exploring.ground import Asked, ground
from chaosday.drills.exploring.sweeping import Swept, sweep
from chaosday.drills.importing.chaos_toolkit import imported
from chaosday.lab.stands import fresh
from chaosday.model.experiment import parse
from chaosday.record.journal import read
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.safety.permission import Permission

ROOT = Path(__file__).resolve().parent.parent
FINDINGS = ROOT / "deployments" / "findings"
EXPLORED = {
    "redis-crash": "process.kill",
    "postgresql-asynchronous-commit": "process.kill",
    "redis-power-cut": "",
    "nats-power-cut": "",
    "redis-failover": "",
    "mariadb-power-cut": "",
    "sqlite-bit-flips": "",
    "sqlite-lost-fsync": "",
    "rabbitmq-unconfirmed": "",
    "mariadb-lost-update": "",
    "moto-check-then-put": "",
}
"""Findings, and the family of faults that is allowed; empty for the faults that the finding's two arms name."""
QUICK = 6
TRIGGERS, QUICK_TRIGGERS = 20, 5


def run(*, quick: bool) -> dict[str, Any]:
    """All findings of ``EXPLORED``, 2 of 3 runs each; ``quick`` is the first ``QUICK`` of them, once each."""
    with tempfile.TemporaryDirectory(prefix="chaosday-scenarios-") as folder:
        root = Path(folder)
        root.chmod(0o711)
        names = list(EXPLORED)[: QUICK if quick else None]
        explored = [_explored(name, root / name, quick=quick) for name in names]
        delays = _triggers(root, QUICK_TRIGGERS if quick else TRIGGERS)
        restored = restores(root, quick=quick)
        swept = _swept(root / "swept", each=1 if quick else 5)
        beside = {**failovers(root, quick=quick), **plugins(root)}
    found = [each for each in explored if each["found"]]
    spent_s, runs = sum(each["s"] for each in explored), sum(each["runs"] for each in explored)
    return {
        "explored": explored,
        "explored_findings": len(found),
        "shrunk_to_faults_max": max((each["faults"] for each in found), default=None),
        "explore_runs_per_minute": round(60 * runs / spent_s, 1) if spent_s else None,
        "triggers": {"n": len(delays), "median_ms": _middle(delays), "most_ms": max(delays, default=None)},
        "sweep_breaking_points": [swept],
        **restored,
        **beside,
        **_imports(),
    }


def _explored(name: str, root: Path, *, quick: bool) -> dict[str, Any]:
    base = read_base(FINDINGS / f"{name}.yaml")
    if quick:
        base = dataclasses.replace(base, limits=Limits(least=1, of=1, faults_at_most=2))
    patterns = [EXPLORED[name]] if EXPLORED[name] else []
    asked = Asked(budget_s=50 if quick else 900)
    with _ground(base, root, asked) as made:
        said = Exploration(made, patterns).run()
    right = base.finding is not None and bool(set(said.anomalies) & set(base.finding.unsound.anomalies))
    kept = {"name": name, "found": said.found and right, "faults": said.faults, "smallest": said.smallest}
    return {**kept, "anomalies": said.anomalies, "runs": said.runs, "s": said.s}


def _ground(base: Any, root: Path, asked: Asked) -> Any:
    system = partial(fresh, base.lab, base.lab_options or {})
    return ground(
        base, system, root, asked, permission=lambda: Permission.of(root), clock=SystemClock(), tell=lambda words: None
    )


def _swept(root: Path, *, each: int) -> dict[str, Any]:
    """Redis that keeps nothing, killed later and later: when there is something to be lost."""
    base = read_base(FINDINGS / "redis-crash.yaml")
    experiment = {**base.experiment, "faults": [{"at_s": 0.5, "fault": {"kind": "process.kill", "target": "process"}}]}
    base = dataclasses.replace(base, experiment=experiment)
    with _ground(base, root, Asked(budget_s=60 if each == 1 else 600)) as made:
        said = sweep(made, Swept("faults.0.at_s", [0.0, 0.5, 2.0], each))
    points = [{"value": p.value, "broke": p.broke, "runs": p.runs} for p in said.points]
    return {"field": said.field, "breaks": said.breaks, "value": said.value, "low": said.low, "high": said.high,
            "points": points}  # fmt: skip


def _triggers(root: Path, count: int) -> list[float]:
    """Milliseconds from a line in a log to the moment when the run says that it came."""
    found: list[float] = []
    for number in range(count):
        folder = root / f"trigger-{number}"
        folder.mkdir()
        found += [late for late in [_late_ms(folder)] if late is not None]
    return sorted(found)


def _late_ms(folder: Path) -> float | None:
    from tests.broken.server import Broken

    log, victims, written = folder / "log", folder / "victims", list[int]()
    victims.mkdir()
    (victims / ".chaosday-scratch").touch()
    (victims / "0.csv").write_text("0,x\n" * 300)
    log.write_text("")
    serving = LineServer(Broken(), lambda: "a sound store, 1")
    serving.start()
    fault = {"kind": "data.files", "target": "here", "path": str(victims), "match": "*.csv"}
    when = {"log": {"target": "here", "path": str(log), "pattern": "now"}, "at_most_s": 30}
    value = parse({
        "targets": {"store": {"kind": "line_store", "port": serving.port},
                    "here": {"kind": "local_host", "state_dir": str(folder / "leases")}},
        "workloads": [{"kind": "set", "target": "store", "clients": 1, "rate_per_s": 50}],
        "checks": [{"kind": "set"}], "baseline_s": 0.1, "fault_window_s": 0.1, "after_s": 0,
        "faults": [{"when": when, "fault": fault}],
    })  # fmt: skip
    directory = RunDirectory.create(folder / "runs", "trigger", SystemClock())

    def write() -> None:
        while not any("workloads_started" in path.read_text() for path in [directory.journal_path] if path.exists()):
            time.sleep(0.05)
        time.sleep(3)
        with log.open("a") as file:
            file.write("now\n")
        written.append(time.monotonic_ns())

    threading.Thread(target=write, daemon=True).start()
    try:
        with Run(ExperimentKind(value), directory) as run:
            play(run)
    finally:
        serving.close()
    came = [each.monotonic_ns for each in read(directory.journal_path).records if each.event == "came_true"]
    return round((came[0] - written[0]) / 1e6, 1) if came and written else None


def _imports() -> dict[str, Any]:
    """The table of the tests: experiments in the shapes that users of Chaos Toolkit write."""
    from tests.drills.importing.test_chaos_toolkit import CASES

    read_whole = [imported(each[1]) for each in CASES]
    return {
        "chaostoolkit_files": {
            "read": len(read_whole),
            "parts_mapped": sum(len(each.mapped) for each in read_whole),
            "parts_named_as_not_mapped": sum(len(each.not_mapped) for each in read_whole),
        }
    }


def _middle(values: list[float]) -> float | None:
    return round(statistics.median(values), 1) if values else None
