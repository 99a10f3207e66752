"""Two tables, queries or files that have to hold the same rows."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, judged


class TableDiff(Check):
    """Judges the saved result of a diff.

    Damage is ``row-removed``, ``row-added``, ``row-changed`` or ``duplicate-key``; the counts are of all,
    the keys a sample. A diff that was inconclusive, or that found no rows, stays so.
    """

    kind: Literal["table_diff"] = "table_diff"
    observation: str = Field(default="table_diff", description="Name of the saved result of the diff")

    needs: ClassVar[tuple[str, ...]] = ("observations/table_diff",)
    blind_to: ClassVar[tuple[str, ...]] = ("damage that is the same on both sides",)

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved result."""
        said = evidence.observation(self.observation)
        try:
            counts = {name: int(said[name]) for name in ("removed", "added", "changed")}
            left, right = int(said["duplicate_keys_left"]), int(said["duplicate_keys_right"])
            rows, reasons = int(said["rows_left"]) + int(said["rows_right"]), list(said["reasons"])
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not the saved result of a diff") from None
        # Rows that differ while a side was written to may be writes in flight, and prove nothing.
        anomalies = []
        if not reasons:
            anomalies = [
                Anomaly(name=f"row-{name}", count=count, keys=[*said.get("sample_keys", [])])
                for name, count in counts.items()
                if count
            ]
            if left != right:
                anomalies.append(
                    Anomaly(name="duplicate-key", count=max(left, right), keys=[*said["duplicate_sample"]])
                )
        same = [f"{left} keys occur more than once on both sides"] if left and left == right else []
        return judged(
            self.kind,
            examined=rows,
            unit="rows",
            anomalies=anomalies,
            reasons=[*said.get("notes", []), *same],
            unsure=reasons,
            blind_to=[*said.get("blind_to", []), *self.blind_to],
            result={name: said.get(name) for name in ("left", "right", "mode", "differences", "changed_columns")},
        )
