"""Suites of the tests, run for their figures: how many cases there were, and which failed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as xml

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Suites:
    """What pytest said of some suites, in ``seconds``."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    seconds: float

    @property
    def cases(self) -> int:
        """How many tests were run to an end."""
        return len(self.passed) + len(self.failed)


def run_suites(*arguments: str) -> Suites:
    """Run pytest with these arguments; a lab that is missing is a failure, and so are suites without a single test."""
    with tempfile.TemporaryDirectory() as scratch:
        said = Path(scratch) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={said}", *arguments]
        environment = {**os.environ, "CHAOSDAY_REQUIRE_LAB": "1"}
        began = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        cases = list(xml.parse(said).iter("testcase")) if said.exists() else []
    passed, failed = [], []
    for case in cases:
        bad = case.find("failure") is not None or case.find("error") is not None
        (failed if bad else passed).append(f"{case.get('classname')}.{case.get('name')}")
    if not cases:
        failed.append(f"no test was run: {done.stdout[-200:]}{done.stderr[-200:]}")
    return Suites(tuple(passed), tuple(failed), seconds)
