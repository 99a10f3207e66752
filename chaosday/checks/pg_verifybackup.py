"""A base backup against its own manifest, by pg_verifybackup's words."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

_DAMAGE = (
    ("missing-file", re.compile(r'"([^"]+)" is present in the manifest but not on disk')),
    ("extra-file", re.compile(r'"([^"]+)" is present on disk but not in the manifest')),
    ("wrong-size", re.compile(r'"([^"]+)" has size \d+ .*but size \d+ in the manifest')),
    ("wrong-checksum", re.compile(r'checksum mismatch for file "([^"]+)"')),
    ("broken-manifest", re.compile(r"(backup manifest|manifest checksum mismatch|could not parse backup manifest)")),
    ("broken-wal", re.compile(r"(WAL parsing failed for timeline \d+)")),
)
_SILENT = "pages that were already rotten when the backup was taken: the cluster keeps no page checksums"


class PgVerifybackup(Check):
    """Judges what pg_verifybackup printed about a base backup.

    Damage is named by what is wrong with which file. A tool that failed without naming any is
    inconclusive.
    """

    kind: Literal["pg_verifybackup"] = "pg_verifybackup"
    observation: str = Field(default="pg_verifybackup", description="Name of the tool's saved output")

    needs: ClassVar[tuple[str, ...]] = ("observations/pg_verifybackup",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "whether it can be restored and holds the newest writes: only a restore drill shows that",
        "damage done before the backup was taken",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved output."""
        said = evidence.observation(self.observation)
        try:
            code, lines, files = int(said["exit_code"]), list(said["lines"]), int(said["files"])
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not the saved output of pg_verifybackup") from None
        anomalies = []
        for name, pattern in _DAMAGE if code else ():
            found = list(dict.fromkeys(match for line in lines for match in pattern.findall(line)))
            if found:
                anomalies.append(Anomaly(name=name, count=len(found), keys=[*found[:KEYS_SHOWN]]))
        unsure = []
        if code and not anomalies:
            unsure.append(f"pg_verifybackup ended with {code}: {(lines or ['it printed nothing'])[-1]}")
        return judged(
            self.kind,
            examined=files,
            unit="files",
            anomalies=anomalies,
            unsure=unsure,
            blind_to=[*([] if said.get("checksums") else [_SILENT]), *self.blind_to],
            result={"version": said.get("version"), "checksums": said.get("checksums")},
        )
