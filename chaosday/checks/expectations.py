"""A Great Expectations suite over the rows that were read back: the reporting layer."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import CapabilityMissing, MalformedInput
from chaosday.evidence import Evidence
from chaosday.model.base import Model
from chaosday.model.check import Check
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

if TYPE_CHECKING:
    import pandas as pd


class Expectation(Model):
    """One expectation, by Great Expectations' own name, with its arguments.

    ``expect`` is the name in the gallery, with or without ``expect_`` before it, in snake case.
    """

    expect: str = "expect_column_values_to_not_be_null"
    arguments: dict[str, Any] = {"column": "id"}


LEDGER_SUITE = [
    Expectation(expect="expect_column_values_to_be_unique", arguments={"column": "id"}),
    *(
        Expectation(expect="expect_column_values_to_not_be_null", arguments={"column": column})
        for column in ("id", "version", "value", "checksum")
    ),
    Expectation(expect="expect_column_values_to_be_between", arguments={"column": "version", "min_value": 1}),
    Expectation(
        expect="expect_column_values_to_be_between",
        arguments={"column": "value", "min_value": 0, "max_value": (1 << 40) + 1000},
    ),
]


class Expectations(Check):
    """Validates a suite on the rows as a pandas batch; failing rows are named by their key.

    Great Expectations reports an error inside an expectation as a failure with ``exception_info``: that
    is an expectation that could not be evaluated, and inconclusive, never damage. It also passes most
    suites on an empty batch; here no rows are inconclusive.
    """

    kind: Literal["expectations"] = "expectations"
    store: str = Field(default="survivor", description="Name of the rows that were read back")
    key: str = Field(default="id", description="Column that tells rows apart")
    suite: list[Expectation] = Field(default=LEDGER_SUITE, title="Suite")

    needs: ClassVar[tuple[str, ...]] = ("rows",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "rows that are missing, stale, or hold another value within its range: a suite knows no history",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Validate the whole suite; nothing to validate, or an expectation in error, is inconclusive."""
        table = evidence.rows(self.store)
        if self.key not in table.column_names:
            raise MalformedInput(f"rows/{self.store} has no column {self.key}; it has {', '.join(table.column_names)}")
        results = _validated(_frame(table), self.suite, self.key) if table.num_rows and self.suite else []
        anomalies, unsure = [], []
        for expected, result in zip(self.suite, results, strict=False):
            error = _error(result)
            if error:
                unsure.append(f"{_named(expected)} could not be evaluated: {error}")
            elif not result["success"]:
                anomalies.append(_anomaly(expected, result.get("result") or {}, self.key))
        return judged(
            self.kind,
            examined=table.num_rows if self.suite else 0,
            unit="rows",
            anomalies=_apart(anomalies),
            unsure=unsure,
            blind_to=list(self.blind_to),
            result={
                "store": self.store,
                "expectations": len(self.suite),
                "met": sum(bool(result["success"]) for result in results),
            },
        )


def _frame(table: Any) -> pd.DataFrame:
    """Whole numbers stay whole where there are gaps."""
    import pandas as pd
    import pyarrow as pa

    whole = {pa.int64(): pd.Int64Dtype(), pa.int32(): pd.Int32Dtype()}
    frame: pd.DataFrame = table.to_pandas(types_mapper=whole.get)
    return frame


def _validated(frame: pd.DataFrame, suite: list[Expectation], key: str) -> list[dict[str, Any]]:
    """One result an expectation, in the order of the suite: Great Expectations returns them in another."""
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
        .get_batch({"dataframe": frame})
    )
    form = {"result_format": "COMPLETE", "unexpected_index_column_names": [key]}
    outcome = batch.validate(gx.ExpectationSuite(name="rows", expectations=listed), result_format=form)
    found = [result.to_json_dict() for result in outcome.results]
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


def _error(result: dict[str, Any]) -> str:
    """The message of an exception inside the expectation, in one line, or nothing."""
    info = result.get("exception_info") or {}
    for each in [info, *(value for value in info.values() if isinstance(value, dict))]:
        if each.get("raised_exception"):
            return " ".join(str(each.get("exception_message") or "it raised an exception").split())[:200]
    return ""


def _named(expectation: Expectation) -> str:
    column = expectation.arguments.get("column")
    return f"{expectation.expect}({column})" if column else expectation.expect


def _anomaly(expected: Expectation, result: dict[str, Any], key: str) -> Anomaly:
    rows = result.get("unexpected_index_list") or []
    keys = [row[key] if isinstance(row[key], (int, str)) else str(row[key]) for row in rows]
    count = max(int(result.get("unexpected_count") or 0), len(keys), 1)
    detail: list[dict[str, Any]] = [
        {name: result[name] for name in ("observed_value", "partial_unexpected_list") if name in result}
    ]
    return Anomaly(name=_named(expected), count=count, keys=list(dict.fromkeys(keys))[:KEYS_SHOWN], detail=detail)


def _apart(anomalies: list[Anomaly]) -> list[Anomaly]:
    """Names made distinct where one expectation is in the suite more than once."""
    names = [anomaly.name for anomaly in anomalies]
    return [
        anomaly.model_copy(update={"name": f"{anomaly.name} {n}"}) if names.count(anomaly.name) > 1 else anomaly
        for n, anomaly in enumerate(anomalies)
    ]
