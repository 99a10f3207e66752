"""The demo: the same experiment on an unsound and on a sound configuration of a real PostgreSQL pair."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import Field
from rich import box
from rich.table import Table

from chaosday.clock import SystemClock
from chaosday.errors import EvidenceMissing
from chaosday.judging.verdict import EXIT_CODES, Verdict
from chaosday.lab.failover import ARMS, Arm, FailoverLab, failover_lab
from chaosday.model.base import Model
from chaosday.model.finding import Outcome
from chaosday.record.journal import Journal
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.terminal import plain, say_json
from chaosday.statistics import rate_in_words
from chaosday.undo.watching import watched_over
from flows.session import prefect_session
from flows.terminal import COLOURS, console, watching

EXPECTED: dict[str, Outcome] = {"asynchronous": Outcome.VIOLATED, "synchronous": Outcome.PASS}
PROOFS = ("bite", "sight", "clean")
Look = Callable[[FailoverLab, RunDirectory], None]


class ArmResult(Model):
    """One arm of the demo, for machines."""

    name: str
    verdict: str
    expected: str
    acknowledged: int
    lost: int
    lost_keys: list[int | str]
    proofs: dict[str, bool]
    loss_upper_bound_95: float | None
    run: str
    rows: int = Field(default=0, exclude=True)
    """Rows that an acknowledged insert promised; what the bound is a share of."""

    @property
    def right(self) -> bool:
        """Whether the arm gave the verdict that it should."""
        return self.verdict == self.expected


@click.command("demo", short_help="Find real data loss and show real durability, in about a minute.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else there.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="The seed of everything random.")
def command(as_json: bool, seed: int) -> int:
    """Start a real PostgreSQL primary and standby, cut the standby off, go on writing, kill the primary, and
    promote the standby: once with asynchronous and once with synchronous replication.

    Exits 0 if each gave the verdict that it should; else 2 or 3 where one is inconclusive or was not undone, and 1."""
    root = runs_root().resolve()
    results: list[ArmResult] = []
    directory = RunDirectory.create(root, "demo", SystemClock())
    journal = Journal.create(directory.journal_path, directory.run)
    home = directory.path / "prefect"
    with watched_over(directory.run, directory.journal_path), prefect_session(home):
        for arm in ARMS:
            with watching(quiet=as_json, title=arm):
                results.append(run_arm(arm, directory.path, seed))
    shutil.rmtree(home, ignore_errors=True)
    journal.append("closed")
    journal.close()
    ok = all(result.right for result in results)
    if as_json:
        say_json({"ok": ok, "arms": [result.model_dump() for result in results]})
    else:
        show(results)
    return 0 if ok else max(1, *(EXIT_CODES[Outcome(each.verdict)] for each in results if not each.right))


def run_arm(arm: Arm, root: Path, seed: int, look: Look | None = None) -> ArmResult:
    """One arm as one flow run; ``look`` sees the servers before they are ended."""
    from flows.experiment import experiment

    with failover_lab(arm, root / f"{arm}-servers", seed=seed) as lab:
        directory = RunDirectory.create(root, lab.experiment.title, SystemClock())
        experiment(lab.experiment, directory.path, return_state=True)
        if look is not None:
            look(lab, directory)
    return result_of(arm, directory)


def result_of(arm: str, directory: RunDirectory) -> ArmResult:
    """What a finished run says, for machines."""
    verdict = Verdict.model_validate(directory.read_json("verdict.json"))
    ledger: dict[str, Any] = next((f for f in _findings(directory) if f["check"] == "ledger"), {})
    lost = next((each for each in ledger.get("anomalies", []) if each["name"] == "lost"), {"count": 0, "keys": []})
    said = ledger.get("result", {})
    return ArmResult(
        name=arm,
        verdict=verdict.outcome.value,
        expected=EXPECTED[arm].value,
        acknowledged=said.get("acknowledged", 0),
        lost=lost["count"],
        lost_keys=lost["keys"],
        proofs={name: proof.held for name, proof in verdict.proofs.items()},
        loss_upper_bound_95=said.get("loss_upper_bound_95"),
        run=str(directory.path),
        rows=said.get("acknowledged_rows", 0),
    )


def show(results: list[ArmResult]) -> None:
    """The table at the end, and where to read on."""
    table = Table("replication", "verdict", "acked", "rows lost", "proofs", "loss rate", box=box.SIMPLE_HEAD)
    for column in table.columns:
        column.no_wrap = True
    for each in results:
        colour = COLOURS[each.verdict]
        bound = "" if each.loss_upper_bound_95 is None else f"≤ {rate_in_words(each.loss_upper_bound_95)}"
        marks = [("✓ ", "green") if each.proofs.get(name) else ("✗ ", "red") for name in PROOFS]
        verdict = plain((each.verdict, f"bold {colour}"), "" if each.right else f" (should be {each.expected})")
        lost = f"{each.lost:,} of {each.rows:,}"
        table.add_row(each.name, verdict, f"{each.acknowledged:,}", lost, plain(*marks), bound)
    console.print(table)
    console.print(f"proofs: {', '.join(PROOFS)}; loss rate: of rows, upper bound at 95 % confidence")
    for each in results:
        console.print(plain(f"{each.name}: {Path(each.run) / 'report.html'}"), soft_wrap=True)


def _findings(directory: RunDirectory) -> list[dict[str, Any]]:
    try:
        return list(directory.read_json("findings.json"))
    except EvidenceMissing:
        return []
