"""Columns of a Parquet file that DuckDB cannot read exactly, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    import pyarrow as pa

MOST_DIGITS = 38


def losses(path: Any) -> dict[str, str]:
    """What would be lost of each column that is not read exactly, in words that say what to do.

    ``path`` is one, or an open file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError, ValueError):
        # Whoever reads it says what is wrong with it.
        return {}
    with file:
        found = {}
        # A leaf's path joins names with dots, which names may hold themselves: its column is counted out instead.
        tops = [field.name for field in file.schema_arrow for _ in range(_leaves(field.type))]
        for column, name in zip(range(len(file.schema)), tops, strict=True):
            leaf = file.schema.column(column)
            if leaf.physical_type == "INT96" and not _whole_microseconds(file, name):
                found[name] = (
                    "an INT96 timestamp finer than a microsecond or far from today, which is cut;"
                    " write it as TIMESTAMP or --ignore it"
                )
        for field in file.schema_arrow:
            if words := _of_type(field.type):
                found[field.name] = words
        return found


def _leaves(kind: pa.DataType) -> int:
    return sum(_leaves(kind.field(number).type) for number in range(kind.num_fields)) or 1


def column_names(path: Path, shown: str) -> list[str]:
    """The columns' names as the file has them, where it can be read: DuckDB changes those that differ in case only."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return list(pq.read_schema(path).names)
    except UnicodeDecodeError:
        raise MalformedInput(f"{shown} has a column whose name is not UTF-8") from None
    except (pa.ArrowException, OSError):
        return []


def _of_type(kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_decimal(kind) and kind.precision > MOST_DIGITS:
        return f"a decimal of {kind.precision} digits, which is read as a float64; write it as text or --ignore it"
    if pa.types.is_duration(kind):
        return f"a {kind}, which is read as a number without its unit; write it as an interval or text, or --ignore it"
    children = (kind.field(number).type for number in range(kind.num_fields)) if kind.num_fields else ()
    return next((words for words in map(_of_type, children) if words), "")


def _whole_microseconds(file: Any, name: str) -> bool:
    """Whether cutting nanoseconds loses nothing.

    Dates beyond what 64 bits of nanoseconds hold wrap around, by 616 nanoseconds of a thousand, and so
    never look whole.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for batch in file.iter_batches(columns=[name]):
        column = batch.column(0)
        if not pa.types.is_timestamp(column.type):
            return False
        nanoseconds = column.cast(pa.int64())
        whole = pc.equal(nanoseconds, pc.multiply(pc.divide(nanoseconds, 1000), 1000))
        if not pc.all(whole, skip_nulls=True).as_py():
            return False
    return True
