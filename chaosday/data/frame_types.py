"""Types of a DataFrame's columns that change no value: pandas' own habit is to round whole numbers beside a NULL."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chaosday.data.reconcile import canonical
from chaosday.errors import MalformedInput, UsageError
from chaosday.record.foreign_words import one_line

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,18}")
_INT64 = range(-(2**63), 2**63)


def typed(table: pa.Table) -> pd.DataFrame:
    """An Arrow table as a DataFrame; whole numbers stay whole where there are gaps, the rest as ``of_values``.

    :raises MalformedInput: for a column with a value for which Python has no like, such as a nanosecond of a day
    """
    import pandas as pd
    import pyarrow as pa

    whole = {
        kind: getattr(pd, f"{'U' if str(kind).startswith('u') else ''}Int{kind.bit_width}Dtype")()
        for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    } | {pa.bool_(): pd.BooleanDtype()}
    columns: dict[str, pd.Series[Any]] = {}
    # Each by itself: pandas' own word in a table would make columns an index.
    for field, column in zip(table.schema, table.columns, strict=True):
        try:
            if pa.types.is_decimal(field.type) or pa.types.is_nested(field.type):
                columns[field.name] = of_values(column.to_pylist())
            else:
                columns[field.name] = column.to_pandas(types_mapper=whole.get)
        except (pa.ArrowException, ValueError, LookupError, OverflowError) as error:
            raise MalformedInput(
                f"column {field.name} cannot be read here, as {field.type} ({one_line(str(error))}): write it as text"
            ) from None
    return pd.DataFrame(columns)


def of_rows(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """A driver's rows as a DataFrame; ``UsageError`` where several columns share a name."""
    import pandas as pd

    doubled = sorted(name for name, times in Counter(names).items() if times > 1)
    if doubled:
        raise UsageError(f"the rows have several columns called {', '.join(doubled)}; name them in a query")
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pd.DataFrame({name: of_values(values) for name, values in zip(names, columns, strict=True)})


def of_values(values: Sequence[Any]) -> pd.Series[Any]:
    """Values of Python as a column of the type that holds all of them without loss, or as they are."""
    import pandas as pd

    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pd.Series(values, dtype="boolean")
    if kinds == {int} and all(value is None or value in _INT64 for value in values):
        return pd.Series(values, dtype="Int64")
    if kinds == {float}:
        return pd.Series(values, dtype="float64")
    if kinds == {Decimal} and all(value is None or canonical.exact_float(str(value)) is not None for value in values):
        return pd.Series([None if value is None else float(value) for value in values], dtype="float64")
    if kinds == {datetime} and len({value.utcoffset() for value in values if value is not None}) == 1:
        return pd.Series(values, dtype=object).infer_objects()
    return pd.Series(values, dtype=object)


def of_texts(values: Sequence[str | None]) -> pd.Series[Any]:
    """Texts of a CSV as the type that all of them spell, and that would spell them alike again; else as texts."""
    known = {value for value in values if value is not None}
    for spells, made in ((_whole, int), (_fraction, float), (_truth, _as_truth), (_moment, datetime.fromisoformat)):
        if known and all(map(spells, known)):
            of = {text: made(text) for text in known}
            return of_values([None if value is None else of[value] for value in values])
    return of_values(list(values))


def _whole(text: str) -> bool:
    return _WHOLE.fullmatch(text) is not None and int(text) in _INT64


def _fraction(text: str) -> bool:
    """Leading zeros tell codes from numbers; a number with more digits than a float has is none."""
    whole = text.lstrip("+-").partition(".")[0]
    return (len(whole) == 1 or not whole.startswith("0")) and canonical.exact_float(text) is not None


def _truth(text: str) -> bool:
    return text.lower() in {"true", "false"}


def _as_truth(text: str) -> bool:
    return text.lower() == "true"


def _moment(text: str) -> bool:
    """A time that Python's own hold to the last digit; one without offset, because several mix."""
    written = canonical.timestamp(text)
    return written is not None and len(text) >= 10 and written == _iso(text)


def _iso(text: str) -> str | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.utcoffset() is not None else canonical.timestamp(found.isoformat(" "))
