"""A Great Expectations suite on a table: built, run, and answered in the suite's own order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, model_validator

from chaosday.data.suites import checked, conditions, plain
from chaosday.errors import CapabilityMissing, MalformedInput
from chaosday.model.base import Model

if TYPE_CHECKING:
    import pandas as pd


class Expectation(Model):
    """One expectation, by Great Expectations' own name, with its arguments; its own form is read too.

    ``expect`` is the name in the gallery, with or without ``expect_`` before it, in snake case.
    """

    model_config = ConfigDict(extra="forbid")

    expect: str = "expect_column_values_to_not_be_null"
    arguments: dict[str, Any] = {"column": "id"}

    @model_validator(mode="before")
    @classmethod
    def _of_either_form(cls, given: Any) -> Any:
        try:
            return plain(given) if isinstance(given, dict) else given
        except MalformedInput as error:
            raise ValueError(str(error)) from None


def validated(frame: pd.DataFrame, suite: list[Expectation], key: str) -> list[dict[str, Any]]:
    """One result an expectation, in the order of the suite.

    ``result`` holds ``unexpected_keys``, the failing rows by their ``key``. An expectation that found
    no value to look at (no row meets its condition, its column holds nothing but NULL), or that cannot
    be evaluated, has an error in it (``error_in``), whatever Great Expectations says: it passes most
    expectations on nothing.
    """
    try:
        import great_expectations as gx
    except ImportError:
        raise CapabilityMissing("Great Expectations is not installed: pip install 'chaosday[expectations]'") from None
    # It tells of every temporary folder that it makes, and takes them away by itself. Some of its modules set a
    # level of their own, which the package's does not override.
    for name in [each for each in logging.root.manager.loggerDict if each.split(".")[0] == "great_expectations"]:
        logging.getLogger(name).setLevel(logging.WARNING)
    built = [_built(gx, expectation, number) for number, expectation in enumerate(suite)]
    context: Any = gx.get_context(mode="ephemeral")
    # Progress bars would be drawn over our own.
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("evidence")
    results: dict[int, dict[str, Any]] = {}
    by_condition: dict[str, list[int]] = {}
    for number, (_, condition) in enumerate(built):
        by_condition.setdefault(condition, []).append(number)
    for place, (condition, numbers) in enumerate(by_condition.items()):
        try:
            rows = _selected(frame, condition)
        except MalformedInput as error:
            results |= {number: _unevaluated(str(error)) for number in numbers}
            continue
        blind = {number: why for number in numbers if (why := _unexamined(rows, suite[number]))}
        results |= {number: _unevaluated(why) for number, why in blind.items()}
        asked = [built[number][0] for number in numbers if number not in blind]
        if asked:
            asset = source.add_dataframe_asset(f"rows{place}").add_batch_definition_whole_dataframe("all")
            batch = asset.get_batch({"dataframe": _spelled(rows)})
            results |= _answers(gx, batch, asked, rows[key].tolist())
    return [results[number] for number in range(len(suite))]


def _selected(frame: pd.DataFrame, condition: str) -> pd.DataFrame:
    for each in conditions(condition) if condition else ():
        frame = frame[each.holds(frame)]
    return frame.reset_index(drop=True)


def _answers(gx: Any, batch: Any, listed: list[Any], keys: list[Any]) -> dict[int, dict[str, Any]]:
    """Results by the number of the expectation; where one raises and takes the others with it, each is asked alone."""
    # Asked for the key's column, Great Expectations looks it up row by row; positions come at once.
    form = {"result_format": "COMPLETE"}
    try:
        outcome = batch.validate(gx.ExpectationSuite(name="rows", expectations=listed), result_format=form)
        found = [result.to_json_dict() for result in outcome.results]
    except (gx.exceptions.GreatExpectationsError, *_RAISED) as error:
        if len(listed) == 1:
            said = " ".join(str(error).split())[:200] or type(error).__name__
            return {int(listed[0].meta["number"]): _unevaluated(said)}
        return {n: result for one in listed for n, result in _answers(gx, batch, [one], keys).items()}
    for result in found:
        positions = (result.get("result") or {}).get("unexpected_index_list") or []
        result.setdefault("result", {})["unexpected_keys"] = [keys[position] for position in positions]
    return {int(result["expectation_config"]["meta"]["number"]): result for result in found}


# What pandas and numpy raise on values that an expectation was not made for.
_RAISED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, NotImplementedError)
_OF_NULLS = ("_null", "_to_exist", "proportion_of_non_null")
_OF_BYTES = ("_null", "_to_exist", "_unique", "unique_value_count", "proportion_of")


def _unexamined(rows: pd.DataFrame, expectation: Expectation) -> str:
    """Why an expectation would look at no value of these rows, or at none that it can; nothing where it would."""
    if rows.empty:
        return "nothing was examined: no row meets its condition"
    arguments = expectation.arguments
    listed = arguments.get("column_list")
    names = [arguments.get(name) for name in ("column", "column_A", "column_B")]
    names += listed if isinstance(listed, list) else []
    columns = [name for name in names if isinstance(name, str) and name in rows.columns]
    if not columns or "_to_exist" in expectation.expect:
        return ""
    if not any(part in expectation.expect for part in _OF_NULLS):
        present = rows[columns].notna()
        whole = str(arguments.get("ignore_row_if", "")).startswith(("either", "any"))
        if not (present.all(axis=1) if whole else present.any(axis=1)).any():
            return f"nothing was examined: {', '.join(columns)} holds nothing but NULL"
    binary = [name for name in columns if _is_binary(rows[name])]
    if binary and not any(part in expectation.expect for part in _OF_BYTES):
        return f"{binary[0]} holds bytes, of which only uniqueness and NULLs can be looked at"
    return ""


def _is_binary(column: pd.Series[Any]) -> bool:
    return column.dtype == object and bool(column.map(lambda value: isinstance(value, (bytes, bytearray))).any())


def _spelled(rows: pd.DataFrame) -> pd.DataFrame:
    """Bytes as hexadecimal: results are written as JSON, which has none."""
    hexadecimal = {
        name: rows[name].map(lambda value: value.hex() if isinstance(value, (bytes, bytearray)) else value)
        for name in rows.columns
        if _is_binary(rows[name])
    }
    return rows.assign(**hexadecimal) if hexadecimal else rows


def _unevaluated(why: str) -> dict[str, Any]:
    told = {"raised_exception": True, "exception_message": why}
    return {"success": False, "exception_info": told, "result": {"unexpected_keys": []}}


def _built(gx: Any, expectation: Expectation, number: int) -> tuple[Any, str]:
    """The expectation without its row condition, and that: here it is compared, and not run as Python."""
    name, arguments = checked(expectation.expect, expectation.arguments)
    condition = arguments.pop("row_condition", "")
    arguments.pop("condition_parser", None)
    if condition:
        conditions(condition)
    kind = getattr(gx.expectations, "".join(part.title() for part in name.split("_")), None)
    if kind is None:
        raise MalformedInput(f"this version of Great Expectations has no expectation called {name}")
    try:
        return kind(**arguments, meta={"number": number}), condition
    except (TypeError, ValueError) as error:
        raise MalformedInput(f"{name}: {' '.join(str(error).split())[:200]}") from None


def error_in(result: dict[str, Any]) -> str:
    """The message of an exception inside the expectation, in one line, or nothing."""
    info = result.get("exception_info") or {}
    for each in [info, *(value for value in info.values() if isinstance(value, dict))]:
        if each.get("raised_exception"):
            return " ".join(str(each.get("exception_message") or "it raised an exception").split())[:200]
    return ""


def named(expectation: Expectation) -> str:
    """``expect_column_values_to_be_unique(id)``: the expectation and its column."""
    column = expectation.arguments.get("column")
    return f"{expectation.expect}({column})" if column else expectation.expect
