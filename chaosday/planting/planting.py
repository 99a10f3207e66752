"""What every corruption needs: picking items by seed, changing cells of a table, and asking the
history what it would allow, one item at a time and sharing nothing with the checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from chaosday.clients.ledger import FUNCTIONS, checksum, is_ledger, operations
from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence
from chaosday.model.history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pick(rng: np.random.Generator, candidates: int | NDArray[np.int64], size: int, what: str) -> NDArray[np.int64]:
    """``size`` distinct ones of the candidates (or of that many), ascending; ``NotApplicable`` if too few."""
    found = candidates if isinstance(candidates, int) else len(candidates)
    if found < size or not found:
        raise NotApplicable(f"{found} {what}, {size} are needed")
    chosen = rng.choice(found, size, replace=False, shuffle=False)
    return np.sort(chosen if isinstance(candidates, int) else candidates[chosen])


def all_or_nothing(size: int) -> None:
    """For damage that has no size: planted once, not again for every larger size."""
    if size > 1:
        raise NotApplicable("it takes everything, whatever the size")


def with_cells(table: pa.Table, column: str, at: Sequence[int] | NDArray[np.int64], values: Sequence[Any]) -> pa.Table:
    """A copy with some cells of one column replaced; the other columns are shared, not copied."""
    old = table[column].combine_chunks()
    mask = np.zeros(len(old), dtype=np.bool_)
    mask[np.asarray(at, dtype=np.int64)] = True
    # replace_with_mask takes the replacements in the order of the mask, so by position.
    order = np.argsort(np.asarray(at), kind="stable")
    new = pa.array([values[i] for i in order], old.type)
    if isinstance(old, pa.ChunkedArray):
        old = pa.concat_arrays(old.chunks) if old.num_chunks else pa.array([], old.type)
    return table.set_column(
        table.column_names.index(column), table.schema.field(column), pc.replace_with_mask(old, pa.array(mask), new)
    )


def without(table: pa.Table, at: NDArray[np.int64]) -> pa.Table:
    """A copy without the rows at these positions."""
    keep = np.ones(table.num_rows, dtype=np.bool_)
    keep[at] = False
    return table.filter(pa.array(keep))


@dataclass(frozen=True)
class Attempt:
    """One ledger operation, as the history has it; ``version`` is None where it is not stated."""

    index: int
    f: str
    value: int | None
    version: int | None
    status: str
    start_ns: int
    end_ns: int | None


def attempts_of(history: History, keys: Iterable[int]) -> dict[int, list[Attempt]]:
    """Every ledger operation on these few keys, in order of invocation."""
    wanted = [int(key) for key in keys]
    table = history.table
    as_written = wanted if pa.types.is_integer(table["key"].type) else [str(key) for key in wanted]
    mask = pc.is_in(table["key"], value_set=pa.array(as_written, table["key"].type))
    found: dict[int, list[Attempt]] = {key: [] for key in wanted}
    for row in table.filter(mask).to_pylist():
        if row["f"] not in FUNCTIONS:
            continue
        version = 1 if row["f"] == "insert" else None if row["result"] is None else int(row["result"])
        value = None if row["value"] is None else int(row["value"])
        attempt = Attempt(row["index"], row["f"], value, version, row["status"], row["start_ns"], row["end_ns"])
        found[int(row["key"])].append(attempt)
    return found


def acknowledged_version(attempts: Sequence[Attempt]) -> int:
    """The highest acknowledged version of a row, 0 where nothing about it was acknowledged."""
    return max((attempt.version or 0 for attempt in attempts if attempt.status == "ok"), default=0)


def may_hold(attempts: Sequence[Attempt], version: int, value: int) -> bool:
    """Whether a store that keeps its promises may hold this version with this value."""
    if version < acknowledged_version(attempts):
        return False
    return any(
        attempt.status != "failed" and attempt.value == value and attempt.version in (version, None)
        for attempt in attempts
    )


class LedgerCorruption(Corruption):
    """Damage to the rows of a ledger that were read back, or to its history.

    A subclass implements ``plant`` with ``rows`` (the table), ``pick`` and ``planted``.
    """

    stores: ClassVar[tuple[str, ...]] = ("ledger",)
    store: str = Field(default="survivor", description="Name of the rows that were read back")

    def rows(self, evidence: Evidence) -> pa.Table:
        """The ledger rows to damage; ``NotApplicable`` where the run holds none."""
        if not evidence.has(f"rows/{self.store}"):
            raise NotApplicable(f"no rows were read back as {self.store}")
        table = evidence.rows(self.store)
        if not is_ledger(table):
            raise NotApplicable(f"rows/{self.store} is not a ledger")
        return table

    def planted(
        self, evidence: Evidence, table: pa.Table, keys: Iterable[int], equivalent: Iterable[int] = (), note: str = ""
    ) -> Planted:
        """The evidence with these rows; a key that is equivalent is not among the damaged ones."""
        same = frozenset(int(key) for key in equivalent)
        return Planted(
            evidence.replaced(rows={self.store: table}), frozenset(int(key) for key in keys) - same, same, note
        )


def ids_of(table: pa.Table, at: NDArray[np.int64]) -> list[int]:
    """The ids of the rows at these positions."""
    ids: list[int] = table["id"].take(pa.array(at)).to_pylist()
    return ids


def checksum_of(row: dict[str, Any]) -> int:
    """The checksum that would make this row whole."""
    return checksum(row["id"], row["version"], row["value"])


def rows_with(table: pa.Table, ids: Sequence[int]) -> NDArray[np.int64]:
    """Positions of every row that carries one of these ids, ascending."""
    mask = pc.is_in(table["id"], value_set=pa.array(ids, pa.int64()))
    return np.flatnonzero(mask.to_numpy())


def rows_at(table: pa.Table, at: NDArray[np.int64]) -> list[dict[str, Any]]:
    """The rows at these positions as dicts."""
    rows: list[dict[str, Any]] = table.take(pa.array(at)).to_pylist()
    return rows


def with_rows(table: pa.Table, at: NDArray[np.int64], rows: Sequence[dict[str, Any]]) -> pa.Table:
    """A copy with version and value of these rows replaced and a checksum that fits them."""
    damaged = with_cells(table, "version", at, [row["version"] for row in rows])
    damaged = with_cells(damaged, "value", at, [row["value"] for row in rows])
    return with_cells(damaged, "checksum", at, [checksum_of(row) for row in rows])


def new_ids(table: pa.Table, history: History, size: int) -> list[int]:
    """Ids that nobody ever used: the next ones of the last writer."""
    used = np.append(operations(history).key, table["id"].to_numpy())
    last = int(np.max(used, initial=0))
    return list(range(last + 1, last + 1 + size))


def updated_rows(
    table: pa.Table, history: History, size: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], list[dict[str, Any]], list[Attempt], dict[int, list[Attempt]]]:
    """Rows whose version before the present one was acknowledged: their positions, the rows, the
    attempt that wrote the version before, and all attempts by id."""
    later = np.flatnonzero(table["version"].to_numpy() > 1)
    # Some of the candidates may lack an acknowledged version before; a few more are looked at.
    order = rng.permutation(later)[: 4 * size + 16]
    tried = attempts_of(history, ids_of(table, order))
    found: list[tuple[int, dict[str, Any], Attempt]] = []
    for place, row in zip(order, rows_at(table, order), strict=True):
        wrote = [a for a in tried[row["id"]] if a.version == row["version"] - 1 and a.status == "ok"]
        if wrote and wrote[-1].value is not None and len(found) < size:
            found.append((int(place), row, wrote[-1]))
    if len(found) < size or not found:
        raise NotApplicable(f"{len(found)} updated rows whose version before is known, {size} are needed")
    places = np.array([place for place, _, _ in found], dtype=np.int64)
    return places, [row for _, row, _ in found], [attempt for _, _, attempt in found], tried
