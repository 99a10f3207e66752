"""A Great Expectations suite over the rows that were read back: the reporting layer."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.data.expectations import Expectation, error_in, named, validated
from chaosday.data.frame_types import typed
from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

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
        results = validated(typed(table), self.suite, self.key) if table.num_rows and self.suite else []
        anomalies, unsure = [], []
        for expected, result in zip(self.suite, results, strict=False):
            error = error_in(result)
            if error:
                unsure.append(f"{named(expected)} could not be evaluated: {error}")
            elif not result["success"]:
                anomalies.append(_anomaly(expected, result.get("result") or {}))
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


def _anomaly(expected: Expectation, result: dict[str, Any]) -> Anomaly:
    named_keys = result.get("unexpected_keys") or []
    keys = [one if isinstance(one, (int, str)) else str(one) for one in named_keys]
    count = max(int(result.get("unexpected_count") or 0), len(keys), 1)
    detail: list[dict[str, Any]] = [
        {name: result[name] for name in ("observed_value", "partial_unexpected_list") if name in result}
    ]
    return Anomaly(name=named(expected), count=count, keys=list(dict.fromkeys(keys))[:KEYS_SHOWN], detail=detail)


def _apart(anomalies: list[Anomaly]) -> list[Anomaly]:
    """Names made distinct where one expectation is in the suite more than once."""
    names = [anomaly.name for anomaly in anomalies]
    return [
        anomaly.model_copy(update={"name": f"{anomaly.name} {n}"}) if names.count(anomaly.name) > 1 else anomaly
        for n, anomaly in enumerate(anomalies)
    ]
