"""Is every file of a lake table there, and is it what the table's metadata says?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from chaosday.data.reconcile.sides import LAKES, Side
from chaosday.errors import ChaosdayError, UsageError
from chaosday.model.probe import LONG_S, Probe, ProbeReading
from chaosday.model.target import Target


class LakeTableFiles(Probe):
    """Reads every file that a snapshot of a lake table names; the check ``lake_files`` judges what it saw."""

    kind: Literal["lake_files"] = "lake_files"
    longest_s: ClassVar[float] = LONG_S
    table: str = Field(
        default="", description="delta://FOLDER, delta+s3://..., iceberg+sqlite://FILE#NAMESPACE.TABLE ..."
    )

    @field_validator("table")
    @classmethod
    def _of_a_lake(cls, text: str) -> str:
        try:
            if text and Side.parse(text).engine not in LAKES:
                raise ValueError(
                    f"{text} is no lake table: write delta://FOLDER or iceberg+sqlite://FILE#NAMESPACE.TABLE"
                )
        except UsageError as error:
            raise ValueError(str(error)) from None
        return text

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        bad = len(said["others_missing"]) + sum(_bad(one) for one in said["files"])
        words = f"{bad} of {len(said['files'])} files are not what they were; {said['orphan_count']} are nobody's"
        return ProbeReading(probe=self.kind, healthy=bad == 0, value=bad, unit="files", words=words)

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"lake_files": self._observe()}

    def _observe(self) -> dict[str, Any]:
        from chaosday.data.physical.lake import observe_lake

        return observe_lake(self.table)


def _bad(one: dict[str, Any]) -> bool:
    counted = one["rows"] in {None, one["rows_found"]}
    return bool(
        one["missing"] or one["error"] or one["statistics"] or one["size_found"] != one["size_bytes"] or not counted
    )
