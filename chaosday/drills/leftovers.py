"""What runs that died left: the tables, keys and objects of their workloads, and copies; taken away once judged."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from chaosday import registry
from chaosday.clock import Clock, SystemClock
from chaosday.errors import EvidenceMissing, TargetUnreachable
from chaosday.model.target import Target
from chaosday.model.workload import Workload
from chaosday.record.journal import Journal, JournalReading, Record
from chaosday.record.owner import owner_lives
from chaosday.record.run_directory import RunDirectory
from chaosday.servers import shared_memory
from chaosday.undo.recovery import Recovered, each_read, whose
from chaosday.undo.undoing import Attempt

REMOVED, LEFT = "cleaned_up", "left_behind"
NOT_LOOKED_FOR = "what {run} left could not be looked for"
COPY = "copy"
"""A run journals it before it makes a folder for a copy of somebody's data."""


def remove_leftovers(
    journals: Iterable[Path], targets: Mapping[str, Target] | None = None, clock: Clock | None = None
) -> list[Recovered]:
    """Take away what dead runs and their workloads made, past what cannot be reached; each with its age and owner.

    After a violation everything stays where it is: the damage is in there. ``targets`` are those whose secrets a plan
    does not hold, by the names that the runs gave them. What a run has taken away by itself is not looked for.
    """
    did: list[Recovered] = []
    for path in journals:
        directory = RunDirectory(path.parent)
        tried = Attempt(NOT_LOOKED_FOR.format(run=directory.run))
        with tried:
            journal = Journal.resume(path)
            try:
                if _is_due(directory, journal.reading()):
                    did += _removed(directory, journal, targets or {}, clock or SystemClock())
            finally:
                journal.close()
        if tried.error:
            did.append(Recovered(run=directory.run, ok=False, words=tried.error))
    return did


def leftovers(journals: Iterable[Path]) -> list[Recovered]:
    """What ``remove_leftovers`` takes away now or once the run is judged, with age and owner; takes nothing."""
    return each_read(journals, _left_by, NOT_LOOKED_FOR)


def _left_by(run: str, reading: JournalReading) -> list[Recovered]:
    if not reading.records or not reading.authentic() or owner_lives(reading) or not _stays(reading):
        return []
    return [Recovered(run=run, ok=True, words=words, target=name) for name, words in _made(reading)]


def _stays(reading: JournalReading) -> bool:
    """Whether the run did not come to taking away what it made, or something stayed when it did."""
    ends = [record for record in reading.records if record.event in ("verdict", REMOVED, LEFT)]
    if not ends or ends[-1].event != "verdict":
        return not ends or ends[-1].event == LEFT
    # One that found damage leaves it there, and says so itself; that of a dead run is nobody's yet.
    return ends[-1].data.get("by") == "recover" or ends[-1].data["outcome"] != "violated"


def _made(reading: JournalReading) -> list[tuple[str, str]]:
    made = []
    for record in reading.records:
        if record.event == COPY and Path(record.data["folder"]).is_dir():
            made.append(("", f"the copy in {record.data['folder']} ({whose(reading)})"))
        if record.event == "prepare":
            workload = _workload(record)
            made.append((workload.target, _what(workload, whose(reading))))
    return made


def _workload(record: Record) -> Workload:
    """The workload that was about to make something, by what the journal says of it."""
    data = record.data["workload"]
    return cast(Workload, registry.member("workloads", data["kind"]).model_validate(data))


def _what(workload: Workload, owner: str) -> str:
    return f"what the {workload.kind} workload made ({workload.scope}; {owner})"


def _is_due(directory: RunDirectory, reading: JournalReading) -> bool:
    """Whether a dead run of ours is judged and has made something that it did not take away; violated ones keep all.

    It may have been killed between its verdict and that.
    """
    if not reading.records or not reading.authentic() or owner_lives(reading):
        return False
    verdicts = [record for record in reading.records if record.event == "verdict"]
    if not verdicts or verdicts[-1].data["outcome"] == "violated":
        return False
    after = [record.event for record in reading.records if record.event in (REMOVED, LEFT)]
    return after[-1] == LEFT if after else bool(_made(reading))


def _removed(directory: RunDirectory, journal: Journal, targets: Mapping[str, Target], clock: Clock) -> list[Recovered]:
    reading = journal.reading()
    meant = next((each.data for each in reading.records if each.event == "preflight"), {}).get("experiment", {})
    owner = whose(reading, clock.wall_ns())
    did = []
    for record in reading.records:
        if record.event == COPY:
            did += _copy(directory, Path(record.data["folder"]), owner)
        if record.event != "prepare":
            continue
        workload = _workload(record)
        target = targets.get(workload.target) or _rebuilt(meant, workload.target)
        did.append(_one(directory, workload, target, owner))
    if all(each.ok and each.words.startswith("removed") for each in did):
        journal.append(REMOVED, by="recover")
    else:
        journal.append(LEFT, reason="; ".join(each.words for each in did), by="recover")
    return did


def _one(directory: RunDirectory, workload: Workload, target: Target, owner: str) -> Recovered:
    what = _what(workload, owner)
    words = f"removed {what}"
    tried = Attempt(f"still there, and looked for again with --targets FILE: {what}")
    with tried:
        try:
            workload.clean_up(target)
        except TargetUnreachable as error:
            # A laboratory's server dies with its run, and its tables with it; another one may come back.
            words = f"not reached, and looked for again next time: {what}: {error}"
        finally:
            target.close()
    return Recovered(run=directory.run, ok=not tried.error, words=tried.error or words, target=workload.target)


def _copy(directory: RunDirectory, folder: Path, owner: str) -> list[Recovered]:
    """The folder of a copy, whose server has ended with the run, and what that left in shared memory."""
    if not folder.is_dir():
        return []
    what = f"the copy in {folder} ({owner})"
    tried = Attempt(f"still there, and looked for again next time: {what}")
    with tried:
        for data, _, files in os.walk(folder):
            if "PG_VERSION" in files:
                shared_memory.release(Path(data))
        while folder.exists():
            # The janitor of the run may be taking it away too: what goes before our eyes is no failure.
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)
    return [Recovered(run=directory.run, ok=not tried.error, words=tried.error or f"removed {what}")]


def _rebuilt(meant: Mapping[str, Any], name: str) -> Target:
    """The target as the journal has it, which is signed; it has no secrets, and leads through no route: that has ended
    with the run."""
    known = meant.get("targets", {}).get(name)
    if known is None:
        raise EvidenceMissing(f"its journal does not say what {name} is")
    return cast(Target, registry.member("targets", str(known.get("kind", ""))).model_validate(known))
