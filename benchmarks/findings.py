"""Published findings, found again: each unsound configuration once as a user runs it, and both arms many times.

``CHAOSDAY_SOUND_RUNS`` is how many sound runs each (20), of the unsound arm it is a quarter of that. Each run's line is
added to the file ``CHAOSDAY_FINDINGS_LOG``, from which ``scripts.findings`` counts.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from chaosday.drills.finding_file import ArmName, load_finding

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deployments" / "findings"
SIDE_BY_SIDE = 2


def run(*, quick: bool) -> dict[str, Any]:
    """20 sound runs each; ``quick`` is 2 of them."""
    sound_runs = int(os.environ.get("CHAOSDAY_SOUND_RUNS", "2" if quick else "20"))
    rounds: dict[ArmName, int] = {"sound": sound_runs, "unsound": max(1, sound_runs // 4)}
    files = sorted(FOLDER.glob("*.yaml"))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        many = {
            file: {arm: list(pool.map(arm_of, [file] * count, [arm] * count)) for arm, count in rounds.items()}
            for file in files
        }
    return {"findings": [_line(file, _unsound(file), many[file]) for file in files]}


def arm_of(file: Path, arm: ArmName) -> dict[str, Any]:
    """One run of an arm in a process of its own: ``alarms`` by name, and whether and why not it was judged."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._finding_arm", str(file), arm],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:]
        said: dict[str, Any] = {"alarms": {}, "judged": False, "examined": 0, "shortfalls": words, "s": 0}
    else:
        said = json.loads(done.stdout.splitlines()[-1])
    if path := os.environ.get("CHAOSDAY_FINDINGS_LOG"):
        with Path(path).open("a") as log:
            log.write(json.dumps({"file": file.name, "arm": arm, **said}) + "\n")
    return said


def _unsound(file: Path) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as runs:
        done = subprocess.run(
            [sys.executable, "-m", "chaosday", "run", str(file), "--json"],
            cwd=ROOT, env={**os.environ, "CHAOSDAY_RUNS": runs}, capture_output=True, text=True, check=False,
        )  # fmt: skip
    arms = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    found = next((arm for arm in arms if arm["arm"] == "unsound"), {})
    return {"found": found.get("right", False), "s": found.get("s", 0), "anomalies": found.get("anomalies", {})}


def _line(file: Path, once: dict[str, Any], many: dict[ArmName, list[dict[str, Any]]]) -> dict[str, Any]:
    finding = load_finding(file)
    sound, unsound = finding.counts("sound", many["sound"]), finding.counts("unsound", many["unsound"])
    return {
        "name": finding.finding,
        "system": finding.system,
        "source": finding.source,
        "unsound_found": once["found"],
        "unsound_found_again": unsound["found"],
        "unsound_runs": unsound["runs"],
        "anomalies": once["anomalies"],
        "sound_runs": sound["runs"],
        "sound_alarms": sound["alarms"],
        "sound_unjudged": [each["shortfalls"] for each in many["sound"] if not finding.says_something(each)],
        "s": round(once["s"], 1),
    }
