"""The files of a lake table, against what its metadata says of them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged


class LakeFiles(Check):
    """Judges what reading every file that a snapshot names showed.

    Damage is ``missing-file`` (data, deletes or metadata), ``wrong-size``, ``wrong-count``, ``unreadable-file`` or
    ``wrong-statistics`` (a bound or a number of NULLs that the content contradicts: readers skip files by them).
    Files that no snapshot names are listed: a writer that is still at work leaves them too.
    """

    kind: Literal["lake_files"] = "lake_files"
    observation: str = Field(default="lake_files", description="Name of the saved reading of the files")

    needs: ClassVar[tuple[str, ...]] = ("observations/lake_files",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "bits flipped in values that stay within their statistics, where pages carry no checksum",
        "a file that was replaced by another of the same size, rows and statistics: compare manifests",
        "bounds that are wider than they need be",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved reading."""
        said = evidence.observation(self.observation)
        try:
            files = [_File(one) for one in said["files"]]
            others = list(said["others_missing"])
            orphans, orphan_bytes = int(said["orphan_count"]), int(said["orphan_bytes"])
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not a saved reading of a lake table") from None
        found = {
            "missing-file": [*(one.name for one in files if one.missing), *others],
            "wrong-size": [one.name for one in files if one.resized],
            "wrong-count": [one.name for one in files if one.miscounted],
            "unreadable-file": [one.name for one in files if one.error and not one.missing],
            "wrong-statistics": [one.name for one in files if one.statistics],
        }
        words = f"{orphans} files ({orphan_bytes} bytes) are named by no snapshot: left over, or not committed yet"
        return judged(
            self.kind,
            examined=len(files) + len(others),
            unit="files",
            anomalies=[
                Anomaly(name=name, count=len(names), keys=[*names[:KEYS_SHOWN]])
                for name, names in found.items()
                if names
            ],
            reasons=[
                *([words] if orphans else []),
                *(f"{one.name}: {words}" for one in files[:KEYS_SHOWN] for words in one.statistics[:3]),
                *(f"{one.name}: {one.error}" for one in files[:KEYS_SHOWN] if one.error),
            ],
            blind_to=list(self.blind_to),
            result={name: said.get(name) for name in ("source", "snapshot", "version", "orphans", "orphan_count")},
        )


class _File:
    """One file of the report."""

    def __init__(self, said: dict[str, Any]) -> None:
        self.name, self.missing, self.error = str(said["name"]), bool(said["missing"]), str(said["error"])
        self.statistics = list(said["statistics"])
        self.resized = not self.missing and said["size_found"] != said["size_bytes"]
        counted = said["rows_found"] is not None and said["rows"] is not None
        self.miscounted = counted and said["rows_found"] != said["rows"]
