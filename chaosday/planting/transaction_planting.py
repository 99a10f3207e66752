"""What the corruptions of transaction histories need: a few transactions added, or one read changed.

Transactions are in the JSON form, ``[["r", key, null], ["append", key, value]]`` asked for in ``value``
and answered in ``result``. Damaged keys are the ``index`` of the transactions that contradict each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import orjson
import pyarrow as pa

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import OK, History, to_json
from chaosday.planting.planting import with_cells
from chaosday.record.transactions import COLUMN

Mops = list[list[Any]]
_STEP_NS = 1_000


class TransactionCorruption(Corruption):
    """Damage to the record of transactions over lists (``append``) or registers (``w``)."""

    stores: ClassVar[tuple[str, ...]] = ("transactions",)

    def history(self, evidence: Evidence) -> History:
        """The run's history; ``NotApplicable`` where it holds no transactions as JSON."""
        if not evidence.has("history"):
            raise NotApplicable("there is no history")
        history = evidence.history()
        as_text = COLUMN not in history.table.column_names and pa.types.is_string(history.table["value"].type)
        if not as_text or not history.is_f("txn").any():
            raise NotApplicable("nothing runs transactions that are recorded as JSON")
        return history

    def acknowledged(self, history: History) -> list[tuple[int, Mops]]:
        """Position and answer of every acknowledged transaction."""
        mask = history.is_f("txn") & (history.statuses() == OK) & history.table["result"].is_valid().to_numpy()
        at = np.flatnonzero(mask)
        texts = history.table["result"].take(at).to_pylist()
        return [(int(place), orjson.loads(text)) for place, text in zip(at, texts, strict=True)]

    def shuffled(self, history: History, rng: np.random.Generator) -> list[tuple[int, Mops]]:
        """The acknowledged transactions in random order."""
        listed = self.acknowledged(history)
        return [listed[n] for n in rng.permutation(len(listed))]

    def added(self, evidence: Evidence, rounds: Sequence[Sequence[Mops]]) -> Planted:
        """The evidence with more transactions at its end: those of one round overlap, rounds follow one
        another. Each is by a client of its own. All of them are damaged."""
        history = self.history(evidence)
        rows: list[dict[str, Any]] = []
        ends = history.integers("end_ns", null=0)
        end = int(max(ends.max(initial=0), history.integers("start_ns").max(initial=0)))
        index = int(history.integers("index").max(initial=-1)) + 1
        process = int(history.integers("process").max(initial=-1)) + 1
        for number, together in enumerate(rounds):
            start = end + _STEP_NS * (2 * number + 1)
            for answer in together:
                rows.append(
                    {
                        "index": index + len(rows),
                        "process": process + len(rows),
                        "f": "txn",
                        "value": [[f, key, None if f == "r" else value] for f, key, value in answer],
                        "result": answer,
                        "start_ns": start,
                        "end_ns": start + _STEP_NS,
                        "status": "ok",
                    }
                )
        more = History.from_rows(rows).table.cast(history.table.schema)
        table = pa.concat_tables([history.table, more]).unify_dictionaries()
        return Planted(evidence.replaced(history=History(table)), frozenset(row["index"] for row in rows))

    def reanswered(self, evidence: Evidence, answers: dict[int, Mops]) -> Planted:
        """The evidence with other answers to the transactions at these positions."""
        history = self.history(evidence)
        at = list(answers)
        table = with_cells(history.table, "result", at, [to_json(answers[place]) for place in at])
        keys: frozenset[int | str] = frozenset(history.integers("index")[at].tolist())
        return Planted(evidence.replaced(history=History(table)), keys)

    def lists(self, history: History) -> bool:
        """Whether the transactions are over lists; otherwise they are over registers."""
        return any(mop[0] == "append" for _, mops in self.acknowledged(history) for mop in mops)

    def fresh(self, history: History, count: int) -> list[Any]:
        """Keys that no transaction has touched, of the kind that the others are."""
        used = {mop[1] for text in history.table["value"].drop_null().to_pylist() for mop in orjson.loads(text)}
        if all(isinstance(key, int) for key in used):
            return [max(used, default=0) + 1 + n for n in range(count)]
        return [f"fresh {n}" for n in range(count)]
