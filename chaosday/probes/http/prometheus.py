"""A number from Prometheus, or from anything that speaks its query API."""

from __future__ import annotations

from math import isnan
from typing import Any, Literal
from urllib.parse import quote

import orjson
from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.mechanisms.http_proxy.web import Web
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Target


class PrometheusQuery(Probe):
    """One value of an instant query, healthy between ``at_least`` and ``at_most``; no sample is no answer.

    Of several samples the worst one counts: all of them have to be within.
    https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
    """

    kind: Literal["prometheus.query"] = "prometheus.query"
    query: str = Field(default="up", min_length=1)
    at_least: float | None = Field(default=None, title="At least")
    at_most: float | None = Field(default=None, title="At most")
    timeout_s: float = Field(default=5, gt=0)

    def read(self, target: Target) -> ProbeReading:
        try:
            seen = target.capability(Web).ask(
                "GET", f"/api/v1/query?query={quote(self.query)}", {}, timeout_s=self.timeout_s
            )
        except ChaosdayError as error:
            return self._silent(str(error))
        if seen.status != 200:
            return self._silent(f"the query was answered with {seen.status or seen.error}")
        try:
            values = [float(sample) for sample in _samples(orjson.loads(seen.body)["data"])]
        except (ValueError, KeyError, TypeError, IndexError):
            return self._silent("the answer is not Prometheus's")
        # NaN is a sample without a value: 0 requests of 0.
        values = [value for value in values if not isnan(value)]
        if not values:
            return self._silent(f"{self.query}: no sample")
        outside = [value for value in values if not self._within(value)]
        shown = outside[0] if outside else values[0]
        return ProbeReading(probe=self.kind, healthy=not outside, value=shown, words=f"{self.query} is {shown:g}")

    def _within(self, value: float) -> bool:
        low = self.at_least is None or value >= self.at_least
        return low and (self.at_most is None or value <= self.at_most)

    def _silent(self, words: str) -> ProbeReading:
        return ProbeReading(probe=self.kind, healthy=None, words=words)


def _samples(data: Any) -> list[Any]:
    if data["resultType"] == "scalar":
        return [data["result"][1]]
    return [sample["value"][1] for sample in data["result"]]
