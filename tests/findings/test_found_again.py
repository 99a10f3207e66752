"""Findings run as a user would run them: the unsound arm finds, the sound arm is silent, and nothing stays."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from chaosday.drills.finding_file import load_finding
from tests.docs.pages import ROOT
from tests.findings.test_files import FILES
from tests.lab.machine import absent
from tests.lab.toolchains import toolchain
from tests.lab.vm import need_vm

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("with_prefect")]
ONE_OF_EACH = (
    "redis-crash", "nats-power-cut", "postgresql-power-cut", "mariadb-lost-update", "etcd-stale-read",
    "rabbitmq-unconfirmed", "sqlite-lost-fsync", "pandas-append",
)  # fmt: skip
"""One of each system that is started, for breadth; all of them take ten minutes, and have a command of their own."""
OF_ROOT = ("nats", "embedded", "etcd_single", "machine")
CASES = [
    pytest.param(path, id=path.stem, marks=pytest.mark.breadth if path.stem in ONE_OF_EACH else pytest.mark.slow)
    for path in FILES
]


@pytest.mark.parametrize("path", CASES)
def test_it_is_found_again(path: Path, tmp_path: Path) -> None:
    """Both arms say what the file says they should, with an example in words; no process of the lab's is left."""
    finding = load_finding(path)
    asked = {**finding.unsound.lab, **finding.sound.lab}
    if os.geteuid() != 0 and (finding.lab in OF_ROOT or {"own_disk", "cover", "network", "nodes"} & asked.keys()):
        absent("a disk or a network of one's own needs root")
    if finding.lab == "machine":
        need_vm()
    command = [sys.executable, "-m", "chaosday", "run", str(path), "--json"]
    # Of its own, so that what is left can be told from others'; short and open, for sockets and other accounts.
    place = Path(tempfile.mkdtemp(prefix="cd-found-"))
    place.chmod(0o711)
    environment = {**os.environ, "CHAOSDAY_RUNS": str(tmp_path / "runs"), "TMPDIR": str(place)}
    if name := asked.get("toolchain"):
        environment["PATH"] = f"{toolchain(name)}:{environment['PATH']}"
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    arms = {each["arm"]: each for each in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 0, [(each["got"], each["why"]) for each in arms.values()] or done.stderr[-2000:]
    assert set(arms["unsound"]["anomalies"]) & set(finding.unsound.anomalies)
    assert arms["unsound"]["shown"]
    assert (arms["sound"]["got"], arms["sound"]["anomalies"]) == (finding.sound.verdict, {})
    assert arms["sound"]["operations"] > 0
    assert not [each for each in psutil.process_iter(["cmdline"]) if str(place) in " ".join(each.info["cmdline"] or [])]
    assert not [each for each in psutil.disk_partitions(all=True) if each.mountpoint.startswith(str(place))]
    assert not [each.name for each in place.iterdir() if each.name.startswith("chaosday-")]
    shutil.rmtree(place)
