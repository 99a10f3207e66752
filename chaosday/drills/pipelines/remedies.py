"""What helps against a cause that is known: a sentence, and the page that shows it as code that can be run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chaosday.drills.pipelines.attempts import CUT, END, KILL, LATE, NEVER_RECOVERS, WELL, ZOMBIE, Attempt
from chaosday.drills.pipelines.differences import CHANGED, DUPLICATED, LOST, ORPHAN

_KEYED = ("duplicate key", "unique constraint", "violates unique")


@dataclass(frozen=True)
class Remedy:
    """``page`` is a file of docs/pipelines."""

    words: str
    page: str

    def to_dict(self) -> dict[str, str]:
        return {"words": self.words, "page": self.page}


UNIQUE_KEY = Remedy("a key of the row's own, and 'on conflict' where it is written", "unique-key.md")
LEDGER = Remedy("a row in a ledger of loads, in the transaction that loads, asked for first", "ledger.md")
LOCK = Remedy("an advisory lock, or the ledger's key, taken first in the transaction that loads", "lock.md")
RETRY = Remedy("a key that all tries of one load share, so that the second one finds the first", "retry.md")
NAMES = Remedy("names that are the same in each run, and what has one of them dropped first", "names.md")
BOOKMARK = Remedy(
    "the bookmark in the database, in the transaction that loads; or a new file that is renamed over the old one",
    "bookmark.md",
)
SWAP = Remedy("one transaction from the old output to the new one", "swap.md")
REMEDIES = (UNIQUE_KEY, LEDGER, LOCK, RETRY, NAMES, BOOKMARK, SWAP)


def remedy_of(attempts: Sequence[Attempt], all_of_them: Sequence[Attempt], *, files: bool) -> Remedy | None:
    """What helps against one cause, its ``attempts``, among all that went wrong; None where nobody knows.

    ``files`` is whether the pipeline keeps any of its own between runs.
    """
    first, kinds = attempts[0], {each.kind for each in attempts[0].differences}
    rules: list[tuple[Callable[[], bool], Remedy]] = [
        (lambda: NEVER_RECOVERS in kinds and any(word in first.output.lower() for word in _KEYED), UNIQUE_KEY),
        (lambda: ORPHAN in kinds and (NEVER_RECOVERS in kinds or not kinds & {LOST, DUPLICATED, CHANGED}), NAMES),
        (lambda: files and bool(kinds & {LOST, NEVER_RECOVERS}), BOOKMARK),
        (lambda: first.way in (LATE, ZOMBIE) and not _killed_too(first, all_of_them), LOCK),
        (lambda: first.way == CUT and first.ended == WELL and not _killed_too(first, all_of_them), RETRY),
        (lambda: LOST in kinds or CHANGED in kinds, LEDGER),
        (lambda: DUPLICATED in kinds, LEDGER if _at_the_end_alone(all_of_them) else UNIQUE_KEY),
    ]
    return next((remedy for holds, remedy in rules if holds()), None)


def _killed_too(attempt: Attempt, all_of_them: Sequence[Attempt]) -> bool:
    """Whether a kill does the same damage: then it is not what runs beside it that matters."""
    return any(each.way in (KILL, END) and each.classes == attempt.classes for each in all_of_them)


def _at_the_end_alone(attempts: Sequence[Attempt]) -> bool:
    """Whether only a load that was done is loaded twice."""
    states = {each.state for each in attempts if each.way in (KILL, END)}
    return len(states) == 1 and any(each.way == END for each in attempts)
