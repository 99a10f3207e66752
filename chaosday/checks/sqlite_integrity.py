"""SQLite's integrity check, by its own words."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, judged


class SqliteIntegrity(Check):
    """Judges what ``PRAGMA integrity_check`` and ``foreign_key_check`` said.

    Damage is ``corrupt-page`` (structure) or ``orphan-row`` (a missing parent); a locked database, or a
    check that did not finish for another reason than damage, is inconclusive.
    """

    kind: Literal["sqlite_integrity"] = "sqlite_integrity"
    observation: str = Field(default="sqlite_integrity", description="Name of the tool's saved output")

    needs: ClassVar[tuple[str, ...]] = ("observations/sqlite_integrity",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "bits flipped inside values: SQLite's pages carry no checksum (109 of 200 random flips were seen)",
        "rows that are missing from a table and from its indexes, and older pages put back together",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved output."""
        said = evidence.observation(self.observation)
        try:
            lines, orphans, error = list(said["lines"]), list(said["foreign_keys"]), said["error"]
            pages, busy, finished = int(said["pages"]), said["busy"], said["finished"]
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not the saved output of SQLite's check") from None
        if error and not busy:
            lines.append(error)
        anomalies = [
            Anomaly(name=name, count=len(found), keys=[*found])
            for name, found in (("corrupt-page", lines), ("orphan-row", orphans))
            if found
        ]
        unsure = [] if finished or anomalies else [f"SQLite did not finish: {error or 'it said nothing'}"]
        return judged(
            self.kind,
            examined=max(pages, len(lines)),
            unit="pages",
            anomalies=anomalies,
            unsure=unsure,
            blind_to=list(self.blind_to),
            result={"version": said.get("version"), "path": said.get("path")},
        )
