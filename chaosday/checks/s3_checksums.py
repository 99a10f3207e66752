"""The checksums an S3 store keeps, against the bytes it gives out."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged


class S3Checksums(Check):
    """Judges what reading every object showed.

    Damage is ``wrong-checksum``, or ``unreadable-object`` where the store described an object and then
    could not give it out while others could be read. Objects without a checksum that can be computed
    here, refusals and objects overwritten meanwhile make it inconclusive.
    """

    kind: Literal["s3_checksums"] = "s3_checksums"
    observation: str = Field(default="s3_checksums", description="Name of the saved reading of the objects")

    needs: ClassVar[tuple[str, ...]] = ("observations/s3_checksums",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "objects that are missing, or replaced together with their checksum: compare manifests",
        "damage done before the upload",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved reading."""
        said = evidence.observation(self.observation)
        try:
            objects = [
                (o["key"], o["verified"], o["wrong"], o["error"], o["denied"], o["changed"]) for o in said["objects"]
            ]
        except (KeyError, TypeError):
            raise MalformedInput(f"observation {self.observation} is not a saved reading of objects") from None
        read = [one for one in objects if not one[3]]
        wrong = [key for key, _, wrong, _, _, changed in objects if wrong and not changed]
        failed = [key for key, _, _, error, denied, changed in objects if error and not denied and not changed]
        broken = failed if read else []
        doubts = {
            "could not be read because the store refused": [key for key, *_, denied, _ in objects if denied],
            "could not be read, and nor could any other": [] if read else failed,
            "were overwritten meanwhile": [one[0] for one in objects if one[5]],
            "keep no checksum that can be verified here": [
                key for key, held, wrong, *_ in read if not held and not wrong
            ],
        }
        anomalies = [
            Anomaly(name=name, count=len(keys), keys=[*keys[:KEYS_SHOWN]])
            for name, keys in (("wrong-checksum", wrong), ("unreadable-object", broken))
            if keys
        ]
        return judged(
            self.kind,
            examined=len(read),
            unit="objects",
            anomalies=anomalies,
            unsure=[f"{len(keys)} objects {why}: {', '.join(keys[:5])}" for why, keys in doubts.items() if keys],
            blind_to=list(self.blind_to),
            result={"version": said.get("version"), "source": said.get("source"), "objects": len(objects)},
        )
