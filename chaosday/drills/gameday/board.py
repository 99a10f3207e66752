"""The board: what teams claim and observers write, each with its time stamp, in one file that everybody may append to.

It is a journal (appended under a lock, on disk before the command returns, hash-chained), apart from the run's own,
which tells what the flags are and is readable only by the account of the game.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from chaosday.clock import Clock, SystemClock, iso
from chaosday.errors import EvidenceMissing, Refused, UsageError
from chaosday.model.base import Model
from chaosday.record.journal import Journal, Record, read
from chaosday.record.run_directory import runs_root

NAME = "board.jsonl"
OVER = "over"
Stage = Literal["detect", "localise", "mitigate"]
STAGES: tuple[Stage, ...] = ("detect", "localise", "mitigate")


class Claim(Model):
    """What a team says it has achieved, and when it was written, on the wall clock: teams may sit elsewhere."""

    seq: int = 0
    team: str = ""
    stage: Stage = "detect"
    where: str = ""
    """The place it names; needed to localise."""
    words: str = ""
    at_ns: int = 0


class Note(Model):
    """What an observer saw, and when it was written."""

    by: str = ""
    words: str = ""
    at_ns: int = 0

    @property
    def at(self) -> str:
        """RFC 3339, UTC."""
        return iso(self.at_ns)


class ActionItem(Model):
    """Something to be done, by somebody."""

    owner: str = ""
    what: str = ""
    due: str = ""
    """A day, in words or as YYYY-MM-DD."""


class Board:
    """The board of one game day."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path, self._clock = path, clock or SystemClock()

    @classmethod
    def create(cls, path: Path, run: str, clock: Clock) -> Board:
        """Start it; the group of the folder may append, so that a team can play under accounts of its own."""
        Journal.create(path, run, clock=clock).close()
        path.chmod(0o660)
        # Into the run's folder for what they know by name: nothing else in it is open to them.
        path.parent.chmod(0o710)
        return cls(path, clock)

    @classmethod
    def of(cls, run: Path | None, clock: Clock | None = None) -> Board:
        """The board of a run directory; without one that of the newest game day under ``runs_root()``."""
        if run is None:
            found = sorted(runs_root().glob(f"*/{NAME}"), key=lambda path: path.stat().st_mtime)
            if not found:
                raise EvidenceMissing(f"no game day below {runs_root()}; name its run directory")
            return cls(found[-1], clock)
        if not (run / NAME).is_file():
            raise EvidenceMissing(f"{run} is not the run directory of a game day: it has no {NAME}")
        return cls(run / NAME, clock)

    def claim(self, claim: Claim) -> Claim:
        """Put a claim up; its time is when it is on disk."""
        if not claim.team.strip():
            raise UsageError("say which team claims it")
        if claim.stage == "localise" and not claim.where.strip():
            raise UsageError("to localise is to name the place: say where")
        with self._journal() as journal:
            if self.over():
                raise Refused("the game day is over: the flags are revealed, and claims count no more")
            said = claim.model_dump(mode="json", include={"team", "stage", "where", "words"})
            return _claim(journal.append("claim", **said))

    def note(self, by: str, words: str) -> None:
        """Keep what an observer saw."""
        if not words.strip():
            raise UsageError("a note has words")
        with self._journal() as journal:
            journal.append("note", by=by.strip() or "somebody", words=words.strip())

    def act(self, item: ActionItem) -> None:
        """Keep an action item; one without an owner is a wish, and refused."""
        if not item.owner.strip() or not item.what.strip():
            raise UsageError("an action item has an owner and something to do; without an owner nobody does it")
        with self._journal() as journal:
            journal.append("action", **item.model_dump(mode="json"))

    def say(self, event: str, **data: object) -> None:
        """What the game itself puts up: phases, answers to claims. Never anything that tells what a flag is."""
        with self._journal() as journal:
            journal.append(event, **data)

    def records(self) -> list[Record]:
        """Everything on it."""
        return read(self.path).records

    def over(self) -> bool:
        """Whether the flags have been revealed."""
        return any(record.event == OVER for record in self.records())

    def claims(self) -> list[Claim]:
        """In the order of writing."""
        return [_claim(record) for record in self.records() if record.event == "claim"]

    def notes(self) -> list[Note]:
        """In the order of writing."""
        return [
            Note(by=str(r.data["by"]), words=str(r.data["words"]), at_ns=r.wall_ns)
            for r in self.records()
            if r.event == "note"
        ]

    def actions(self) -> list[ActionItem]:
        """In the order of writing."""
        return [ActionItem.model_validate(r.data) for r in self.records() if r.event == "action"]

    @contextmanager
    def _journal(self) -> Iterator[Journal]:
        try:
            journal = Journal.resume(self.path, clock=self._clock, shared=True)
        except PermissionError:
            raise Refused(f"you may not write to {self.path}; ask to be put in its group") from None
        try:
            yield journal
        finally:
            journal.close()


def action_in(text: str) -> ActionItem:
    """``OWNER: WHAT``, with `` by DAY`` at the end where there is one."""
    owner, colon, rest = text.partition(":")
    if not colon:
        raise UsageError(f"an action item reads 'OWNER: WHAT by DAY'; {text.strip()[:60]!r} names no owner")
    what, _, due = rest.rpartition(" by ")
    return ActionItem(owner=owner.strip(), what=(what or due).strip(), due=due.strip() if what else "")


def _claim(record: Record) -> Claim:
    return Claim.model_validate({**record.data, "seq": record.seq, "at_ns": record.wall_ns})
