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

from chaosday.finding_file import ArmName, load_finding

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deployments" / "findings"
SIDE_BY_SIDE = 2


def run(*, quick: bool) -> dict[str, Any]:
    """20 sound runs each; ``quick`` is 2 of them."""
    rounds = int(os.environ.get("CHAOSDAY_SOUND_RUNS", "2" if quick else "20"))
    files = sorted(FOLDER.glob("*.yaml"))
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        many = {file: _many(pool, file, "sound", rounds) for file in files}
        again = {file: _many(pool, file, "unsound", max(1, rounds // 4)) for file in files}
    unsound = {file: _unsound(file) for file in files}
    return {"findings": [_line(file, unsound[file], many[file], again[file]) for file in files]}


def _many(pool: ThreadPoolExecutor, file: Path, arm: ArmName, rounds: int) -> list[dict[str, Any]]:
    return list(pool.map(lambda _: arm_of(file, arm), range(rounds)))


def arm_of(file: Path, arm: ArmName) -> dict[str, Any]:
    """One run of an arm in a process of its own: ``alarms`` by name, and whether and why not it was judged."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks._finding_arm", str(file), arm],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:]
        return {"alarms": {}, "judged": False, "examined": 0, "shortfalls": words, "s": 0}
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
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


def _line(
    file: Path, unsound: dict[str, Any], sound: list[dict[str, Any]], again: list[dict[str, Any]]
) -> dict[str, Any]:
    finding = load_finding(file)
    return {
        "name": finding.finding,
        "system": finding.system,
        "source": finding.source,
        "unsound_found": unsound["found"],
        "unsound_found_again": sum(map(finding.unsound_found, again)),
        "unsound_runs": len(again),
        "anomalies": unsound["anomalies"],
        "sound_runs": sum(finding.sound_as_expected(each) for each in sound),
        "sound_alarms": sum(bool(each["alarms"]) for each in sound),
        "sound_unjudged": [each["shortfalls"] for each in sound if not finding.sound_as_expected(each)],
        "s": round(unsound["s"], 1),
    }
