"""Evidence known to be sound, rebuilt from what the store acknowledged.

A check that raises an alarm on such evidence is not seeing damage; that is how "always invalid" is
told from "damaged". Each kind of evidence has one builder; what no builder knows cannot be judged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from chaosday.clients import bank, ledger
from chaosday.model.evidence import Evidence


def sound_copy(evidence: Evidence, pieces: Collection[str]) -> tuple[Evidence, list[str]]:
    """A copy in which each of ``pieces`` (``history``, ``rows/NAME``, ``observations/NAME``) is sound,
    and the names of those for which no sound copy can be made.

    The history is what everything else is rebuilt from and is taken at its word, except for what a
    bank's reads showed, which is rebuilt too.
    """
    unknown = []
    copy = evidence
    # A store of which a replica was read as well is what that replica is compared with.
    stores = {f"rows/{_store_of(piece[5:])}" for piece in pieces if piece.startswith("rows/") and "." in piece}
    facts = bank.Facts.of(evidence.observation("bank")) if evidence.has("observations/bank") else None
    for piece in sorted(pieces):
        family, _, name = piece.partition("/")
        table = evidence.rows(name) if family == "rows" else None
        if piece == "history":
            if facts is not None:
                copy = copy.replaced(history=bank.sound_history(evidence.history(), facts))
        elif table is not None and ledger.is_ledger(table):
            copy = copy.replaced(rows={name: ledger.sound_rows(evidence.history())})
        elif table is not None and facts is not None and bank.is_bank(table):
            copy = copy.replaced(rows={name: bank.sound_rows(evidence.history(), facts)})
        elif table is not None and _store_of(name) in evidence.row_names():
            copy = copy.replaced(rows={name: evidence.rows(_store_of(name))})
        elif family == "observations" and (clean := _clean_report(evidence.observation(name))) is not None:
            copy = copy.replaced(observations={name: clean})
        elif piece != "observations/bank" and piece not in stores:
            unknown.append(piece)
    return copy, unknown


def _clean_report(said: Any) -> dict[str, Any] | None:
    """What a saved report would be where nothing is wrong, None for one of a kind that is not known."""
    if not isinstance(said, dict):
        return None
    if said.get("tool") in ("pg_amcheck", "pg_checksums", "pg_verifybackup"):
        return said | {"exit_code": 0, "lines": [], "bad": 0}
    made = next((make for fields, make in REPORTS.items() if said.keys() >= set(fields)), None)
    return made(said) if made is not None else None


def _exactly_once(said: dict[str, Any]) -> dict[str, Any]:
    """A pipeline drill that hit every point, left nothing out, and found nothing."""
    return said | {
        "attempts": [attempt | {"hit": True, "differences": []} for attempt in said["attempts"]],
        "planted": [planted | {"told": True} for planted in said["planted"]],
        "audit": said["audit"] | {"disagreeing": []},
        "coverage": said["coverage"] | {"not_covered": {}},
        "causes": [],
        "doubts": [],
    }


def _restored(said: dict[str, Any]) -> dict[str, Any]:
    """A restore that took no time and lacks nothing."""
    return said | {"rpo_s": 0.0, "rto_s": 0.0}


def _detected(said: dict[str, Any]) -> dict[str, Any]:
    """A detection drill in which everybody noticed everything."""
    return said | {"damage": [_noticed(each) for each in said["damage"]], "ringing": []}


def _failed_over(said: dict[str, Any]) -> dict[str, Any]:
    """A failover drill that moved, at once, and in which no two sides took writes together."""
    return said | {"split": [], "splits": 0, "refused_s": {}, "stations": [_moved(each) for each in said["stations"]]}


def _moved(station: dict[str, Any]) -> dict[str, Any]:
    """A station at which the side that was to take writes did, and no other."""
    return station | {"open": [station.get("meant") or "another"], "silent": []}


def _noticed(damage: dict[str, Any]) -> dict[str, Any]:
    """A kind of damage that bit, and that every monitor noticed."""
    notices = [notice | {"after_s": 0.0, "silent": 0, "readings": 1} for notice in damage["notices"]]
    return damage | {"bit": True, "notices": notices}


def _store_of(name: str) -> str:
    return name.rpartition(".")[0]


REPORTS: dict[tuple[str, ...], Callable[[dict[str, Any]], dict[str, Any]]] = {
    ("rpo_s", "rto_s"): _restored,
    ("damage", "ringing"): _detected,
    ("stations", "split"): _failed_over,
    ("attempts", "planted"): _exactly_once,
}
"""By the fields that a report is known by."""
