"""The house in figures: rooms, sizes, circles, kinds of run, ends, Prefect, interrupts, mutants.

Suites are counted by running them; nothing here is asserted, and a suite that cannot run counts as one that failed.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import _mutants
from benchmarks._interrupts import interrupts
from benchmarks._suites import ROOT, Suites, run_suites
from chaosday.drills.kinds import kinds
from chaosday.running.ends import ENDS

KINDS_SUITES = ("tests/conformance/test_kinds.py",)
ENDS_SUITES = ("tests/running/test_ends.py",)
PREFECT_SUITES = ("tests/flows", "tests/ui")
REFUSED_SUITES = ("tests/commands/test_run_kinds.py", "-k", "starts_no_server")
EVERY = ("-m", "slow or not slow")
TESTS_S_BEFORE = 1307
"""Continuous integration before the house was rebuilt, on two quiet cores."""


def run(*, quick: bool) -> dict[str, Any]:
    """``quick`` leaves out the loaded and the complete test runs, which take an hour, and samples fewer mutants."""
    of_kinds, of_ends = run_suites(*KINDS_SUITES), run_suites(*ENDS_SUITES)
    of_prefect = prefect(quick=quick)
    return {
        **_sizes(),
        "cycles": _failed("tests/test_house.py", "circle"),
        "layers_contract": _contract(),
        "run_engines": _engines(),
        "kinds_of_run": sorted(kinds()),
        "conformance_kinds_cases": of_kinds.cases,
        "conformance_kinds_failed": len(of_kinds.failed),
        **refusals(of_kinds),
        "exit_codes_seen": sorted({end.code for end in ENDS}) if not of_ends.failed else [],
        "exit_cases": of_ends.cases,
        "exit_cases_failed": len(of_ends.failed),
        **prefect_figures(of_prefect),
        **interrupts(4 if quick else 20),
        **_complete(quick=quick),
        **_mutants.figures(30 if quick else 330),
        "failed": [*of_kinds.failed, *of_ends.failed, *of_prefect.failed],
    }


def prefect(*, quick: bool) -> Suites:
    """The suites of runs in Prefect's hands; ``quick`` leaves out each accident in every phase, which takes an hour."""
    return run_suites(*PREFECT_SUITES, *([] if quick else EVERY))


def prefect_figures(suites: Suites) -> dict[str, int]:
    """How many cases there are, and how many failed."""
    return {"prefect_cases": suites.cases, "prefect_cases_failed": len(suites.failed)}


def refusals(of_kinds: Suites) -> dict[str, Any]:
    """The kinds that a halt refuses and stops, and how often Prefect's server was started for a run that is refused."""
    return {
        "halt_refused": sorted(kind for kind in kinds() if _held(of_kinds, "halt", kind)),
        "server_started_when_refused": len(run_suites(*REFUSED_SUITES).failed),
    }


def _sizes() -> dict[str, float]:
    root = ROOT / "chaosday"
    product = [path for part in ("chaosday", "flows", "tasks", "blocks") for path in (ROOT / part).rglob("*.py")]
    lengths = [path.read_text().count("\n") for path in product]
    functions = [length for path in product for length in _functions(path)]
    return {
        "root_rooms": sum((folder / "__init__.py").is_file() for folder in root.iterdir()),
        "root_modules": len(list(root.glob("*.py"))),
        "largest_file": max(lengths),
        "median_file": statistics.median(lengths),
        "function_p90": sorted(functions)[int(len(functions) * 0.9)],
    }


def _functions(path: Path) -> list[int]:
    return [
        (node.end_lineno or node.lineno) - node.lineno
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def _contract() -> str:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, check=False)
    return "kept" if done.returncode == 0 else "broken"


def _engines() -> int:
    """Classes that have the verbs of a run: an engine is one that can roll back, prove and conclude."""
    verbs = {"preflight", "rollback", "prove", "conclude"}
    return sum(
        verbs <= {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        for path in (ROOT / "chaosday").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )


def _failed(suite: str, word: str) -> int:
    return len(run_suites(suite, "-k", word).failed)


def _held(suites: Suites, word: str, kind: str) -> bool:
    """Whether every case of that name and kind passed, and there was one."""
    case = re.compile(rf"{word}.*[\[-]{kind}[\]-]")
    return any(map(case.search, suites.passed)) and not any(map(case.search, suites.failed))


def _complete(*, quick: bool) -> dict[str, Any]:
    """The whole test command, and three times beside a load of eight endless loops on every core."""
    figures: dict[str, Any] = {"tests_s_before": TESTS_S_BEFORE, "tests_s_now": None, "loaded_runs_passed": None}
    if quick:
        return figures
    alone = run_suites("-n", "2")
    loaded = 0
    for _ in range(3):
        load = subprocess.Popen(["stress-ng", "--cpu", "8", "--timeout", "2h", "--quiet"])
        try:
            loaded += not run_suites("-n", "2").failed
        finally:
            load.terminate()
            load.wait()
    return figures | {"tests_s_now": round(alone.seconds), "loaded_runs_passed": f"{loaded} of 3"}
