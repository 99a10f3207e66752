"""Away and back: whether it moved, whether two sides took writes at once, and how long nobody did."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Anomaly, Finding, judged

HOME = "home"


class FailoverCheck(Check):
    """Judges what a failover drill saw of the sides, station by station.

    ``split-brain``: one side acknowledged a write before and after another's, and was not seen closed in between.
    ``did-not-move``: at a station the side that was to take writes did not, or one that was not to.
    ``refused-too-long``: on the way there or back no write was acknowledged for longer than is allowed.
    A side that gave no answer at all on the way to a station was not looked at, and the drill is inconclusive.
    """

    kind: Literal["failover"] = "failover"
    refused_at_most_s: float = Field(default=60, gt=0)

    needs: ClassVar[tuple[str, ...]] = ("observations",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "two sides that take writes at once for less time than lies between three looks",
        "a side that takes writes where it is reached by another way than the drill's",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the observation ``failover``; a station that was not come to is inconclusive."""
        said = evidence.observation("failover")
        if not isinstance(said, dict) or not {"stations", "split", "splits", "sides", "refused_s"} <= said.keys():
            raise MalformedInput("observation failover is none of a failover drill")
        stations = {each["name"]: each for each in said["stations"]}
        unsure = [f"the drill did not come to its station {name}" for name in said["ways"] if name not in stations]
        for name, each in stations.items():
            unsure += [f"side {side} gave no answer on the way to {name}" for side in each["silent"]]
        return judged(
            self.kind,
            examined=sum(int(side["answered"]) for side in said["sides"].values()),
            unit="looks at sides",
            anomalies=[*_split(said), *_unmoved(stations), *self._refused(said["refused_s"])],
            unsure=unsure,
            blind_to=list(self.blind_to),
            result={"refused_s": said["refused_s"], "moved": {name: each["open"] for name, each in stations.items()}},
        )

    def _refused(self, refused_s: dict[str, float]) -> list[Anomaly]:
        late = {way: seconds for way, seconds in refused_s.items() if seconds > self.refused_at_most_s}
        if not late:
            return []
        detail = [
            {"way": way, "refused_s": seconds, "limit_s": self.refused_at_most_s} for way, seconds in late.items()
        ]
        return [Anomaly(name="refused-too-long", count=len(late), keys=list(late), detail=detail)]


def _split(said: dict[str, Any]) -> list[Anomaly]:
    if not said["splits"]:
        return []
    # Of one pair once: what is counted is how often, and a key names who.
    keys = list(dict.fromkeys(" and ".join(each["sides"]) for each in said["split"]))[:KEYS_SHOWN]
    return [Anomaly(name="split-brain", count=int(said["splits"]), keys=list(keys), detail=said["split"][:10])]


def _unmoved(stations: dict[str, Any]) -> list[Anomaly]:
    wrong = [each for each in stations.values() if not _where_it_should(each)]
    if not wrong:
        return []
    detail = [{"station": each["name"], "takes_writes": each["open"], "from": each["left"]} for each in wrong]
    return [Anomaly(name="did-not-move", count=len(wrong), keys=[each["name"] for each in wrong], detail=detail)]


def _where_it_should(station: dict[str, Any]) -> bool:
    """Home is the side where it began; away is any other, and that one alone."""
    if station["name"] == HOME:
        return bool(station["open"] == [station["meant"]])
    return len(station["open"]) == 1 and station["open"][0] != station["left"]
