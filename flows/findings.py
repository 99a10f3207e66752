"""Published findings, found again: each arm of each is an experiment that runs like any other."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from chaosday.clock import SystemClock
from chaosday.drills.finding_file import ARMS, ArmName, FindingFile, experiment_of, load_finding
from chaosday.drills.kinds import parse_run
from chaosday.errors import ChaosdayError
from chaosday.judging.example import counts, example
from chaosday.judging.verdict import Verdict
from chaosday.lab.stands import fresh
from chaosday.model.base import Model
from chaosday.model.history import History
from chaosday.record.run_directory import RunDirectory, runs_root
from chaosday.reporting.terminal import plain, say_json
from flows.run_one import Runner
from flows.terminal import COLOURS, console


class ArmResult(Model):
    """What one run of one arm said, beside what it should have said."""

    finding: str
    system: str
    source: str
    arm: ArmName
    configuration: str
    expected: str
    got: str
    anomalies: dict[str, int] = {}
    """What was found, by name, with how often."""
    shown: list[str] = []
    """One case of what was found, with the operations that make it."""
    why: str = ""
    operations: int = 0
    s: float = 0
    run: str = ""

    @property
    def right(self) -> bool:
        """Whether the verdict is the expected one; for the unsound arm also one of the expected anomalies."""
        return self.got == self.expected


def run_arm(finding: FindingFile, arm: ArmName, runner: Runner) -> ArmResult:
    """Start the system, run the arm's experiment on it, and take the system away."""
    expects = finding.arm(arm).anomalies
    began = time.monotonic()
    result = ArmResult(
        finding=finding.finding,
        system=finding.system,
        source=finding.source,
        arm=arm,
        configuration=finding.arm(arm).words,
        expected=f"violated: {' or '.join(expects)}" if expects else finding.arm(arm).verdict,
        got="not run",
    )
    try:
        with fresh(finding.lab, finding.arm(arm).lab) as facts:
            kind = parse_run(experiment_of(finding, arm, facts))
            directory = RunDirectory.create(runs_root(), kind.intent().title, SystemClock())
            verdict = runner.run(kind, directory)
            return result.model_copy(update=_read(directory, verdict, expects) | {"s": time.monotonic() - began})
    except ChaosdayError as error:
        return result.model_copy(update={"why": str(error), "s": time.monotonic() - began})


def _read(directory: RunDirectory, verdict: Verdict, expects: Sequence[str]) -> dict[str, object]:
    findings = directory.read_json("findings.json")
    found = counts(findings)
    known = [name for name in expects if name in found]
    got = str(verdict.outcome.value)
    if got == "violated" and expects:
        got = f"violated: {' or '.join(expects if known else found)}"
    operations = max((finding["examined"] for finding in findings), default=0)
    why = "; ".join(verdict.reasons[:2])
    evidence = directory.evidence()
    history = evidence.history() if evidence.has("history") else History.from_rows([])
    shown = example(findings, expects, history) if known else []
    kept = {"anomalies": found, "operations": operations, "run": str(directory.path), "why": why, "shown": shown}
    return {"got": got, **kept}


def run_findings(files: Iterable[Path], *, quiet: bool, as_json: bool, arms: Sequence[ArmName] = ARMS) -> int:
    """Each arm of each file in turn; the table in the end. 0 where every arm said what it should."""
    found = [load_finding(path) for path in files]  # all of them are read before any is run
    results = []
    with Runner(quiet or as_json) as runner:
        for finding in found:
            for arm in arms:
                results.append(run_arm(finding, arm, runner))
                if as_json:
                    say_json(results[-1].model_dump() | {"right": results[-1].right})
                elif not quiet:
                    console.print(plain(f"{finding.finding}, {arm}: {results[-1].got}, {results[-1].s:.0f} s"))
    if not as_json:
        console.print(table(results))
        for each in results:
            if not each.right:
                console.print(plain(f"{each.finding}, {each.arm}: {each.why}"))
    return 0 if all(each.right for each in results) else 1


def table(results: Sequence[ArmResult]) -> Table:
    """Finding, source, expected, got, operations, time."""
    drawn = Table(box=box.SIMPLE)
    for head in ("finding", "source", "arm", "expected", "got", "operations", "time"):
        drawn.add_column(head, overflow="fold", justify="right" if head in ("operations", "time") else "left")
    for each in results:
        colour = COLOURS["pass" if each.right else "violated"]
        drawn.add_row(
            plain(each.finding), plain(each.source), each.arm, plain(each.expected), plain((each.got, colour)),
            f"{each.operations:,}", f"{each.s:.0f} s",
        )  # fmt: skip
    return drawn
