"""What a run reached: which faults met which operations, and how these ended."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from chaosday.errors import EvidenceMissing
from chaosday.model.history import OK, STATUSES, History
from chaosday.record.journal import Record, read
from chaosday.record.run_directory import RunDirectory

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CHANGING = re.compile(r"0x[0-9a-f]+|[0-9]+|\"[^\"]*\"|'[^']*'")
LONGEST = 80


@dataclass(frozen=True)
class Seen:
    """States in words, and how clients fared while faults were on."""

    states: frozenset[str] = field(default_factory=frozenset)
    failing: float = 0.0
    """Of the operations under way while a fault was on, the share that was not acknowledged."""
    p99_ms: float = 0.0
    """99 % of those that were acknowledged took no longer."""


def seen(directory: RunDirectory) -> Seen:
    """From the journal and the history of a run that has ended; nothing where it never came so far."""
    try:
        history = directory.evidence().history()
    except EvidenceMissing:
        return Seen()
    spans = spans_of(read(directory.journal_path).records)
    starts, ends = history.integers("start_ns"), history.ends_ns()
    statuses = history.statuses()
    during = np.zeros(len(history), dtype=bool)
    states: set[str] = set()
    asked = history.table["f"].to_pylist() if spans else []
    for kind, first_ns, last_ns in spans:
        met = (starts <= last_ns) & (ends >= first_ns)
        during |= met
        states |= {f"{kind} over {asked[n]}: {STATUSES[statuses[n]]}" for n in np.flatnonzero(met)}
    states |= _answers(history, statuses != OK)
    well = during & (statuses == OK)
    took = (ends - starts)[well]
    return Seen(
        frozenset(states),
        float(1 - well.sum() / during.sum()) if during.any() else 0.0,
        float(np.percentile(took, 99) / 1e6) if len(took) else 0.0,
    )


def spans_of(records: list[Record]) -> list[tuple[str, int, int]]:
    """Kind, begin and end of every fault that was injected, in monotonic nanoseconds."""
    kinds = {each.data["lease_id"]: str(each.data["fault"]["kind"]) for each in records if each.event == "planned"}
    began = {each.data["lease_id"]: each.monotonic_ns for each in records if each.event == "injecting"}
    ended = {each.data["lease_id"]: each.monotonic_ns for each in records if each.event == "healed"}
    last_ns = records[-1].monotonic_ns if records else 0
    return [(kinds[lease], first_ns, ended.get(lease, last_ns)) for lease, first_ns in began.items() if lease in kinds]


def _answers(history: History, unwell: NDArray[np.bool_]) -> set[str]:
    """What clients were told, numbers and names taken out: one template for each kind of answer."""
    errors = history.table["error"].to_pylist()
    said = {str(errors[n]) for n in np.flatnonzero(unwell) if errors[n]}
    return {f"answer: {_CHANGING.sub('#', ' '.join(each.split()))[:LONGEST]}" for each in said}
