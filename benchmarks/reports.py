"""Pages, documents, notebooks and a game day, as people meet them; and what the report of a large run costs."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._suites import run_suites
from chaosday.judging.simulated import simulate_ledger
from chaosday.reporting.page import write_report
from tests.docs.pages import commands, pages
from tests.docs.test_commands import RUN_ELSEWHERE
from tests.lab.browser import OUTPUT
from tests.notebooks.test_notebooks import BOOKS
from tests.reporting.test_machines import a_run

SUITES = ("tests/reporting/pages", "tests/docs", "tests/notebooks", "tests/flows/test_gameday.py")


def run(*, quick: bool) -> dict[str, Any]:
    """``quick`` takes a history of a tenth of the size."""
    for old in OUTPUT.glob("*-axe.json"):
        old.unlink()
    (OUTPUT / "game-day.json").unlink(missing_ok=True)
    failed = run_suites("-n", "2", *SUITES).failed
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
        "failed": list(failed),
    }


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
