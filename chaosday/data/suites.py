"""Suites of expectations as people write them, ours or Great Expectations' own: read in full, or refused by name.

Great Expectations runs what a suite says: a row condition is Python for ``DataFrame.query``, an
expectation of its gallery may be a query. Only what is listed here gets that far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from chaosday.errors import MalformedInput

if TYPE_CHECKING:
    import pandas as pd

_VALUES = "in_set in_type_list of_type between unique null increasing decreasing dateutil_parseable json_parseable"
_MATCHES = "regex regex_list like_pattern like_pattern_list"
_AGGREGATES = (
    "max mean median min stdev sum quantile_values unique_value_count proportion_of_non_null_values"
    " proportion_of_unique_values"
)
ALLOWED = frozenset(
    [f"expect_column_values_to_be_{name}" for name in _VALUES.split()]
    + [f"expect_column_values_to_{no}match_{name}" for no in ("", "not_") for name in _MATCHES.split()]
    + [f"expect_column_{name}_to_be_between" for name in _AGGREGATES.split()]
    + [f"expect_column_distinct_values_to_{name}_set" for name in ("be_in", "contain", "equal")]
    + [f"expect_table_{name}_count_to_{how}" for name in ("row", "column") for how in ("equal", "be_between")]
    + [f"expect_column_pair_values_{name}" for name in ("a_to_be_greater_than_b", "to_be_equal", "to_be_in_set")]
    + [
        "expect_column_to_exist",
        "expect_column_type_to_be",
        "expect_column_most_common_value_to_be_in_set",
        "expect_column_value_lengths_to_be_between",
        "expect_column_value_lengths_to_equal",
        "expect_column_value_z_scores_to_be_less_than",
        "expect_column_values_to_match_json_schema",
        "expect_column_values_to_match_strftime_format",
        "expect_column_values_to_not_be_in_set",
        "expect_column_values_to_not_be_null",
        "expect_compound_columns_to_be_unique",
        "expect_multicolumn_sum_to_equal",
        "expect_multicolumn_values_to_be_unique",
        "expect_select_column_values_to_be_unique_within_record",
        "expect_table_columns_to_match_ordered_list",
        "expect_table_columns_to_match_set",
    ]
)
"""Expectations that look at the rows alone; those that run a query of their own are not among them."""
# fmt: off
_ARGUMENTS = frozenset({
    "column", "column_A", "column_B", "column_list", "column_set", "column_index", "mostly", "min_value", "max_value",
    "strict_min", "strict_max", "value_set", "value", "value_pairs_set", "regex", "regex_list", "like_pattern",
    "like_pattern_list", "or_equal", "match_on", "strftime_format", "json_schema", "type_", "type_list",
    "ignore_row_if", "threshold", "double_sided", "quantile_ranges", "allow_relative_error", "sum_total", "exact_match",
    "parse_strings_as_datetimes", "ties_okay", "row_condition", "condition_parser", "severity", "description",
})
# fmt: on
# Beside type and kwargs, in Great Expectations' files: what says nothing of the rows.
_BESIDE = {"id", "meta", "notes", "description", "rendered_content", "severity", "success_on_last_run"}
_SUITE = {"name", "expectation_suite_name", "expectations", "id", "ge_cloud_id", "meta", "notes", "data_asset_type"}
_PARAMETERS = ("suite_parameters", "evaluation_parameters")
_COMPARISONS = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_TERM = re.compile(
    r"""\s*(?:col\((?P<quote>["'])(?P<called>[^"'\\]+)(?P=quote)\)|`(?P<ticked>[^`\\]+)`|(?P<plain>[A-Za-z_]\w*))\s*
    (?:(?P<null>\.(?:is|not)null\(\))|(?P<comparison>==|!=|<=|>=|<|>)\s*
    (?:(?P<number>[+-]?\d{1,18}(?:\.\d{1,18})?)|(?P<truth>True|False|true|false)|"(?P<double>[^"\\]*)"|'(?P<single>[^'\\]*)'))\s*""",
    re.VERBOSE,
)
_AND = re.compile(r"and\b|&")


def entries(data: bytes) -> list[dict[str, Any]]:
    """The expectations of a suite's file, each with ``expect`` and ``arguments``.

    A list in our form or in Great Expectations' (``type`` or ``expectation_type``, ``kwargs``), or its whole suite.

    :raises MalformedInput: for what is none, with the expectation's number and the field's name
    """
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedInput(f"it is no JSON: {error}") from None
    if isinstance(document, dict):
        for name in _PARAMETERS:
            if document.get(name):
                raise MalformedInput(f"{name} are not supported: write the values into the expectations")
        _known(document, _SUITE | set(_PARAMETERS), "a suite")
        document = document.get("expectations")
    if not isinstance(document, list):
        raise MalformedInput("a suite is a list of expectations, or an object with a list called expectations")
    return [_entry(each, number) for number, each in enumerate(document, 1)]


def plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One expectation in our form, from ours or from Great Expectations'."""
    named = next((name for name in ("type", "expectation_type") if name in entry), None)
    if named is None:
        _known(entry, {"expect", "arguments"}, "an expectation")
        return dict(entry)
    _known(entry, {named, "kwargs", *_BESIDE}, "an expectation of Great Expectations")
    arguments = entry.get("kwargs", {})
    if not isinstance(arguments, Mapping):
        raise MalformedInput("kwargs is an object of arguments")
    return {"expect": entry[named], "arguments": {n: v for n, v in arguments.items() if n != "batch_id"}}


def checked(expect: str, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The full name of an expectation that is allowed and its arguments; anything else is refused by name."""
    name = expect if expect.startswith("expect_") else f"expect_{expect}"
    name = name.lower()
    if name not in ALLOWED:
        raise MalformedInput(f"{name} is no expectation that is validated here: those that only look at the rows are")
    _known(arguments, _ARGUMENTS, name)
    for text in _texts(arguments):
        if "$PARAMETER" in text:
            raise MalformedInput(f"{name}: $PARAMETER is not supported: write the value")
    given = {argument: value for argument, value in arguments.items() if value is not None}
    if "_set" in name.removeprefix("expect_") and not given.keys() & {"value_set", "value_pairs_set", "column_set"}:
        raise MalformedInput(f"{name}: without a set it is met by anything")
    if not 0 < given.get("mostly", 1) <= 1 if isinstance(given.get("mostly", 1), (int, float)) else True:
        raise MalformedInput(f"{name}: mostly is a share above 0 and up to 1, not {given['mostly']}")
    for pattern in (given.get("regex"), *_listed(given.get("regex_list"))):
        _compiled(name, pattern)
    for kind in (given.get("type_"), *_listed(given.get("type_list"))):
        if kind is not None and not re.fullmatch(r"[A-Za-z_][\w\[\], .]*", str(kind)):
            raise MalformedInput(f"{name}: {kind!r} is no name of a type")
    if given.get("condition_parser", "pandas") not in (
        "pandas",
        "great_expectations",
        "great_expectations__experimental__",
    ):
        raise MalformedInput(f"{name}: condition_parser {given['condition_parser']!r} is not supported")
    return name, given


@dataclass(frozen=True)
class Condition:
    """One ``column compared with a literal``, or ``column is (not) null``; a row meets all of a row condition's."""

    column: str
    comparison: str
    literal: Any = None

    def holds(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Which rows meet it; a NULL meets no comparison, as in SQL.

        :raises MalformedInput: where the column is not there, or cannot be compared with the literal
        """
        if self.column not in frame.columns:
            raise MalformedInput(f"row_condition: there is no column {self.column}")
        column = frame[self.column]
        if self.comparison in ("isnull", "notnull"):
            return column.isna() if self.comparison == "isnull" else column.notna()
        try:
            compared = getattr(column, self.comparison)(self.literal)
        except TypeError:
            raise MalformedInput(
                f"row_condition: {self.column} holds {column.dtype}, and {self.literal!r} cannot be compared with that"
            ) from None
        held: pd.Series[bool] = compared.fillna(False).astype(bool) & column.notna()
        return held


def conditions(text: Any) -> list[Condition]:
    """The comparisons of a ``row_condition``, joined by ``and``.

    :raises MalformedInput: for anything else: it would be run as Python
    """
    if not isinstance(text, str) or not text.strip():
        raise MalformedInput(f'row_condition {text!r} is no text such as: status == "paid" and amount > 0')
    found, at = [], 0
    while True:
        term = _TERM.match(text, at)
        if term is None:
            raise MalformedInput(f"row_condition {text!r}: only comparisons of a column with a literal, joined by and")
        found.append(_condition(term))
        at = term.end()
        if at == len(text):
            return found
        joined = _AND.match(text, at)
        if joined is None:
            raise MalformedInput(f"row_condition {text!r}: only comparisons of a column with a literal, joined by and")
        at = joined.end()


def _condition(term: re.Match[str]) -> Condition:
    column = term["called"] or term["ticked"] or term["plain"]
    if term["null"]:
        return Condition(column, term["null"][1:-2])
    if term["number"]:
        literal: Any = float(term["number"]) if "." in term["number"] else int(term["number"])
    elif term["truth"]:
        literal = term["truth"].lower() == "true"
    else:
        literal = term["double"] if term["double"] is not None else term["single"]
    return Condition(column, _COMPARISONS[term["comparison"]], literal)


def _entry(entry: Any, number: int) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise MalformedInput(f"expectation {number} is no object")
    try:
        made = plain(entry)
        if not isinstance(made.get("expect"), str):
            raise MalformedInput("it has no expect (or type) that names it")
        arguments = made.get("arguments", {})
        if not isinstance(arguments, dict):
            raise MalformedInput("arguments is an object")
        name, given = checked(made["expect"], arguments)
        if "row_condition" in given:
            conditions(given["row_condition"])
    except MalformedInput as error:
        raise MalformedInput(f"expectation {number}: {error}") from None
    return {"expect": name, "arguments": given}


def _known(found: Mapping[str, Any], known: set[str] | frozenset[str], whose: str) -> None:
    strange = sorted(set(map(str, found)) - known)
    if strange:
        raise MalformedInput(f"{whose} has no field {strange[0]!r}; it has {', '.join(sorted(known))}")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield str(name)
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _compiled(name: str, pattern: Any) -> None:
    if pattern is None:
        return
    try:
        re.compile(pattern)
    except (re.error, TypeError, RecursionError, OverflowError) as error:
        raise MalformedInput(f"{name}: {pattern!r} is no regular expression: {error}") from None
