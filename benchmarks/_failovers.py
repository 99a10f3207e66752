"""Failover drills: twins of a real cluster told apart, split brains planted and seen; a package of one's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from chaosday.clock import SystemClock
from chaosday.drills.kinds import parse_run
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.plugin import plugin
from chaosday.running.project import laid_down
from chaosday.running.run import Run

ROOT = Path(__file__).resolve().parent.parent
TWINS, QUICK_TWINS = ("patroni-maximum-lag", "patroni-asynchronous", "patroni-rejoin"), 1
PLANTED, QUICK_PLANTED = 10, 1


def failovers(root: Path, *, quick: bool) -> dict[str, Any]:
    """``quick`` is one finding of Patroni's instead of three."""
    twins = [_twins(name, root / name) for name in TWINS[: QUICK_TWINS if quick else None]]
    count = QUICK_PLANTED if quick else PLANTED
    seen = [_split(root / f"split-{number}", "touch") for number in range(count)]
    moved = [_split(root / f"moved-{number}", "mv -n {one}") for number in range(count)]
    return {
        "failover_twins": twins,
        "failover_twins_told_apart": sum(each["told_apart"] for each in twins),
        "split_brain_planted": count,
        "split_brain_seen": sum(seen),
        "split_brain_seen_where_none_was": sum(moved),
    }


def _twins(name: str, runs: Path) -> dict[str, Any]:
    """Both arms as a user runs them."""
    command = [
        sys.executable,
        "-m",
        "chaosday",
        "run",
        str(ROOT / "deployments" / "findings" / f"{name}.yaml"),
        "--json",
    ]
    environment = {**os.environ, "CHAOSDAY_RUNS": str(runs)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    arms = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    right = len(arms) == 2 and all(each["right"] for each in arms)
    return {"name": name, "told_apart": right, "got": {each["arm"]: each["got"] for each in arms}}


def _split(folder: Path, act: str) -> bool:
    """Whether two sides were seen to take writes at once: a side does where its file is; ``act`` makes the other's."""
    folder.mkdir()
    one, two = folder / "one", folder / "two"
    one.touch()
    here = {"kind": "local_host", "state_dir": str(folder / "leases")}
    back = f"rm -f {two}; touch {one}"
    kind = parse_run({
        "kind": "failover",
        "targets": {"shop": {"kind": "sqlite_file", "path": str(folder / "shop.db")}, "here": here, "there": here},
        "workloads": [{"kind": "ledger", "target": "shop", "clients": 1, "rate_per_s": 100}],
        "actions": [{"kind": "command", "target": "here", "run": f"{act.format(one=one)} {two}", "undo": back}],
        "back": [{"kind": "command", "target": "here", "run": back, "undo": back}],
        "sides": [
            {"kind": "command", "target": "here", "run": f"test -e {one}", "timeout_s": 30},
            {"kind": "command", "target": "there", "run": f"test -e {two}", "timeout_s": 30},
        ],
        "every_s": 0.1, "stay_s": 1.5, "baseline_s": 0.1, "fault_window_s": 0.1, "after_s": 0,
        "loss_rate_to_see": 0.9, "sight_budget_s": 20,
    })  # fmt: skip
    directory = RunDirectory.create(folder / "runs", "split", SystemClock())
    with Run(kind, directory) as run:
        complete(run)
    found = [each for each in directory.read_json("findings.json") if each["check"] == "failover"]
    return any(anomaly["name"] == "split-brain" for each in found for anomaly in each["anomalies"])


def plugins(root: Path) -> dict[str, Any]:
    """A package as ``chaosday init --plugin`` lays it down, built and unpacked: how many of its tests pass."""
    folder, site = root / "plugin", root / "site"
    laid_down(folder, plugin("our-drills"))
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=folder, check=True, capture_output=True
    )
    with zipfile.ZipFile(next((folder / "dist").iterdir())) as packed:
        packed.extractall(site)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{site}:{ROOT}", "HOME": str(root), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    counts = {what: int(count) for count, what in re.findall(r"(\d+) (passed|failed)", done.stdout)}
    return {"plugin_cases": counts.get("passed", 0), "plugin_cases_wrong": counts.get("failed", 0)}
