"""A year of runs: what catalogue and page cost, what retention leaves, who is told, and on what advice is silent."""

from __future__ import annotations

import ast
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks._suites import ROOT, run_suites
from chaosday.campaign.campaigning import series_of
from chaosday.campaign.catalogue import Catalogue, catalogue_of
from chaosday.campaign.coverage import EXPIRES_DAYS, coverage
from chaosday.campaign.pruning import prune, to_prune
from chaosday.campaign.telling.news import news_of
from chaosday.campaign.telling.tracing import spans
from chaosday.clock import SystemClock
from chaosday.drills.advice.advising import SYSTEMS
from chaosday.record.journal import read
from chaosday.reporting.campaign_page import links_to, page
from tests.campaign.many_runs import ARun, a_year, write
from tests.lab.browser import browser
from tests.reporting.pages.looking import looked_at

RUNS, COPIES, OPEN, TIMES = 10_000, 50, 5, 3
NOTHING = re.compile(r"\b0(?:\.0+)?\s?%")
RECEIVERS = ("webhook", "mail", "apprise", "otlp", "textfile", "github", "gitlab", "pagerduty", "grafana")


def run(*, quick: bool) -> dict[str, Any]:
    """``quick`` prunes a tenth of the runs; everything else is the same."""
    with tempfile.TemporaryDirectory(prefix="chaosday-year-") as scratch:
        folder = Path(scratch)
        return {
            **_catalogue(folder),
            **_pruned(folder / "pruned", RUNS // 10 if quick else RUNS),
            **_told(folder / "told"),
            **_advice(),
            **_people(),
        }


def _catalogue(folder: Path) -> dict[str, Any]:
    runs = folder / "runs"
    for each in a_year(RUNS, until=datetime.now(UTC), seed=1):
        write(runs, each)
    began = time.monotonic()
    catalogue = catalogue_of([runs], rebuild=True)
    rebuilt_s = time.monotonic() - began
    written = folder / "year.html"
    took = [_page(runs, written) for _ in range(TIMES)]
    text = written.read_text()
    with browser() as chromium:
        look = looked_at(chromium, written, "year-of-runs")
    for place in list(catalogue.places.values())[:COPIES]:
        shutil.copytree(place, f"{place}-copy")
    twice = len(catalogue_of([runs]).runs) - len(catalogue.runs)
    shutil.rmtree(runs)
    return {
        "runs": len(catalogue.runs),
        "catalogue_rebuild_s": round(rebuilt_s, 2),
        "page_s": round(median(wall_s for wall_s, _ in took), 2),
        "page_cpu_s": round(median(cpu_s for _, cpu_s in took), 2),
        "page_bytes": len(text.encode()),
        "axe_serious": len(look.grave),
        "page_wider_than_a_phone": int(look.wider_than_a_phone),
        "copies_counted_twice": twice,
        "zero_percent_lines": sum(bool(NOTHING.search(line)) for line in text.splitlines()),
    }


def _page(runs: Path, written: Path) -> tuple[float, float]:
    """Seconds from the folder to the page, on the clock and of the processor, with a catalogue in place."""
    began, spent = time.monotonic(), time.process_time()
    found = catalogue_of([runs])
    covered = coverage(found.runs, SystemClock(), EXPIRES_DAYS)
    links = links_to(found.runs, found.places, written.parent)
    written.write_text(page(series_of(found.runs), covered, EXPIRES_DAYS, (), links))
    return time.monotonic() - began, time.process_time() - spent


def _pruned(folder: Path, count: int) -> dict[str, Any]:
    until = datetime.now(UTC) - timedelta(days=2)
    for each in a_year(count, until=until, seed=2, evidence_bytes=50_000):
        write(folder, each)
    for number in range(OPEN):
        write(folder, ARun(until - timedelta(days=300), fault_stays_open=True, token=f"0pen{number:02d}"))
    before, size = catalogue_of([folder]), _size(folder)
    # Twenty passes of each experiment are younger, so that those with an open fault would go if they could.
    cuts, _ = to_prune(before, SystemClock(), keep=1, months=0)
    did = prune(before, cuts, SystemClock())
    after = catalogue_of([folder], rebuild=True)
    return {
        "pruned_runs": sum(each.done for each in did),
        "pruned_bytes_share": round(1 - _size(folder) / size, 3),
        "pruned_open_faults": sum(each.done and "-0pen" in each.run for each in did),
        "bounds_changed_by_pruning": sum(one != other for one, other in zip(_said(before), _said(after), strict=True)),
    }


def _said(catalogue: Catalogue) -> list[tuple[Any, ...]]:
    return [
        (each.title, each.lost, each.of, each.loss_upper_bound_95, each.by_version, each.by_month, each.change)
        for each in series_of(catalogue.runs)
    ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _told(folder: Path) -> dict[str, Any]:
    suite = run_suites("tests/campaign/test_telling.py", "tests/campaign/test_trackers.py")
    write(folder, ARun(datetime.now(UTC), outcome="violated", lost=1))
    catalogue = catalogue_of([folder])
    (news,) = news_of(catalogue.runs, ("violated",), SystemClock(), 1)
    (place,) = catalogue.places.values()
    in_runs = list(_importers("chaosday.campaign.telling"))
    return {
        "receivers": [] if suite.failed else list(RECEIVERS),
        # Nothing that a run consists of so much as knows of them: what is dead cannot hold it up.
        "receiver_dead_delay_s": None if in_runs else 0,
        "otel_spans": len(spans(read(Path(place) / "journal.jsonl"), news)),
        "secrets_sent": sum("secret" in name for name in suite.failed),
        "told_cases": suite.cases,
        "told_failed": list(suite.failed),
    }


def _importers(module: str) -> Iterator[Path]:
    """Files of runs that import it: all but the room itself, its command and this."""
    for path in (path for folder in ("chaosday", "flows", "tasks") for path in (ROOT / folder).rglob("*.py")):
        if "telling" in path.parts or path.name == "tell.py":
            continue
        names = [
            node.module or "" for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)
        ]
        if any(name.startswith(module) for name in names):
            yield path


def _advice() -> dict[str, Any]:
    suite = run_suites("tests/drills/advice")
    every = {(rule.name, rule.cites): rule for system in SYSTEMS.values() for rule in system.rules}
    sound = ("sound", "both_settings", "replica", "experiment")
    return {
        "advice_rules": len(every),
        "advice_rules_with_twin": sum(bool(rule.finding) for rule in every.values()),
        "advice_false": sum(any(word in name for word in sound) for name in suite.failed),
        "advice_cases": suite.cases,
        "advice_failed": list(suite.failed),
    }


def _people() -> dict[str, Any]:
    suite = run_suites("tests/drills/gameday/test_practice.py")
    return {"freshness_cases": suite.cases, "freshness_failed": list(suite.failed)}
