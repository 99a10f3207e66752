"""``python -m benchmarks._finding_arm FILE ARM``: an arm of a finding, without Prefect and the proof of sight."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from chaosday.clock import SystemClock
from chaosday.drills.finding_file import ArmName, experiment_of, load_finding
from chaosday.drills.kinds import parse_run
from chaosday.errors import ChaosdayError
from chaosday.judging.example import counts
from chaosday.lab.stands import stand
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run


def judged(file: Path, arm: ArmName) -> dict[str, object]:
    """What the checks said: ``alarms`` by name, ``examined``, and what fell short."""
    finding = load_finding(file)
    folder = Path(tempfile.mkdtemp(prefix="chaosday-stand-"))
    folder.chmod(0o711)
    began = time.monotonic()
    try:
        with stand(finding.lab, folder, finding.arm(arm).lab) as facts:
            kind = parse_run(experiment_of(finding, arm, facts))
            directory = RunDirectory.create(folder / "runs", kind.intent().title, SystemClock())
            with Run(kind, directory) as run:
                cleans = play(run)
                findings = run.verify()
            return {
                "alarms": counts([finding.model_dump() for finding in findings]),
                "examined": max((finding.examined for finding in findings), default=0),
                "judged": all(finding.outcome.value in ("pass", "violated") for finding in findings),
                "unclean": [each.words for each in cleans if not each.clean],
                "shortfalls": run.shortfalls,
                "s": round(time.monotonic() - began, 1),
            }
    except ChaosdayError as error:
        return {"alarms": {}, "examined": 0, "judged": False, "unclean": [], "shortfalls": [str(error)], "s": 0}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    name: ArmName = "sound" if sys.argv[2] == "sound" else "unsound"
    print(json.dumps(judged(Path(sys.argv[1]), name)))
