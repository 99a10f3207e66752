"""A Great Expectations suite on a table: built, run, and answered in the suite's own order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from chaosday.errors import CapabilityMissing, MalformedInput
from chaosday.model.base import Model

if TYPE_CHECKING:
    import pandas as pd


class Expectation(Model):
    """One expectation, by Great Expectations' own name, with its arguments.

    ``expect`` is the name in the gallery, with or without ``expect_`` before it, in snake case.
    """

    expect: str = "expect_column_values_to_not_be_null"
    arguments: dict[str, Any] = {"column": "id"}


def frame_of(table: Any) -> pd.DataFrame:
    """Whole numbers stay whole where there are gaps."""
    import pandas as pd
    import pyarrow as pa

    whole = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=whole.get)
    return frame


def validated(frame: pd.DataFrame, suite: list[Expectation], key: str) -> list[dict[str, Any]]:
    """One result an expectation, in the order of the suite: Great Expectations returns them in another.

    ``result`` holds ``unexpected_keys``, the failing rows by their ``key``.
    """
    try:
        import great_expectations as gx
    except ImportError:
        raise CapabilityMissing("Great Expectations is not installed: pip install 'chaosday[expectations]'") from None
    # It tells of every temporary folder that it makes, and takes them away by itself. Some of its modules set a
    # level of their own, which the package's does not override.
    for name in [each for each in logging.root.manager.loggerDict if each.split(".")[0] == "great_expectations"]:
        logging.getLogger(name).setLevel(logging.WARNING)
    listed = [_built(gx, expectation, number) for number, expectation in enumerate(suite)]
    context: Any = gx.get_context(mode="ephemeral")
    # Progress bars would be drawn over our own.
    context.variables.progress_bars = {"globally": False}
    batch = (
        context.data_sources.add_pandas("evidence")
        .add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("all")
        .get_batch({"dataframe": frame.reset_index(drop=True)})
    )
    # Asked for the key's column, Great Expectations looks it up row by row; positions come at once.
    form = {"result_format": "COMPLETE"}
    outcome = batch.validate(gx.ExpectationSuite(name="rows", expectations=listed), result_format=form)
    found = [result.to_json_dict() for result in outcome.results]
    keys = frame[key].tolist()
    for result in found:
        positions = (result.get("result") or {}).get("unexpected_index_list") or []
        result.setdefault("result", {})["unexpected_keys"] = [keys[position] for position in positions]
    return sorted(found, key=lambda result: int(result["expectation_config"]["meta"]["number"]))


def _built(gx: Any, expectation: Expectation, number: int) -> Any:
    name = expectation.expect if expectation.expect.startswith("expect_") else f"expect_{expectation.expect}"
    kind = getattr(gx.expectations, "".join(part.title() for part in name.split("_")), None)
    if kind is None:
        raise MalformedInput(f"Great Expectations has no expectation called {name}")
    try:
        return kind(**expectation.arguments, meta={"number": number})
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
