"""The book of practice: what people did that no run shows, each line by whom, about which system, and when.

It is a journal beside the runs (appended under a lock, on disk before the command returns, hash-chained): who was paged
and who acknowledged, drills at a table, access that somebody tried for themselves, things to be done, and ideas.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from chaosday.clock import Clock, SystemClock
from chaosday.errors import EvidenceMissing, UsageError
from chaosday.model.base import Model
from chaosday.record.journal import Journal, Record, parse
from chaosday.record.owned import read_owned

NAME = "practice.jsonl"
Event = Literal["paged", "acknowledged", "tabletop", "access", "action", "done", "idea", "judged"]
STEPS = ("log in", "read the runbook", "promote", "restore")
"""What somebody on call has to be able to do, and tries for themselves."""
Status = Literal["idea", "drafted", "run", "proven", "never"]


class Entry(Model):
    """One line. ``of`` is the number of the line that it is about: what is done, or which idea was judged."""

    seq: int = 0
    at_ns: int = 0
    event: Event = "idea"
    person: str = ""
    system: str = ""
    words: str = ""
    due: date | None = None
    of: int | None = None
    steps: dict[str, bool] = {}
    """Of access: what was tried, and whether it went."""
    notices: str = ""
    """Of an idea: who would notice."""
    status: Status = "idea"
    experiment: str = ""
    """By its title: of an idea the one that was drafted, of an action the one that found it, to be run again."""

    @property
    def moment(self) -> datetime:
        """When it was written."""
        return datetime.fromtimestamp(self.at_ns / 1e9, UTC)


class Acknowledged(Model):
    """A page and what became of it; ``after_s`` is None while nobody has answered."""

    system: str
    paged: str
    by: str = ""
    at: str
    after_s: float | None = None


class Idea(Model):
    """A hypothesis of somebody's, and how far it has come."""

    seq: int
    by: str
    words: str
    notices: str
    status: Status
    experiment: str = ""


class Action(Model):
    """Something to be done, by whom and until when."""

    seq: int
    owner: str
    what: str
    due: date
    state: Literal["open", "overdue", "done"]
    experiment: str = ""


class PracticeBook:
    """The book of one folder of runs."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self.path, self._clock = folder / NAME, clock or SystemClock()

    def entries(self) -> list[Entry]:
        """In the order of writing; empty where nothing was written yet."""
        try:
            reading = parse(read_owned(self.path), name=str(self.path))
        except EvidenceMissing:
            return []
        return [_entry(record) for record in reading.records if record.event != "opened"]

    def write(self, entry: Entry) -> Entry:
        """Keep a line; ``UsageError`` for one that would be worth nothing."""
        _complete(entry, self.entries())
        with contextlib.suppress(FileExistsError):
            Journal.create(self.path, "practice", clock=self._clock).close()
        journal = Journal.resume(self.path, clock=self._clock)
        try:
            said = entry.model_dump(mode="json", exclude={"seq", "at_ns", "event"}, exclude_defaults=True)
            return _entry(journal.append(entry.event, **said))
        finally:
            journal.close()


def pages(entries: Sequence[Entry]) -> list[Acknowledged]:
    """Each page with the first acknowledgement of its system after it; one answers every page that waits."""
    found: list[Acknowledged] = []
    for entry in entries:
        if entry.event == "paged":
            found.append(Acknowledged(system=entry.system, paged=entry.person, at=entry.moment.isoformat()))
        elif entry.event == "acknowledged":
            for place, page in enumerate(found):
                if page.after_s is None and page.system == entry.system:
                    after = (entry.moment - datetime.fromisoformat(page.at)).total_seconds()
                    found[place] = page.model_copy(update={"by": entry.person, "after_s": round(after, 3)})
    return found


def actions(entries: Sequence[Entry], today: date) -> list[Action]:
    """Every action, those that are open first, by their date."""
    done = {entry.of for entry in entries if entry.event == "done"}
    found = [
        Action(
            seq=each.seq, owner=each.person, what=each.words, due=each.due, experiment=each.experiment,
            state="done" if each.seq in done else "overdue" if each.due < today else "open",
        )
        for each in entries
        if each.event == "action" and each.due is not None
    ]  # fmt: skip
    return sorted(found, key=lambda each: (each.state == "done", each.due))


def ideas(entries: Sequence[Entry], run: Collection[str], proven: Collection[str]) -> list[Idea]:
    """Every idea; of one that was drafted the runs of its experiment (titles) say how far it has come."""
    judged = {entry.of: entry for entry in entries if entry.event == "judged"}
    found = []
    for each in entries:
        if each.event == "idea":
            last = judged.get(each.seq, each)
            status = last.status
            if status == "drafted" and last.experiment in run:
                status = "proven" if last.experiment in proven else "run"
            found.append(
                Idea(seq=each.seq, by=each.person, words=each.words, notices=each.notices, status=status,
                     experiment=last.experiment)
            )  # fmt: skip
    return found


def _complete(entry: Entry, before: Sequence[Entry]) -> None:
    if not entry.person.strip():
        raise UsageError("say who: a line of the book is somebody's")
    if entry.event in ("paged", "acknowledged", "tabletop", "access") and not entry.system.strip():
        raise UsageError("say which system it is about")
    if entry.event in ("tabletop", "action", "idea") and not entry.words.strip():
        raise UsageError("say what, in words")
    if entry.event == "action" and entry.due is None:
        raise UsageError("an action has a date; without one it is a wish")
    wanted = {"done": "action", "judged": "idea"}.get(entry.event)
    if wanted and not any(each.seq == entry.of and each.event == wanted for each in before):
        raise UsageError(f"the book has no {wanted} with the number {entry.of}; chaosday practice show lists them")
    if entry.event == "judged" and entry.status == "drafted" and not entry.experiment.strip():
        raise UsageError("name the experiment that was drafted, by its title")
    waits = [page for page in pages(before) if page.system == entry.system and page.after_s is None]
    if entry.event == "acknowledged" and not waits:
        raise UsageError(f"nobody was paged about {entry.system}, or it was acknowledged before")


def _entry(record: Record) -> Entry:
    return Entry.model_validate({**record.data, "event": record.event, "seq": record.seq, "at_ns": record.wall_ns})
