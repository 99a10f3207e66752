"""Evidence known to be sound, rebuilt from what the store acknowledged.

A check that raises an alarm on such evidence is not seeing damage; that is how "always invalid" is
told from "damaged". Each kind of evidence has one builder; what no builder knows cannot be judged.
"""

from __future__ import annotations

from collections.abc import Iterable

from chaosday import ledger
from chaosday.evidence import Evidence


def sound_copy(evidence: Evidence, pieces: Iterable[str]) -> tuple[Evidence, list[str]]:
    """A copy in which each of ``pieces`` (``history``, ``rows/NAME``, ``observations/NAME``) is sound,
    and the names of those for which no sound copy can be made.

    The history itself is taken at its word: it is what everything else is rebuilt from.
    """
    unknown = []
    copy = evidence
    for piece in sorted(pieces):
        family, _, name = piece.partition("/")
        if family == "rows" and ledger.is_ledger(evidence.rows(name)):
            copy = copy.replaced(rows={name: ledger.sound_rows(evidence.history())})
        elif piece != "history":
            unknown.append(piece)
    return copy, unknown
