"""Retention: the evidence of old passes goes, its summary stays, and what was proven is counted as before.

Of each experiment the newest runs are kept whole, and the newest pass of each month for a year; everything that is no
pass is kept, as are placebo runs that rang an alarm. Of a run that is cut four small documents stay: the summary that
is counted from then on, signed; the journal; the verdict; and the hashes, by which evidence that somebody kept
elsewhere can be told to be this run's. Copies, runs of others, runs that live and runs with an open fault are never
touched.

The summary is durable before anything goes, so that a run is whole or counted by its summary whenever this is cut
short, and the next time ends what was begun.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from chaosday.campaign.catalogue import Catalogue
from chaosday.campaign.reading import SUMMARY, read_entry, sealed_summary
from chaosday.campaign.summary import RunSummary
from chaosday.clock import Clock
from chaosday.errors import ChaosdayError, ForeignState, Refused
from chaosday.model.base import Model
from chaosday.record.journal import Journal, JournalReading, open_faults
from chaosday.record.owned import OTHERS_MAY_WRITE
from chaosday.record.owner import owner_lives
from chaosday.record.run_directory import FORMAT_FILE, PARTS, RunDirectory

KEEP = 10
MONTHS = 12
QUIET_S = 86_400
PRUNING = "pruning"
STAYS = frozenset({SUMMARY, "journal.jsonl", "verdict.json", "hashes.json", "leases", FORMAT_FILE})
_ALSO = frozenset({"report.html", "flow_run.json", *PARTS})
"""What a run has besides what it sealed."""
_FIRST, _LAST = "history", "report.html"
"""Without the one, and with the other, nobody takes the run for one that died before it was judged."""


class Cut(Model):
    """One run whose evidence goes, or why it does not after all."""

    run: str
    place: str
    title: str
    bytes: int
    done: bool = False
    why_not: str = ""


class Kept(Model):
    """How many runs stay whole, by reason."""

    runs: dict[str, int]


def to_prune(catalogue: Catalogue, clock: Clock, keep: int = KEEP, months: int = MONTHS) -> tuple[list[Cut], Kept]:
    """What would be cut, oldest first, and how many runs stay whole and why; reads, and touches nothing."""
    reasons: Counter[str] = Counter()
    cuts = []
    groups: dict[tuple[str, bool], list[RunSummary]] = {}
    for run in catalogue.runs:
        groups.setdefault((run.title, run.placebo), []).append(run)
    first_month = _months_ago(datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC), months)
    for group in groups.values():
        kept = _kept(group, keep, first_month)
        for run in group:
            place = Path(catalogue.places[run.id])
            if not run.pruned and (reason := kept.get(run.id)):
                reasons[reason] += 1
            elif size := _size(place):
                cuts.append(Cut(run=run.run, place=str(place), title=run.title, bytes=size))
            else:
                reasons["cut before"] += 1
    return sorted(cuts, key=lambda each: each.run), Kept(runs=dict(reasons))


def prune(catalogue: Catalogue, cuts: Sequence[Cut], clock: Clock) -> list[Cut]:
    """Cut them, each by itself; one that cannot be is told of and the others go on."""
    by_place = {catalogue.places[run.id]: run for run in catalogue.runs}
    return [_cut(each, by_place[each.place], clock.wall_ns()) for each in cuts]


def _kept(runs: Sequence[RunSummary], keep: int, first_month: str) -> dict[str, str]:
    """The reason to keep each run of one experiment that is kept, by its id; ``runs`` are oldest first."""
    kept: dict[str, str] = {}
    months: set[str] = set()
    passes = 0
    for place, run in enumerate(reversed(runs)):
        month = run.began[:7]
        newest_of_month = run.outcome == "pass" and month not in months
        passes += run.outcome == "pass"
        if run.outcome == "pass":
            months.add(month)
        if run.outcome != "pass":
            kept[run.id] = "no pass"
        elif place < keep:
            kept[run.id] = "one of the newest"
        elif passes == 1:
            kept[run.id] = "the newest pass"
        elif newest_of_month and month >= first_month:
            kept[run.id] = "one of its month"
    return kept


def _months_ago(now: datetime, months: int) -> str:
    count = now.year * 12 + now.month - 1 - months
    return f"{count // 12:04d}-{count % 12 + 1:02d}"


def _cut(cut: Cut, run: RunSummary, now_ns: int) -> Cut:
    place = Path(cut.place)
    try:
        folder = _opened(place)
    except ChaosdayError as error:
        return cut.model_copy(update={"why_not": str(error)})
    try:
        journal = Journal.resume(place / "journal.jsonl")
        try:
            reading = journal.reading()
            RunDirectory.open(place)  # one of a later chaosday is not ours to cut
            if why := _in_the_way(reading, run, now_ns) or _not_as_counted(place, run) or _strange(place):
                return cut.model_copy(update={"why_not": why})
            summary = sealed_summary(run.model_copy(update={"pruned": True}))
            if not run.pruned:
                journal.append(PRUNING, sha256=hashlib.sha256(summary).hexdigest(), bytes=cut.bytes)
                RunDirectory(place).write_bytes(SUMMARY, summary)
                os.fsync(folder)
        finally:
            journal.close()
        _remove(folder)
    except (ChaosdayError, OSError) as error:
        return cut.model_copy(update={"why_not": str(error)})
    finally:
        os.close(folder)
    return cut.model_copy(update={"done": True})


def _in_the_way(reading: JournalReading, run: RunSummary, now_ns: int) -> str:
    """Why the run has to stay as it is, asked of its journal at the last moment; empty where nothing does."""
    if not reading.authentic() or reading.records[0].hash != run.id:
        return "its journal is not the one that was read before, or was not signed with this worker's key"
    if open_faults(reading):
        return "it has an open fault; end it first: chaosday recover"
    # A process of another machine cannot be asked for; a run of a day's silence has ended there too.
    heard = max(record.wall_ns for record in reading.records if record.event != PRUNING)
    if owner_lives(reading) or (now_ns - heard) / 1e9 < QUIET_S:
        return "it still runs, or did until less than a day ago"
    return ""


def _not_as_counted(place: Path, run: RunSummary) -> str:
    """Why the evidence is no longer what was counted: the summary would stand for something that is not there."""
    entry = read_entry(place, "")
    if entry.summary != run:
        return entry.why or "it is not what was read before"
    altered = [] if run.pruned else RunDirectory(place).altered()
    return f"its evidence was altered since it was sealed: {', '.join(altered[:5])}" if altered else ""


def _strange(place: Path) -> str:
    """What lies in the folder and was not written by the run: somebody's notes are nobody's to take away."""
    sealed = RunDirectory(place).read_json("hashes.json") if (place / "hashes.json").exists() else {}
    known = {str(name).partition("/")[0] for name in sealed} | STAYS | _ALSO
    strange = [
        path.name
        for path in sorted(place.iterdir())
        if path.name not in known
        and not path.name.startswith("crash")
        and path.suffix != ".partial"
        and not (path.is_dir() and not path.is_symlink() and not any(path.iterdir()))
    ]
    return f"it holds what is not the run's: {', '.join(strange[:5])}; move that away" if strange else ""


def _opened(place: Path) -> int:
    """The run's folder by a descriptor, so that nothing put in its place meanwhile is emptied."""
    try:
        folder = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ForeignState(f"{place} is left alone: it is a link, or not ours ({error.strerror})") from None
    found = os.fstat(folder)
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & OTHERS_MAY_WRITE:
        os.close(folder)
        raise Refused(f"{place} is not ours alone; it is left alone")
    return folder


def _remove(folder: int) -> None:
    """Everything in the folder but what stays; links in it are taken away and not followed."""
    names = [name for name in os.listdir(folder) if name not in STAYS]
    for name in sorted(names, key=lambda each: (each != _FIRST, each == _LAST, each)):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            shutil.rmtree(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def _size(place: Path) -> int:
    """Bytes on disk of what would go."""
    return sum(_bytes(path) for path in _going(place))


def _going(place: Path) -> Iterable[Path]:
    try:
        for path in place.iterdir():
            if path.name not in STAYS:
                yield from [path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())]
    except OSError:
        return


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_blocks * 512
    except OSError:
        return 0
