"""Checks that cannot be trusted, each in its own way."""

from __future__ import annotations

from typing import Literal

import numpy as np

from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, judged


class AlwaysValid(Check):
    """Looks at everything and is content."""

    kind: Literal["always_valid"] = "always_valid"

    def judge(self, evidence: Evidence) -> Finding:
        examined = evidence.rows("survivor").num_rows + len(evidence.history())
        return judged(self.kind, examined=examined, anomalies=[])


class AlwaysInvalid(AlwaysValid):
    """Looks at everything and complains."""

    kind: Literal["always_invalid"] = "always_invalid"  # type: ignore[assignment]

    def judge(self, evidence: Evidence) -> Finding:
        examined = evidence.rows("survivor").num_rows + len(evidence.history())
        return judged(self.kind, examined=examined, anomalies=[Anomaly(name="lost", count=1, keys=[1])])


class ExaminesNothing(Check):
    """Claims to have looked."""

    kind: Literal["examines_nothing"] = "examines_nothing"

    def judge(self, evidence: Evidence) -> Finding:
        return judged(self.kind, examined=1, anomalies=[])


class Restless(AlwaysValid):
    """Answers by the order of rows, which means nothing."""

    kind: Literal["restless"] = "restless"  # type: ignore[assignment]

    def judge(self, evidence: Evidence) -> Finding:
        first = evidence.rows("survivor")["id"][0].as_py()
        return judged(
            self.kind, examined=len(evidence.history()), anomalies=[Anomaly(name="odd", count=1, keys=[first])]
        )


class Alarmist(AlwaysValid):
    """Complains whenever the rows are not exactly what they were in the run, sound or not."""

    kind: Literal["alarmist"] = "alarmist"  # type: ignore[assignment]

    def judge(self, evidence: Evidence) -> Finding:
        total = int(np.sum(evidence.rows("survivor")["checksum"].to_numpy().astype(np.float64)) // 1e15)
        return judged(
            self.kind, examined=len(evidence.history()), anomalies=[Anomaly(name="sum", count=1, keys=[total])]
        )


class Crashes(Check):
    """Never gets anywhere."""

    kind: Literal["crashes"] = "crashes"

    def judge(self, evidence: Evidence) -> Finding:
        raise RuntimeError(f"cannot work on {evidence.rows('survivor').num_rows} rows")
