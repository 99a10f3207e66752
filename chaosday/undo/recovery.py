"""Ending what a dead run left: from its journal, from any process, on any machine that reaches the targets."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

from chaosday import registry
from chaosday.model.base import Model
from chaosday.model.fault import Fault
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import ProcessIdentity, Target
from chaosday.processes.process_table import is_running
from chaosday.record.journal import Journal, JournalReading, OpenFault, open_faults, read
from chaosday.undo.undoing import Attempt, undo


class Recovered(Model):
    """One thing that recovery did or could not do; ``ok`` is false where a person has to look."""

    run: str
    ok: bool
    words: str
    fault: str = ""
    target: str = ""
    lease_id: str = ""


def journals_under(runs_root: Path) -> list[Path]:
    """The journals of all run directories directly under ``runs_root``, oldest first."""
    return sorted(runs_root.glob("**/journal.jsonl"), key=lambda path: path.stat().st_mtime)


def recover(
    journals: Iterable[Path], targets: Mapping[str, Target] | None = None, *, end_marked: bool = True
) -> list[Recovered]:
    """End every open fault of every dead run, then every lease found on ``targets``; goes on past failures.

    Targets are rebuilt from the journal; give those in ``targets`` whose secrets it does not hold. A run
    whose process still lives on this machine is left alone, and so are its leases. With ``end_marked``
    processes of this machine that carry a dead run's mark are ended as well.
    """
    targets = targets or {}
    did: list[Recovered] = []
    living: set[str] = set()
    for path in journals:
        tried = Attempt(f"journal {path}")
        with tried:
            reading = read(path)
            if owner_lives(reading):
                living.add(reading.run)
                did.append(Recovered(run=reading.run, ok=True, words="still runs; it is left alone"))
            else:
                did += _recover_run(path, reading, targets, end_marked)
        if tried.error:
            did.append(Recovered(run="", ok=False, words=tried.error))
    handled = {entry.lease_id for entry in did if entry.lease_id}
    for name, target in targets.items():
        did += _recover_leases(name, target, living, handled)
    return did


def heal_open(open_fault: OpenFault, targets: Mapping[str, Target], journal: Journal | None, by: str) -> Recovered:
    """End one open fault of a journal and look; ``by`` says in the journal who did it."""
    tried, words, ok = Attempt("cannot be ended"), "", False
    with tried:
        fault = cast(Fault, registry.member("faults", open_fault.fault["kind"]).model_validate(open_fault.fault))
        target = targets.get(open_fault.target_name) or rebuilt_target(open_fault)
        seen = undo(fault, target, open_fault.plan, journal, by=by)
        words, ok = f"was {open_fault.stage}; healed: {seen.words}", seen.clean
        if open_fault.target_name not in targets:
            target.close()
    return Recovered(
        run=open_fault.run,
        ok=ok and not tried.error,
        words=tried.error or words,
        fault=str(open_fault.fault.get("kind", "")),
        target=open_fault.target_name,
        lease_id=open_fault.lease.id,
    )


def rebuilt_target(open_fault: OpenFault) -> Target:
    """The target from what the journal holds of it; it has no secrets."""
    kind = registry.member("targets", str(open_fault.target.get("kind", "")))
    return cast(Target, kind.model_validate(open_fault.target))


def owner_lives(reading: JournalReading) -> bool:
    """Whether the process that opened the journal still runs here; another machine's is not ours to see."""
    if not reading.records:
        return False
    opened = reading.records[0].data
    owner = ProcessIdentity(pid=int(opened.get("pid", 0)), started=str(opened.get("started", "")))
    return opened.get("host") == socket.gethostname() and is_running(owner)


def _recover_run(
    path: Path, reading: JournalReading, targets: Mapping[str, Target], end_marked: bool
) -> list[Recovered]:
    waiting = open_faults(reading)
    earlier = _watchdogs_work(reading, path)
    did = [earlier] if earlier else []
    if waiting:
        journal = Journal.resume(path)
        try:
            # Last in, first out, as the run itself would have done.
            ended = {fault.lease.id: heal_open(fault, targets, journal, "recover") for fault in reversed(waiting)}
            for fault in waiting:
                # On the same target as another one, it was looked at while that one was still on.
                if len(waiting) > 1 and not ended[fault.lease.id].ok:
                    ended[fault.lease.id] = heal_open(fault, targets, journal, "recover")
            did += ended.values()
        finally:
            journal.close()
    if end_marked and reading.run:
        from chaosday.undo.ending import end_processes

        did += [Recovered(run=reading.run, ok=True, words=words) for words in end_processes(reading.run, {})]
    if reading.torn:
        did.append(Recovered(run=reading.run, ok=True, words=f"journal: {reading.torn}"))
    return did


def _watchdogs_work(reading: JournalReading, path: Path) -> Recovered | None:
    """What the run's own watchdog did when it died, told once."""
    ended: list[str] = []
    for record in reading.records:
        if record.event == "watchdog":
            ended = [str(line) for line in record.data.get("did", [])]
        if record.event == "recovered":
            ended = []
    if not ended:
        return None
    journal = Journal.resume(path)
    try:
        journal.append("recovered")
    finally:
        journal.close()
    return Recovered(run=reading.run, ok=True, words=f"its watchdog had already {'; '.join(ended)}")


def _recover_leases(name: str, target: Target, living: set[str], handled: set[str]) -> list[Recovered]:
    """End the leases a target holds, whoever armed them, but those of living runs."""
    if LeaseHolder not in target.capabilities():
        return []
    did: list[Recovered] = []
    holder = target.capability(LeaseHolder)
    listing = Attempt(f"target {name}: its leases could not be listed")
    with listing:
        for lease in holder.leases():
            if lease.run in living or lease.id in handled:
                continue
            tried = Attempt("the lease could not be ended")
            with tried:
                holder.heal(lease.id)
            words = tried.error or f"a lease without a journal here was ended ({lease.detail or 'armed'})"
            did.append(
                Recovered(
                    run=lease.run, ok=not tried.error, words=words, fault=lease.fault, target=name, lease_id=lease.id
                )
            )
    if listing.error:
        did.append(Recovered(run="", ok=False, words=listing.error, target=name))
    return did


def words(did: Sequence[Recovered]) -> list[str]:
    """One line each for a person."""
    lines = []
    for entry in did:
        about = " ".join(part for part in (entry.run, entry.fault, entry.target and f"on {entry.target}") if part)
        lines.append(f"{'ok  ' if entry.ok else 'FAIL'} {about}: {entry.words}" if about else entry.words)
    return lines or ["nothing was left to recover"]
