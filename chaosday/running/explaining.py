"""What happened in a run, in words and in order, from its journal and its evidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chaosday.errors import EvidenceMissing
from chaosday.record.journal import Record
from chaosday.record.journal import read as read_journal
from chaosday.record.run_directory import RunDirectory

Said = Callable[[dict[str, Any], dict[str, str]], str]


def explain(directory: RunDirectory) -> list[str]:
    """One line an act, with the seconds since the run began; then why the verdict is what it is."""
    reading = read_journal(directory.journal_path)
    names: dict[str, str] = {}
    lines = []
    began = reading.records[0].monotonic_ns if reading.records else 0
    for record in reading.records:
        if record.event == "planned":
            names[record.data["lease_id"]] = f"{record.data['fault']['kind']} on {record.data['target_name']}"
        if words := _words(record, names):
            lines.append(f"{(record.monotonic_ns - began) / 1e9:8.2f} s  {words}")
    if reading.torn:
        lines.append(f"            the journal's end is torn: {reading.torn}")
    return [*lines, "", *_verdict(directory)]


def _words(record: Record, names: dict[str, str]) -> str:
    told = _TOLD.get(record.event)
    return told(record.data, names) if told else ""


def _verdict(directory: RunDirectory) -> list[str]:
    try:
        verdict = directory.read_json("verdict.json")
    except EvidenceMissing:
        return ["It came to no verdict: the run ended before that. What it left open: chaosday recover"]
    lines = [f"{verdict['outcome']}: {verdict['words']}"]
    for name, proof in verdict["proofs"].items():
        lines.append(f"  {name}: {'proven' if proof['held'] else 'not proven'}")
        lines += [f"    {line}" for line in proof["lines"][:5]]
    return [*lines, *(f"  because {reason}" for reason in verdict["reasons"][:20])]


def _fault(data: dict[str, Any], names: dict[str, str]) -> str:
    return names.get(str(data.get("lease_id", "")), str(data.get("lease_id", "a fault")))


_TOLD: dict[str, Said] = {
    "preflight": lambda data, names: "reached the targets; nothing was touched",
    "approved": lambda data, names: f"{data['approver']} agreed, as {data['requested_by']} had asked: {data['why']}",
    "planned": lambda data, names: f"planned {_fault(data, names)}",
    "holding": lambda data, names: f"held {len(data['fences'])} targets against other experiments",
    "holding_more": lambda data, names: f"held {len(data['fences'])} more targets",
    "prepare": lambda data, names: "made the workload's tables",
    "workloads_started": lambda data, names: "clients began to work",
    "armed": lambda data, names: f"the undo of {_fault(data, names)} is durable",
    "injected": lambda data, names: f"injected {_fault(data, names)}",
    "attested": lambda data, names: f"measured {_fault(data, names)}: {data['bite']['why']}",
    "abstained": lambda data, names: f"a placebo: {_fault(data, names)} was not injected",
    "came_true": lambda data, names: f"{data['fault']}: it came true: {data['what']}",
    "looked": lambda data, names: (
        "" if data["found"] else f"looked again at {data['fault']} on {data['target']}: not found: {data['words']}"
    ),
    "rehearsed": lambda data, names: f"rehearsed {data['fault']}: {'clean' if data['clean'] else 'not clean'}",
    "action_done": lambda data, names: f"{data['kind']}: {data.get('words') or 'it failed'}",
    "action_undone": lambda data, names: f"undid {data['kind']}: {data.get('words') or 'it failed'}",
    "healed": lambda data, names: f"undid {_fault(data, names)}",
    "clean": lambda data, names: f"looked: {_fault(data, names)} has left nothing",
    "heal_again": lambda data, names: f"undoing {_fault(data, names)} is tried again: {data['error']}",
    "heal_failed": lambda data, names: f"could not undo {_fault(data, names)}: {'; '.join(data['errors'])}",
    "not_clean": lambda data, names: f"looked: {_fault(data, names)} is not as it was",
    "renew_failed": lambda data, names: f"could not renew {_fault(data, names)}: {data['error']}",
    "settled": lambda data, names: f"it is itself again: {data.get('words', '')}",
    "copy": lambda data, names: f"was about to make a folder for the copy: {data['folder']}",
    "backup_begins": lambda data, names: f"began a backup: {data['method']}",
    "backup_ended": lambda data, names: f"the backup was taken in {data['seconds']:.1f} s",
    "restored": lambda data, names: f"the copy took its first write {data['seconds']:.1f} s after the restore began",
    "noticed": lambda data, names: (
        f"{data['damage']}: "
        + ", ".join(
            f"{n['monitor']} " + ("did not notice" if n["after_s"] is None else f"noticed after {n['after_s']:.1f} s")
            for n in data["notices"]
        )
    ),
    "prefect_lost": lambda data, names: f"Prefect did not answer ({data['why']}): its flow run could not be updated",
    "shortfall": lambda data, names: f"fell short: {data['reason']}",
    "watchdog": lambda data, names: f"the run had died; its watchdog {'; '.join(data['did']) or 'found nothing to do'}",
    "recovered": lambda data, names: "chaosday recover looked after it",
    "verdict": lambda data, names: f"concluded: {data['outcome']}",
}
