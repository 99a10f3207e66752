"""The replica check: two copies of the same rows agree, row by row and bit by bit."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal

import pyarrow as pa
from pydantic import Field

from chaosday.errors import EvidenceMissing, MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

KINDS = ("missing", "extra", "different")


class ReplicaRows(Check):
    """Compares the rows of a replica with those of its store by key: ``missing`` from the replica,
    ``extra`` in it, or there with ``different`` content. Every copy of a key counts.

    Floating-point columns are compared by their bits, so that -0.0 and the last bit show.
    """

    kind: Literal["replica_rows"] = "replica_rows"
    store: str = Field(default="survivor", description="Name of the rows that the replica should hold")
    replica: str = Field(default="survivor.standby", description="Name of the rows that it does hold")
    key: str = Field(default="id", description="Column that tells rows apart")
    ignore: list[str] = Field(default=[], description="Columns that may differ")

    needs: ClassVar[tuple[str, ...]] = ("rows",)
    blind_to: ClassVar[tuple[str, ...]] = ("damage that is the same in both copies",)

    def judge(self, evidence: Evidence) -> Finding:
        """Judge one pair; two empty copies are inconclusive."""
        store, replica = (self._rows(evidence, name) for name in (self.store, self.replica))
        odd = sorted(set(store.column_names) ^ set(replica.column_names))
        if odd:
            anomalies = [Anomaly(name="different", count=len(odd), keys=[f"column {name}" for name in odd])]
        else:
            anomalies = _compare(store, replica.select(store.column_names), self.key)
        return judged(
            self.kind,
            examined=store.num_rows + replica.num_rows,
            unit="rows",
            anomalies=anomalies,
            blind_to=list(self.blind_to),
            result={"store": self.store, "replica": self.replica, "rows": [store.num_rows, replica.num_rows]},
        )

    def _rows(self, evidence: Evidence, name: str) -> pa.Table:
        try:
            table = evidence.rows(name)
        except EvidenceMissing:
            others = ", ".join(evidence.row_names()) or "none"
            raise EvidenceMissing(f"no rows were read back as {name}; there are {others}") from None
        if self.key not in table.column_names:
            raise MalformedInput(f"rows/{name} has no key column {self.key}; it has {', '.join(table.column_names)}")
        kept = [column for column in table.column_names if column == self.key or column not in self.ignore]
        return _by_bits(table.select(kept))


def _by_bits(table: pa.Table) -> pa.Table:
    """Floating-point columns as the whole numbers that their bits make."""
    for position, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            whole = {16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[field.type.bit_width]
            column = table.column(position)
            chunks = [chunk.view(whole) for chunk in column.chunks]
            table = table.set_column(position, field.name, pa.chunked_array(chunks, whole))
    return table


def _compare(store: pa.Table, replica: pa.Table, key: str) -> list[Anomaly]:
    import duckdb

    database = _database().cursor()
    try:
        database.register("store_rows", store)
        database.register("replica_rows", replica)
        columns = [_quoted(name) for name in store.column_names]
        found = database.execute(_query(_quoted(key), columns, _repeated(database, _quoted(key)))).fetchall()
    except duckdb.Error as error:
        raise MalformedInput(f"the rows cannot be compared: {str(error).splitlines()[0]}") from None
    finally:
        database.close()
    shown: dict[str, list[int | str]] = {name: [] for name in KINDS}
    counts: dict[str, int] = {}
    for name, named, count in found:
        counts[name] = counts.get(name, 0) + count
        shown[name] += [_plain(one) for one in named]
    return [Anomaly(name=name, count=counts[name], keys=shown[name]) for name in KINDS if counts.get(name)]


@cache
def _database() -> Any:
    """One empty in-memory database for the process: opening one takes longer than a comparison. What a
    cursor registers is its own."""
    import atexit

    import duckdb

    database = duckdb.connect()
    # A connection that outlives the interpreter makes DuckDB print about leaked objects.
    atexit.register(database.close)
    atexit.register(_database.cache_clear)
    return database


def _repeated(database: Any, key: str) -> bool:
    """Whether a key is there more than once on either side."""
    many = "select count(*) <> count(distinct {}) from {}".format
    sides = [database.execute(many(key, side)).fetchone()[0] for side in ("store_rows", "replica_rows")]
    return any(sides)


def _query(key: str, columns: list[str], repeated: bool) -> str:
    # Numbering equal keys by content pairs up equal copies first; without repeats it would only cost.
    order = ", ".join(columns)
    number = f"row_number() over (partition by {key} order by {order})" if repeated else "1"
    sides = [
        f"(select {key} as k, {number} as n, true as here, row({order}) as content from {table})"  # noqa: S608
        for table in ("store_rows", "replica_rows")
    ]
    return f"""
        select kind, list(k order by k)[1:{KEYS_SHOWN}], count(*) from (
            select coalesce(a.k, b.k) as k,
                case when b.here is null then 'missing' when a.here is null then 'extra' else 'different' end as kind
            from {sides[0]} a full join {sides[1]} b on a.k is not distinct from b.k and a.n = b.n
            where a.here is null or b.here is null or a.content is distinct from b.content
        ) group by kind"""  # noqa: S608 - identifiers are quoted, and the database is our own and empty


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def _plain(key: Any) -> int | str:
    return key if isinstance(key, (int, str)) else str(key)
