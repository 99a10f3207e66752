"""Pages, documents, notebooks and a game day, as people meet them; and what the report of a large run costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

from chaosday.judging.simulated import simulate_ledger
from chaosday.reporting.page import write_report
from tests.docs.pages import commands, pages
from tests.docs.test_commands import RUN_ELSEWHERE
from tests.lab.browser import OUTPUT
from tests.notebooks.test_notebooks import BOOKS
from tests.reporting.test_machines import a_run

ROOT = Path(__file__).resolve().parent.parent
SUITES = ("tests/pages", "tests/docs", "tests/notebooks", "tests/flows/test_gameday.py")


def run(*, quick: bool) -> dict[str, Any]:
    """``quick`` takes a history of a tenth of the size."""
    for old in OUTPUT.glob("*-axe.json"):
        old.unlink()
    (OUTPUT / "game-day.json").unlink(missing_ok=True)
    failed = _failures()
    looked = {path.stem.removesuffix("-axe"): json.loads(path.read_text()) for path in OUTPUT.glob("*-axe.json")}
    game = json.loads((OUTPUT / "game-day.json").read_text())
    told = [each.line for page in pages() for each in commands(page) if each.line not in RUN_ELSEWHERE]
    return {
        "pages": len(looked),
        "axe_serious": sum(len(found) for found in looked.values()),
        **_large(100_000 if quick else 1_000_000),
        "doc_commands": len(told),
        "doc_commands_failed": sum("tests.docs" in name for name in failed),
        "notebooks": len(BOOKS),
        "notebooks_failed": sum("tests.notebooks" in name for name in failed),
        "flags_sealed": len(game["commitments"]),
        "flags_scored": max((team["captured"] for team in game["scores"]), default=0),
        "failed": failed,
    }


def _failures() -> list[str]:
    """The tests of all of these that fail, by name; a lab that is missing is a failure too."""
    with tempfile.TemporaryDirectory() as scratch:
        said = Path(scratch) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junitxml={said}", *SUITES]
        environment = {**os.environ, "CHAOSDAY_REQUIRE_LAB": "1"}
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        cases = xml.parse(said).iter("testcase")
        return [
            f"{case.get('classname')}.{case.get('name')}"
            for case in cases
            if case.find("failure") is not None or case.find("error") is not None
        ]


def _large(operations: int) -> dict[str, float]:
    """The report of a run with so many operations, from its evidence to the sealed file."""
    made = simulate_ledger(operations, seed=1)
    with tempfile.TemporaryDirectory() as scratch:
        directory = a_run(Path(scratch), "violated", lost=operations // 100, of=operations)
        made.history.write(directory.path / "history.parquet")
        directory.write_rows("survivor", made.rows)
        began = time.monotonic()
        page = write_report(directory)
        took = time.monotonic() - began
        return {"report_operations": operations, "report_1m_s": round(took, 2), "report_1m_bytes": page.stat().st_size}
