"""The canonical text of a column as a DuckDB expression: quick where a spelling is the common one.

What a regular expression knows to be canonical stays what it is; everything else goes to the function
of ``canonical.py``, a row at a time.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from chaosday.data.reconcile import canonical
from chaosday.data.reconcile.json_text import canonical_json
from chaosday.data.reconcile.kinds import Common, Field
from chaosday.data.reconcile.nested import canonical_array, canonical_nested
from chaosday.data.reconcile.sql import literal, statement

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")
_TO_TEXT: tuple[Callable[[str], str | None], ...] = (
    canonical.boolean, canonical.number, canonical.float_as_number, canonical.date, canonical.time, canonical.timetz,
    canonical.timestamp, canonical.timestamptz, canonical.interval, canonical.uuid, canonical.network,
    canonical.binary, canonical_json,
)  # fmt: skip
_TO_FLOAT = (canonical.spelled_float, canonical.exact_float, canonical.spelled_float32, canonical.exact_float32)
_MARK = "chr(1)"


def register(database: duckdb.DuckDBPyConnection) -> None:
    """Make the canonical functions known to DuckDB, as ``of_NAME``."""
    from duckdb.func import SPECIAL

    # NULL is an answer of these functions; DuckDB allows that only of those that are asked about NULL as well.
    for to_text in _TO_TEXT:
        name = f"of_{to_text.__name__}"
        database.create_function(name, _or_none(to_text), ["VARCHAR"], "VARCHAR", null_handling=SPECIAL)
    for to_float in _TO_FLOAT:
        name = f"of_{to_float.__name__}"
        database.create_function(name, _or_none(to_float), ["VARCHAR"], "DOUBLE", null_handling=SPECIAL)
    for nested in (canonical_nested, canonical_array):
        name = f"of_{nested.__name__}"
        database.create_function(
            name, _shaped_or_none(nested), ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling=SPECIAL
        )


def _or_none(function: Callable[[str], T | None]) -> Callable[[str | None], T | None]:
    def answer(text: str | None) -> T | None:
        return None if text is None else function(text)

    return answer


def _shaped_or_none(function: Callable[[str, str], str | None]) -> Callable[[str | None, str], str | None]:
    def answer(text: str | None, trees: str) -> str | None:
        return None if text is None else function(text, trees)

    return answer


def canonical_sql(value: str, field: Field, common: Common) -> str:
    """The DuckDB expression for the canonical text of ``value``, a column of ``field``, in the common kind."""
    kind = common.kind
    if field.raw == "tagged":
        return _of_tagged(value, kind)
    if kind in {"verbatim", "text", "any", "spelled", "bytes"}:
        return _plain(value, field, kind)
    if field.kind == "nested":
        function = "of_canonical_array" if field.raw == "array" else "of_canonical_nested"
        trees = json.dumps([field.tree, common.tree or field.tree])
        return _or_text(f"{function}({value}, {literal(trees)})", value)
    return _or_text(_form(field, kind, value), f"{value}::varchar")


def _plain(value: str, field: Field, kind: str) -> str:
    if kind in {"any", "spelled"}:
        # A text may begin with the mark of a number or blob: it is told apart by having one more.
        return f"case when starts_with({value}, {_MARK}) then {_MARK} || {value} else {value} end"
    if kind != "bytes":
        return f"{value}::varchar"
    if field.kind == "bytes":
        return f"upper({value})" if field.raw == "hex" else f"hex({value})"
    return _or_text(f"case when starts_with({value}, '\\x') then of_binary({value}) end", value)


def _or_text(form: str, text: str) -> str:
    return statement("case when {t} is not null then coalesce({f}, 'text:' || {t}) end", t=text, f=form)


def _of_tagged(value: str, kind: str) -> str:
    """SQLite's values: each by its own storage class, whatever its column was declared as."""
    rest = f"substr({value}, 2)"
    blob = f"{_MARK} || 'blob:' || {rest}"
    text = f"case when starts_with({rest}, {_MARK}) then {_MARK} || {rest} else {rest} end"
    if kind == "any":
        whole, real = f"{_MARK} || 'number:' || {rest}", f"{_MARK} || 'number:' || of_float_as_number({rest})"
    elif kind == "spelled":
        whole, real = rest, f"try_cast({rest} as double)::varchar"
    elif kind == "bytes":
        blob, text, whole, real = rest, *[f"'{word}:' || {rest}" for word in ("text", "number", "number")]
    else:
        forms = [_form(Field("", source, "", "text"), kind, rest) for source in ("text", "int", "float")]
        text, whole, real = (statement("coalesce({f}, 'text:' || {t})", f=form, t=rest) for form in forms)
    cases = f"when 't' then {text} when 'i' then {whole} when 'r' then {real} when 'b' then {blob}"
    return f"case left({value}, 1) {cases} end"


def _form(field: Field, kind: str, value: str) -> str:
    """A value of one kind in another, or in its own; NULL where it is no value of that kind."""
    text = value if field.raw != "native" else f"{value}::varchar"
    if kind in {"int", "decimal"}:
        return _as_number(field, value, text)
    if kind in {"float", "float32"}:
        return _as_float(field, kind, value, text)
    if kind == "bool" and field.kind == "bool" and field.raw == "native":
        return text
    return statement(_SPELLINGS.get(kind, "{text}"), text=text)


def _as_number(field: Field, value: str, text: str) -> str:
    if field.kind == "int" and field.raw == "native":
        return text
    if field.kind == "bool":
        return f"case {_SPELLINGS['bool'].format(text=text)} when 'true' then '1' when 'false' then '0' else {text} end"
    if field.kind in {"float", "float32"}:
        return f"of_float_as_number({value}::double::varchar)"
    return statement(_NUMBER, text=text)


def _as_float(field: Field, kind: str, value: str, text: str) -> str:
    sized = "double" if kind == "float" else "float"
    if field.kind in {"float", "float32"}:
        source = f"{value}::{sized}" if field.raw == "native" else f"try_cast(try_cast({value} as double) as {sized})"
        return f"{source}::varchar"
    exact = "exact" if field.kind in {"int", "decimal"} else "spelled"
    function = f"of_{exact}_float{'' if kind == 'float' else '32'}"
    if field.kind == "int" and field.raw == "native":
        return statement(
            "case when {v} between -16777216 and 16777216 then {v}::{sized}::varchar"
            " else {function}({t})::{sized}::varchar end",
            v=value, sized=sized, function=function, t=text,
        )  # fmt: skip
    # A NaN that a function gives arrives as NULL. Beyond 2^24 a float32's shortest text is no longer its whole number.
    return statement(
        "case when lower({t}) = 'nan' then 'nan'"
        " when regexp_full_match({t}, '-?(0|[1-9][0-9]*)[.]([0-9]*[1-9]|0)') and length({t}) <= {most}"
        " and try_cast({t} as {sized})::varchar = {t} then {t} else {function}({t})::{sized}::varchar end",
        t=text, most=24 if kind == "float" else 9, sized=sized, function=function,
    )  # fmt: skip


_NUMBER = (
    f"case when length({{text}}) > {canonical.MOST_PLAIN_DIGITS} then of_number({{text}})"
    " when regexp_full_match({text}, '0|-?[1-9][0-9]*') then {text}"
    " when regexp_full_match({text}, '-?(0|[1-9][0-9]*)[.][0-9]*[1-9]') then {text}"
    " when regexp_full_match({text}, '-?(0|[1-9][0-9]*)[.][0-9]*[1-9]0+|-?[1-9][0-9]*[.]0*')"
    " then rtrim(rtrim({text}, '0'), '.')"
    " else of_number({text}) end"
)
_MOMENT = "[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-9]{{2}}([.][0-9]+)?"
_SECOND = "try_cast(left({text}, 19) as timestamp)::varchar = left({text}, 19)"
_STRIPPED = "case when contains({bare}, '.') then rtrim(rtrim({bare}, '0'), '.') else {bare} end"
_IN_UTC = "regexp_replace({text}, '[+]00$', '')"
_SPELLINGS = {
    "bool": "case when {text} in ('t', 'true', '1') then 'true' when {text} in ('f', 'false', '0') then 'false'"
    " else of_boolean({text}) end",
    "date": "case when regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
    " and try_cast({text} as date)::varchar = {text} then {text} else of_date({text}) end",
    "time": "case when regexp_full_match({text}, '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]') then {text}"
    " else of_time({text}) end",
    "timetz": "of_timetz({text})",
    "timestamp": f"case when regexp_full_match({{text}}, '{_MOMENT}') and {_SECOND}"
    f" then {_STRIPPED.replace('{bare}', '{text}')} else of_timestamp({{text}}) end",
    "timestamptz": f"case when regexp_full_match({{text}}, '{_MOMENT}([+]00)?') and {_SECOND}"
    f" then {_STRIPPED.replace('{bare}', _IN_UTC)} else of_timestamptz({{text}}) end",
    "interval": "of_interval({text})",
    "uuid": "case when regexp_full_match({text}, '[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}') then {text}"
    " else of_uuid({text}) end",
    "network": "of_network({text})",
    "json": "of_canonical_json({text})",
}
