"""Is a pipeline's output exactly once, wherever it was killed and run again?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.errors import MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Anomaly, Finding, judged


class ExactlyOnce(Check):
    """Judges the attempts of a pipeline drill, by the crash states in which they left the pipeline, and by the points
    at which it was disturbed in a way that it outlived.

    An anomaly is one kind of damage (lost, duplicated, changed, orphan, never recovers, stuck) to one output; it counts
    the states or points that lead to it, and its keys are their points; those whose cause is known are only told. A
    drill of which a planted damage was not told, a sampled point did not agree with its state, or a connection was not
    covered, is never better than inconclusive.
    """

    kind: Literal["exactly_once"] = "exactly_once"
    observation: str = Field(default="pipeline", description="Name of what the drill saw")

    needs: ClassVar[tuple[str, ...]] = ("observations/pipeline",)
    blind_to: ClassVar[tuple[str, ...]] = (
        "what happens between two asks: files that do not live on, and calls to others",
        "damage that the undisturbed run does itself",
        "what depends on the hour or the day, beyond what differs between two runs one after the other",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Add up the attempts; those that did not hit their point are none."""
        said = evidence.observation(self.observation)
        try:
            hit = [each for each in said["attempts"] if each["hit"]]
            places = _places(hit)
            known = set(said.get("known", []))
            damage = _damage([each for each in hit if each["point"] not in known])
            doubts = _doubts(said)
        except (KeyError, TypeError, AttributeError):
            raise MalformedInput(f"observation {self.observation} is not what a pipeline drill saw") from None
        anomalies = [
            Anomaly(
                name=f"of {len(places[what])} {what} leave {output} {kind}" if kind in _LEFT else f"{kind} ({output})",
                count=len(_places(found)[what]),
                keys=[each["point"] for each in found],
                detail=[
                    each
                    for each in said.get("causes", [])
                    if [output, kind] in each["damage"] and each.get("what", CRASHES) == what
                ],
            )
            for (what, output, kind), found in damage.items()
        ]
        return judged(
            self.kind,
            examined=sum(map(len, places.values())),
            unit=CRASHES if set(places) <= {CRASHES} else "states and points",
            anomalies=anomalies,
            reasons=[*said.get("words", [])],
            unsure=doubts,
            blind_to=list(self.blind_to),
            result={name: said[name] for name in ("points", "states", "audit", "coverage") if name in said},
        )


_LEFT = ("lost", "duplicated", "changed", "orphan")
CRASHES = "crash states"
DISTURBED = {"cut": "cut connections", "late": "late messages", "zombie": "zombies"}
"""What one attempt of a way is called; those of all other ways are told by their crash states."""


def _places(attempts: Sequence[Mapping[str, Any]]) -> dict[str, set[Any]]:
    """By what they are called, what counts as one each: all attempts of one crash state, each point of another way."""
    found: dict[str, set[Any]] = defaultdict(set)
    for attempt in attempts:
        what = DISTURBED.get(attempt.get("way", ""), CRASHES)
        found[what].add(attempt["state"] if what == CRASHES else attempt["point"])
    return found


def _damage(attempts: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str, str], list[Mapping[str, Any]]]:
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for attempt in attempts:
        what = DISTURBED.get(attempt.get("way", ""), CRASHES)
        for difference in attempt["differences"]:
            found[what, difference["output"], difference["kind"]].append(attempt)
    return dict(sorted(found.items()))


def _doubts(said: Mapping[str, Any]) -> list[str]:
    """Why the drill, whatever it found, does not prove that nothing is wrong."""
    missed = [each for each in said["planted"] if not each["told"]]
    doubts = [f"the comparison is blind: planted in {e['output']}, {e['damage']}: it said {e['said']}" for e in missed]
    if not said["planted"]:
        doubts.append("no damage was planted: nobody knows whether the comparison would have seen any")
    wide = [each for each in said["attempts"] if not each["hit"]]
    doubts += [f"point {each['point']} was not hit: {each['why']}" for each in wide[:5]]
    doubts += [f"{len(wide) - 5} more points were not hit"] if len(wide) > 5 else []
    doubts += [
        f"point {each} is not like the others of its state: states do not hold for this pipeline"
        for each in said["audit"]["disagreeing"]
    ]
    doubts += [
        f"not covered: {count} connection{'s' if count > 1 else ''} to {address}; what was written there nobody saw"
        " (if it is only read: reads_from)"
        for address, count in sorted(said["coverage"]["not_covered"].items())
    ]
    return [*doubts, *said.get("doubts", [])]
