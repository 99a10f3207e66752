"""The page check of a PostgreSQL cluster, by pg_checksums' own words."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

_BAD = re.compile(r'checksum verification failed in file "(?:.*/)?((?:base|global|pg_tblspc)/[^"]+)", block (\d+)')


class PgChecksums(Check):
    """Judges what pg_checksums printed about a stopped cluster or a disposable copy of one.

    Damage is ``bad-checksum``; keys name file and block within the data directory. A cluster without
    data checksums, or a tool that failed, is inconclusive.
    """

    kind: Literal["pg_checksums"] = "pg_checksums"
    observation: str = Field(default="pg_checksums", description="Name of the tool's saved output")

    needs: ClassVar[tuple[str, ...]] = ("observations/pg_checksums",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "pages that are all zero, which PostgreSQL takes for new ones",
        "pages missing at the end of a file",
        "a page replaced by an older copy of itself",
        "damage done before the checksum was computed",
        "the free space and visibility maps' meaning, the WAL, and anything that is not a page",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved output."""
        said = evidence.observation(self.observation)
        try:
            code, lines, blocks, bad = (said[name] for name in ("exit_code", "lines", "blocks", "bad"))
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not the saved output of pg_checksums") from None
        named = list(dict.fromkeys(f"{file} block {block}" for file, block in _BAD.findall("\n".join(lines))))
        keys: list[int | str] = [*named[:KEYS_SHOWN]]
        count = max(bad, len(named))
        unsure = []
        if said.get("checksums") is False:
            unsure.append("data checksums are off in this cluster, so pages that changed silently cannot be told")
        elif code and not count:
            unsure.append(f"pg_checksums ended with {code}: {(lines or ['it printed nothing'])[-1]}")
        return judged(
            self.kind,
            examined=0 if said.get("checksums") is False else blocks,
            unit="pages",
            anomalies=[Anomaly(name="bad-checksum", count=count, keys=keys)] if count else [],
            unsure=unsure,
            blind_to=list(self.blind_to),
            result={"version": said.get("version"), "files": said.get("files"), "checksums": said.get("checksums")},
        )
