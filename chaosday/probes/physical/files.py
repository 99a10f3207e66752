"""Is what lies in a directory, a SQLite file or Parquet files what was written there?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import LONG_S, Probe, ProbeReading
from chaosday.model.target import Target


class ManifestOfFiles(Probe):
    """Compares a directory with a manifest made before; the check ``manifest`` judges the comparison."""

    kind: Literal["manifest"] = "manifest"
    longest_s: ClassVar[float] = LONG_S
    before: str = Field(default="", description="The manifest, as `chaosday manifest make` wrote it")
    directory: str = Field(default="", description="The directory it is of")

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        damaged = sum(said["counts"].values())
        words = f"{said['pieces_after']} pieces, {damaged} damaged"
        return ProbeReading(probe=self.kind, healthy=said["equal"], value=damaged, unit="pieces", words=words)

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"manifest": self._observe()}

    def _observe(self) -> dict[str, Any]:
        from chaosday.data.manifest import Manifest, compare, of_directory

        return compare(Manifest.read(Path(self.before)), of_directory(Path(self.directory))).to_dict()


class SqliteFile(Probe):
    """Runs SQLite's integrity check; the check ``sqlite_integrity`` judges what it said."""

    kind: Literal["sqlite_integrity"] = "sqlite_integrity"
    longest_s: ClassVar[float] = LONG_S
    path: str = Field(default="", description="The database file")

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        lines = len(said["lines"]) + len(said["foreign_keys"]) + bool(said["error"] and not said["busy"])
        healthy = None if said["busy"] else lines == 0
        return ProbeReading(
            probe=self.kind, healthy=healthy, value=lines, unit="lines", words=f"{lines} lines of damage"
        )

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"sqlite_integrity": self._observe()}

    def _observe(self) -> dict[str, Any]:
        from chaosday.data.physical.sqlite_file import observe_sqlite

        return observe_sqlite(Path(self.path))


class ParquetPages(Probe):
    """Reads every page of Parquet files; the check ``parquet_checksums`` judges what it saw."""

    kind: Literal["parquet_checksums"] = "parquet_checksums"
    longest_s: ClassVar[float] = LONG_S
    path: str = Field(default="", description="Path or glob of the files")

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        bad = sum(len(file["bad"]) + bool(file["error"]) for file in said["files"])
        bare = any(file["protected"] < file["pages"] for file in said["files"])
        healthy = False if bad else None if bare else True
        return ProbeReading(
            probe=self.kind, healthy=healthy, value=bad, unit="pages", words=f"{bad} bad pages or files"
        )

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"parquet_checksums": self._observe()}

    def _observe(self) -> dict[str, Any]:
        from chaosday.data.physical.parquet_pages import observe_parquet

        return observe_parquet(self.path)
