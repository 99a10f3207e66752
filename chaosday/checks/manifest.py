"""What a directory, prefix or table holds, against what it held."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged


class ManifestCheck(Check):
    """Judges the saved comparison of two manifests.

    Each kind of damage (``missing``, ``bit_flip``, ``stale``, ``misdirected`` ...) is an anomaly of that
    name with the pieces as keys; pieces that could not be read, or none at all, are inconclusive.
    """

    kind: Literal["manifest"] = "manifest"
    observation: str = Field(default="manifest", description="Name of the saved comparison")
    allowed: list[str] = Field(default=[], description="Kinds of difference that are no damage, such as extra")

    needs: ClassVar[tuple[str, ...]] = ("observations/manifest",)
    blind_to: ClassVar[tuple[str, ...]] = ("damage done before the first manifest was made",)

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the saved comparison."""
        said = evidence.observation(self.observation)
        try:
            counts, damage, unread = dict(said["counts"]), list(said["damage"]), dict(said["unread"])
            before, after = int(said["pieces_before"]), int(said["pieces_after"])
        except (KeyError, TypeError, ValueError):
            raise MalformedInput(f"observation {self.observation} is not a saved comparison of manifests") from None
        anomalies = []
        for kind, count in sorted(counts.items()):
            if kind not in self.allowed:
                keys: list[int | str] = [one["name"] for one in damage if one["kind"] == kind][:KEYS_SHOWN]
                detail = [one for one in damage if one["kind"] == kind][:20]
                anomalies.append(Anomaly(name=kind, count=count, keys=keys, detail=detail))
        unsure = [f"{len(unread)} pieces could not be read: {', '.join(list(unread)[:5])}"] if unread else []
        # A store that held nothing before cannot have lost anything.
        return judged(
            self.kind,
            examined=max(before, after) if before else 0,
            unit="pieces",
            anomalies=anomalies if before else [],
            unsure=unsure,
            reasons=[f"allowed: {', '.join(self.allowed)}"] if self.allowed else [],
            blind_to=[*said.get("blind_to", []), *self.blind_to],
            result={"leaves_read": said.get("leaves_read")},
        )
