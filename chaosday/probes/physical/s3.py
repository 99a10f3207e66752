"""Do the objects under a prefix still have the bytes that their checksums are of?"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import LONG_S, Probe, ProbeReading
from chaosday.model.target import Target


class ObjectChecksums(Probe):
    """Reads every object under a prefix; the check ``s3_checksums`` judges what it saw."""

    kind: Literal["s3_checksums"] = "s3_checksums"
    longest_s: ClassVar[float] = LONG_S
    bucket: str = Field(default="", description="Name of the bucket")
    prefix: str = Field(default="", description="Only objects whose key begins with this")

    def read(self, target: Target) -> ProbeReading:
        try:
            said = self._observe()
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        wrong = sum(bool(one["wrong"]) for one in said["objects"])
        unread = sum(bool(one["error"]) for one in said["objects"])
        healthy = False if wrong else None if unread or not said["objects"] else True
        words = f"{len(said['objects'])} objects, {wrong} wrong, {unread} not read"
        return ProbeReading(probe=self.kind, healthy=healthy, value=wrong, unit="objects", words=words)

    def collect(self, target: Target, scratch: Path) -> dict[str, Any]:
        return {"s3_checksums": self._observe()}

    def _observe(self) -> dict[str, Any]:
        from chaosday.clients.objects import Bucket
        from chaosday.data.physical.s3_objects import observe_objects

        return observe_objects(Bucket(self.bucket), self.prefix)
