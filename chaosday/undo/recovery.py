"""Ending what a dead run left: from its journal, from any process, on any machine that reaches the targets.

A journal tells us what to run, with our rights, so that only our own are believed: ``ROOT/RUN/journal.jsonl``, files
that nobody else may write, each record signed with the worker's key (``record.key``). Anything else is listed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast

import orjson

from chaosday import registry
from chaosday.errors import ForeignState, UsageError
from chaosday.model.base import Model
from chaosday.model.fault import Fault
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.record.journal import Journal, JournalReading, OpenFault, open_faults, read
from chaosday.record.owner import made_here, owner_lives
from chaosday.undo.ending import end_processes, marked
from chaosday.undo.undoing import Attempt, undo


class Recovered(Model):
    """One thing that recovery did or could not do; ``ok`` is false where a person has to look."""

    run: str
    ok: bool
    words: str
    fault: str = ""
    target: str = ""
    lease_id: str = ""
    refused: bool = False
    """Whether the target did not let us in: asking again is one more login that fails."""


def journals_under(runs_root: Path) -> list[Path]:
    """The journals of all run directories directly under ``runs_root``, oldest first; what lies deeper is data.

    ``UsageError`` where there is no such folder: nothing would have been looked at.
    """
    if not runs_root.is_dir():
        raise UsageError(f"there is no folder {runs_root}: say where runs lie, or nothing would be looked at")
    found = [path for path in runs_root.glob("*/journal.jsonl") if path.is_symlink() or path.exists()]
    return sorted(found, key=lambda path: path.lstat().st_mtime)


def recover(
    journals: Iterable[Path],
    targets: Mapping[str, Target] | None = None,
    *,
    end_marked: bool = True,
    trust_unsigned: Collection[str] = (),
) -> list[Recovered]:
    """End every open fault of every dead run, then every lease found on ``targets``; goes on past failures.

    Targets are rebuilt from the journal; give those in ``targets`` whose secrets it does not hold. A run
    whose process still lives on this machine is left alone, and so are its leases. With ``end_marked``
    processes of this machine that carry a dead run's mark are ended as well. A journal that this worker
    did not sign is listed and nothing of it done, unless its run is in ``trust_unsigned``.
    """
    targets = targets or {}
    did: list[Recovered] = []
    living: set[str] = set()
    for path in journals:
        tried = Attempt(f"journal {path}")
        with tried:
            did += _recover_journal(path, targets, living, end_marked=end_marked, trust_unsigned=trust_unsigned)
        if tried.error:
            did.append(Recovered(run="", ok=False, words=tried.error))
    handled = {entry.lease_id for entry in did if entry.lease_id}
    for name, target in targets.items():
        did += _recover_leases(name, target, living, handled)
    return did


def would_run(journals: Iterable[Path], runs: Collection[str]) -> list[str]:
    """What recovery would do with our rights if it believed the journals of these runs: a text for a person."""
    said = []
    for path in journals:
        if path.parent.absolute().name not in runs:
            continue
        journal = Journal.resume(path)
        try:
            for each in reversed(open_faults(journal.reading())):
                undo = each.lease.undo
                said.append(
                    f"{each.run}: {each.fault['kind']} on {each.target_name} {orjson.dumps(each.target).decode()}"
                )
                said += [f"    {line}" for line in undo.script.splitlines()]
                said += [f"    {name}: {value}" for name, value in undo.data.items()]
        finally:
            journal.close()
    return said


def each_read(
    journals: Iterable[Path], look: Callable[[str, JournalReading], list[Recovered]], failed: str
) -> list[Recovered]:
    """What ``look`` finds in each journal, given its run and what it says; touches nothing, and goes on past failures.

    ``failed`` says what could not be done, with ``{run}`` and ``{path}`` in it.
    """
    found: list[Recovered] = []
    for path in journals:
        run = path.parent.absolute().name
        tried = Attempt(failed.format(run=run, path=path))
        with tried:
            found += look(run, read(path))
        if tried.error:
            found.append(Recovered(run=run, ok=False, words=tried.error))
    return found


def open_in(journals: Iterable[Path]) -> list[Recovered]:
    """What ``recover`` would find to end, and ends nothing: open faults and marked processes, with age and owner."""
    return each_read(journals, _open_in, "journal {path}")


def _open_in(run: str, reading: JournalReading) -> list[Recovered]:
    if not reading.records:
        return []
    if owner_lives(reading):
        return [Recovered(run=run, ok=True, words=f"still runs, {whose(reading)}")]
    if not reading.authentic():
        return _unsigned(run, reading)
    found = []
    for each in open_faults(reading):
        words, kind = f"open since it was {each.stage}; {whose(reading)}", str(each.fault.get("kind", ""))
        lease_id = each.lease.id
        found.append(Recovered(run=run, ok=True, words=words, fault=kind, target=each.target_name, lease_id=lease_id))
    for process in marked(reading.run) if made_here(reading) else ():
        said = f"process {process.pid} ({process.command[:60]}); {whose(reading)}"
        found.append(Recovered(run=run, ok=True, words=said))
    return found


def whose(reading: JournalReading, now_ns: int | None = None) -> str:
    """How old a run is, and which process on which machine it was."""
    opened = reading.records[0]
    seconds = ((time.time_ns() if now_ns is None else now_ns) - opened.wall_ns) / 1e9
    spans = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    span_s, unit = next((each for each in spans if seconds >= each[0]), (1, "s"))
    return f"{seconds / span_s:.0f} {unit} old, of process {opened.data.get('pid')} on {opened.data.get('host')}"


def heal_open(open_fault: OpenFault, targets: Mapping[str, Target], journal: Journal | None, by: str) -> Recovered:
    """End one open fault of a journal and look; ``by`` says in the journal who did it."""
    tried, words, ok, refused = Attempt("cannot be ended"), "", False, False
    with tried:
        fault = cast(Fault, registry.member("faults", open_fault.fault["kind"]).model_validate(open_fault.fault))
        target = targets.get(open_fault.target_name) or rebuilt_target(open_fault)
        seen = undo(fault, target, open_fault.plan, journal, by=by)
        words, ok, refused = f"was {open_fault.stage}; healed: {seen.words}", seen.clean, seen.refused
        if open_fault.target_name not in targets:
            target.close()
    return Recovered(
        run=open_fault.run,
        ok=ok and not tried.error,
        words=tried.error or words,
        fault=str(open_fault.fault.get("kind", "")),
        target=open_fault.target_name,
        lease_id=open_fault.lease.id,
        refused=refused or tried.refused,
    )


def rebuilt_target(open_fault: OpenFault) -> Target:
    """The target from what the journal holds of it; it has no secrets."""
    kind = registry.member("targets", str(open_fault.target.get("kind", "")))
    return cast(Target, kind.model_validate(open_fault.target))


def _unsigned(run: str, reading: JournalReading) -> list[Recovered]:
    """A journal that is not believed is worth a word where it holds something open."""
    waiting = open_faults(reading)
    if not waiting:
        return []
    words = f"its journal was not signed by this worker: nothing was done about its {len(waiting)} open faults"
    words += f"; to see what would be: chaosday recover --trust-unsigned {run}"
    return [Recovered(run=run, ok=False, words=words)]


def _recover_journal(
    path: Path, targets: Mapping[str, Target], living: set[str], *, end_marked: bool, trust_unsigned: Collection[str]
) -> list[Recovered]:
    """Act on one journal, or say why not; a run that still lives is added to ``living``."""
    run = path.parent.absolute().name
    try:
        journal = Journal.resume(path)
    except ForeignState as error:
        return [Recovered(run=run, ok=True, words=str(error))]
    try:
        reading = journal.reading()
        ours = reading.authentic() or not reading.records
        if not ours and run not in trust_unsigned:
            return _unsigned(run, reading)
        if owner_lives(reading):
            living.add(reading.run)
            return [Recovered(run=reading.run, ok=True, words="still runs; it is left alone")]
        return _recover_run(journal, reading, targets, end_marked and ours)
    finally:
        journal.close()


def _recover_run(
    journal: Journal, reading: JournalReading, targets: Mapping[str, Target], end_marked: bool
) -> list[Recovered]:
    waiting = open_faults(reading)
    earlier = _watchdogs_work(reading, journal)
    did = [earlier] if earlier else []
    # Last in, first out, as the run itself would have done.
    ended = {fault.lease.id: heal_open(fault, targets, journal, "recover") for fault in reversed(waiting)}
    for fault in waiting:
        # On the same target as another one, it was looked at while that one was still on.
        if len(waiting) > 1 and not ended[fault.lease.id].ok:
            ended[fault.lease.id] = heal_open(fault, targets, journal, "recover")
    did += ended.values()
    if end_marked and made_here(reading):
        did += [Recovered(run=reading.run, ok=True, words=words) for words in end_processes(reading.run, {})]
    if journal.torn:
        did.append(Recovered(run=reading.run, ok=True, words=f"journal: {journal.torn}"))
    return did


def _watchdogs_work(reading: JournalReading, journal: Journal) -> Recovered | None:
    """What the run's own watchdog did when it died, told once."""
    ended: list[str] = []
    for record in reading.records:
        if record.event == "watchdog":
            ended = [str(line) for line in record.data.get("did", [])]
        if record.event == "recovered":
            ended = []
    if not ended:
        return None
    journal.append("recovered")
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
