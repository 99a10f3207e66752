"""What the corruptions of logs need: operations on a log of its own added, or answers to polls changed.

Operations are in the JSON form of ``chaosday.record.logs``. Damaged keys are the names of the logs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK, History, to_json
from chaosday.planting.planting import with_cells
from chaosday.record.logs import COLUMN, DATA

Mops = list[list[Any]]
_STEP_NS = 1_000


@dataclass(frozen=True)
class Did:
    """One operation of a planted story: which of its clients, what was answered, how it ended."""

    client: int
    mops: Mops
    status: str = "ok"


def sent(key: str, *pairs: tuple[int, str]) -> Mops:
    """Sends to a log, each with the offset and the value that were answered."""
    return [["send", key, [offset, value]] for offset, value in pairs]


def polled(key: str, *pairs: tuple[int, str]) -> Mops:
    """One poll that brought these offsets and values of a log."""
    return [["poll", {key: [[offset, value] for offset, value in pairs]}]]


class LogCorruption(Corruption):
    """Damage to the record of sends to and polls of logs."""

    stores: ClassVar[tuple[str, ...]] = ("log",)

    def history(self, evidence: Evidence) -> History:
        """The run's history; ``NotApplicable`` where it holds no sends and polls as JSON."""
        if not evidence.has("history"):
            raise NotApplicable("there is no history")
        history = evidence.history()
        as_text = COLUMN not in history.table.column_names and pa.types.is_string(history.table["result"].type)
        if not as_text or not self.polls(history):
            raise NotApplicable("nothing sends to logs and polls them, recorded as JSON")
        return history

    def polls(self, history: History) -> list[tuple[int, Mops]]:
        """Position and answer of every acknowledged operation that polled."""
        asked = history.is_f(*DATA) & (history.statuses() == OK)
        at = np.flatnonzero(asked & history.table["result"].is_valid().to_numpy())
        texts = history.table["result"].take(pa.array(at)).to_pylist()
        listed = [
            (int(place), orjson.loads(text)) for place, text in zip(at, texts, strict=True) if "poll" in str(text)
        ]
        return [(place, mops) for place, mops in listed if isinstance(mops, list) and any(map(_is_poll, mops))]

    def reanswered(self, evidence: Evidence, answers: dict[int, Mops], keys: set[str]) -> Planted:
        """The evidence with other answers to the operations at these positions."""
        history = self.history(evidence)
        at = list(answers)
        table = with_cells(history.table, "result", at, [to_json(answers[place]) for place in at])
        return Planted(evidence.replaced(history=History(table)), frozenset(keys))


class PlantedLog(LogCorruption):
    """Adds a story of a few operations, one after the other, on a log that nobody else touches."""

    excused_by_subscribe: ClassVar[bool] = False

    def story(self, key: str, other: str) -> Sequence[Did]:
        """The operations, on ``key`` or on ``key`` and ``other``."""
        raise NotImplementedError

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        history = self.history(evidence)
        if self.excused_by_subscribe and history.is_f("subscribe").any():
            raise NotApplicable("consumers subscribe, and may be rebalanced between two polls")
        keys = [f"planted-{int(number)}" for number in rng.choice(10**9, 2 * size, replace=False)]
        rows = list(self._rows(history, list(zip(keys[::2], keys[1::2], strict=True))))
        more = History.from_rows(rows).table
        missing = [name for name in history.table.column_names if name not in more.column_names]
        for name in missing:
            more = more.append_column(name, pa.nulls(len(rows), history.table[name].type))
        table = pa.concat_tables([history.table, more.cast(history.table.schema)]).unify_dictionaries()
        return Planted(evidence.replaced(history=History(table)), frozenset(keys[::2]))

    def _rows(self, history: History, keys: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
        ends = history.integers("end_ns", null=0)
        at = int(max(ends.max(initial=0), history.integers("start_ns").max(initial=0)))
        index = int(history.integers("index").max(initial=-1)) + 1
        process = int(history.integers("process").max(initial=-1)) + 1
        for number, (key, other) in enumerate(keys):
            for did in self.story(key, other):
                at += 2 * _STEP_NS
                yield {
                    "index": index,
                    "process": process + 8 * number + did.client,
                    "f": "txn",
                    "value": [["send", *mop[1:2], mop[2][1]] if mop[0] == "send" else ["poll"] for mop in did.mops],
                    "result": did.mops,
                    "start_ns": at,
                    "end_ns": at + _STEP_NS,
                    "status": did.status,
                }
                index += 1


def _is_poll(mop: Any) -> bool:
    return isinstance(mop, list) and len(mop) == 2 and mop[0] == "poll" and isinstance(mop[1], dict)
