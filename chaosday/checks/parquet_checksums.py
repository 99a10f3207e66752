"""Page checksums of Parquet files: present, and true."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged


class ParquetChecksums(Check):
    """Judges what reading every page of the files showed.

    Damage is ``bad-page`` (its bytes are not what was written) or ``unreadable-file``. A file whose pages
    have no checksum is unprotected, and sound only as far as it could be decoded: inconclusive.
    """

    kind: Literal["parquet_checksums"] = "parquet_checksums"
    observation: str = Field(default="parquet_checksums", description="Name of the saved reading of the pages")

    needs: ClassVar[tuple[str, ...]] = ("observations/parquet_checksums",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "a whole file replaced by an older one or by another, and files that are missing: compare manifests",
        "damage done before the file was written",
        "statistics in the footer, which has no checksum",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved reading."""
        said = evidence.observation(self.observation)
        try:
            files = [
                (f["path"], int(f["pages"]), int(f["protected"]), list(f["bad"]), f["error"]) for f in said["files"]
            ]
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not a saved reading of Parquet pages") from None
        bad = [page for _, _, _, pages, _ in files for page in pages]
        unreadable = [f"{path}: {error}" for path, _, _, _, error in files if error]
        bare = [path for path, pages, protected, _, error in files if protected < pages and not error]
        anomalies = [
            Anomaly(name=name, count=len(found), keys=[*found[:KEYS_SHOWN]])
            for name, found in (("bad-page", bad), ("unreadable-file", unreadable))
            if found
        ]
        unsupported = [
            f"{one['path']} cannot be decoded here: {one['unsupported']}"
            for one in said["files"]
            if one.get("unsupported")
        ]
        words = (
            f"{len(bare)} of {len(files)} files are unprotected, written without page checksums: {', '.join(bare[:5])}"
        )
        return judged(
            self.kind,
            examined=sum(pages for _, pages, *_ in files) or len(unreadable),
            unit="pages",
            anomalies=anomalies,
            unsure=[*([words] if bare else []), *unsupported],
            blind_to=list(self.blind_to),
            result={"version": said.get("version"), "files": len(files), "unprotected": bare[:KEYS_SHOWN]},
        )
