"""Runs that died before they were judged: what they left is judged as far as it goes, and told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from chaosday.clock import Clock, SystemClock
from chaosday.errors import ChaosdayError, EvidenceMissing
from chaosday.judging.rejudging import checks_of
from chaosday.judging.verdict import Verdict, conclude, judge_checks
from chaosday.model.clean import Clean
from chaosday.model.fault import Bite
from chaosday.model.finding import Finding
from chaosday.record.journal import Journal, JournalReading, open_faults
from chaosday.record.owner import owner_lives
from chaosday.record.recorder import seal
from chaosday.record.run_directory import RunDirectory
from chaosday.reporting.page import write_report
from chaosday.undo.recovery import Recovered
from chaosday.undo.undoing import Attempt

SILENT_ELSEWHERE_S = 86_400.0
"""A run of another machine cannot be asked whether it lives: it is taken for dead after so long without a word."""
STILL_OPEN_S = 3600.0
"""A fault may still be healed by whoever does that now; after so long its run is judged with the fault on."""
NOBODY = "cancelled by the end of its process"

Because = Callable[[RunDirectory], str]


def nobody_knows(directory: RunDirectory) -> str:
    """Why a run ended of which only its evidence is left."""
    return ""


def conclude_abandoned(
    journals: Iterable[Path], because: Because = nobody_knows, clock: Clock | None = None
) -> list[Recovered]:
    """Judge the evidence of each run that is dead and has no verdict; write verdict and report; go on past failures.

    ``because`` may know more about a run's end than its evidence does. Faults are healed before (``recover``). The
    verdict is never better than inconclusive, and nothing is asked of the target any more.
    """
    did: list[Recovered] = []
    for path in journals:
        directory = RunDirectory(path.parent)
        # Leases and labs keep journals of their own, which are no runs.
        if not directory.history_directory.is_dir() or (directory.path / "report.html").is_file():
            continue
        tried = Attempt(f"{directory.run} could not be judged")
        with tried:
            said = _concluded(directory, because, clock or SystemClock())
            did += [Recovered(run=directory.run, ok=True, words=said)] if said else []
        if tried.error:
            did.append(Recovered(run=directory.run, ok=False, words=tried.error))
    return did


def _concluded(directory: RunDirectory, because: Because, clock: Clock) -> str:
    journal = Journal.resume(directory.journal_path)
    try:
        return _ended(directory, journal, because, clock)
    finally:
        journal.close()


def _ended(directory: RunDirectory, journal: Journal, because: Because, clock: Clock) -> str:
    reading = journal.reading()
    # What is not ours is listed by ``recover``, and nothing is written beside it.
    if not reading.records or not reading.authentic() or owner_lives(reading):
        return ""
    silent_s = (clock.wall_ns() - reading.records[-1].wall_ns) / 1e9
    host = str(reading.records[0].data.get("host", ""))
    if host != socket.gethostname() and silent_s < SILENT_ELSEWHERE_S:
        return f"a run of {host}, which is not asked from here; without a word from it for a day it will be judged"
    if open_faults(reading) and silent_s < STILL_OPEN_S:
        return "it will be judged when its faults have ended"
    if not (directory.path / "plan.json").is_file():
        directory.write_json("plan.json", _plan(directory, reading))
    try:
        verdict = Verdict.model_validate(directory.read_json("verdict.json"))
    except EvidenceMissing:
        verdict = _judged(directory, journal, because(directory) or _last_words(reading))
    write_report(directory)
    return f"judged from what it left, {verdict.outcome.value}: {verdict.reasons[0] if verdict.reasons else ''}"


def _judged(directory: RunDirectory, journal: Journal, because: str) -> Verdict:
    reading = journal.reading()
    if not (directory.path / "history.parquet").is_file():
        with Attempt("no operation was recorded"):
            seal(directory.history_directory, directory.path / "history.parquet")
    findings = _findings(directory)
    directory.write_json("findings.json", [finding.model_dump(mode="json") for finding in findings])
    plan = directory.read_json("plan.json")
    meant = max(len(plan["faults"]), len(plan["experiment"].get("faults", [])))
    bites = _last(reading, ("attested",), "bite")
    verdict = conclude(
        findings=findings,
        bites=[Bite.model_validate(bite) for bite in bites.values()],
        faults=0 if plan["placebo"] else max(meant, len(bites)),
        cleans=_cleans(reading),
        shortfalls=[because, *(record.data["reason"] for record in reading.records if record.event == "shortfall")],
    )
    directory.write_json("verdict.json", verdict.model_dump(mode="json"))
    journal.append("verdict", outcome=verdict.outcome.value, reasons=verdict.reasons, by="recover")
    return verdict


def _findings(directory: RunDirectory) -> list[Finding]:
    try:
        return judge_checks(checks_of(directory), directory.evidence())
    except (ChaosdayError, KeyError):
        # A kind of run that judges no data, or one that died before it had said what it would judge.
        return []


def _cleans(reading: JournalReading) -> list[Clean]:
    """What was observed of each fault in the end; one that is open still, and was never looked at, is not clean."""
    seen = {
        lease: Clean.model_validate(said) for lease, said in _last(reading, ("clean", "not_clean"), "clean").items()
    }
    for each in open_faults(reading):
        kind, unseen = str(each.fault.get("kind", "")), ["nobody has observed that it ended"]
        seen.setdefault(
            each.lease.id, Clean(lease_id=each.lease.id, fault=kind, target=each.target_name, errors=unseen)
        )
    return list(seen.values())


def _last(reading: JournalReading, events: tuple[str, ...], field: str) -> dict[str, Any]:
    """What the journal said last of each fault, by its lease."""
    return {record.data["lease_id"]: record.data[field] for record in reading.records if record.event in events}


def _plan(directory: RunDirectory, reading: JournalReading) -> dict[str, Any]:
    """As much of a plan as a run had said before it wrote one."""
    meant = next((each.data.get("experiment") for each in reading.records if each.event == "preflight"), None) or {}
    return {
        "run": directory.run,
        "title": meant.get("title", directory.run),
        "hypothesis": meant.get("hypothesis", ""),
        "seed": meant.get("seed", 0),
        "placebo": False,
        "targets": {},
        "faults": [],
        "operations_needed": 0,
        "experiment": meant,
    }


def _last_words(reading: JournalReading) -> str:
    first, last = reading.records[0], reading.records[-1]
    own = [record for record in reading.records if record.event not in ("watchdog", "recovered")]
    host, pid = first.data.get("host", "a machine"), first.data.get("pid", 0)
    return f"{NOBODY}: process {pid} on {host} died; the last that it said was {(own or [last])[-1].event}"
