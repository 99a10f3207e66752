"""A published finding as an experiment in two arms: the configuration that has it, and the one that has not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from chaosday.errors import InvalidExperiment, UsageError
from chaosday.model.base import Model
from chaosday.model.document import of_known_format, read_mapping
from chaosday.model.experiment import in_words

PLACE = re.compile(r"\$\{([a-z_0-9.]+)\}")
ArmName = Literal["unsound", "sound"]
ARMS: tuple[ArmName, ...] = ("unsound", "sound")


class Arm(Model):
    """One configuration: options of the lab, changes to the experiment, and what has to come of it."""

    words: str
    """What is configured, as a person would say it."""
    lab: dict[str, Any] = {}
    change: dict[str, Any] = {}
    """Merged into the experiment: mappings key by key, everything else in place of what was there."""
    anomalies: list[str] = []
    """Names of anomalies of which at least one has to be found, of a pipeline drill kinds of damage; none for the sound
    arm."""
    verdict: Literal["pass", "inconclusive"] = "pass"
    """What a sound arm has to come to: ``inconclusive`` where the system notices that its data is damaged and refuses
    to read it, so that nothing false is said and nothing more can be."""


class FindingFile(Model):
    """``deployments/findings/*.yaml``. Texts in the experiment may hold ``${name.of.a.fact}`` of the lab."""

    finding: str = Field(min_length=1, max_length=120)
    system: str
    source: str
    """Who published it, and where."""
    story: str
    """Why it happens, in a few sentences."""
    lab: str
    """Which lab starts the system: a module of ``chaosday.lab.stands``."""
    experiment: dict[str, Any]
    unsound: Arm
    sound: Arm

    def arm(self, name: ArmName) -> Arm:
        """One of the two."""
        return self.unsound if name == "unsound" else self.sound

    def counts(self, arm: ArmName, runs: Sequence[Mapping[str, Any]]) -> dict[str, int]:
        """What many runs of an arm came to, each of them its ``alarms`` by name, ``judged`` and ``shortfalls``.

        Sound: ``runs`` that came to an end that says something, ``unjudged`` ones that did not, and ``alarms``.
        Unsound: ``runs``, and those that ``found`` at least one of the anomalies that have to be found.
        """
        if arm == "unsound":
            found = sum(any(said["alarms"].get(name) for name in self.unsound.anomalies) for said in runs)
            return {"runs": len(runs), "found": found}
        ended = sum(map(self.says_something, runs))
        return {"runs": ended, "alarms": sum(bool(said["alarms"]) for said in runs), "unjudged": len(runs) - ended}

    def says_something(self, said: Mapping[str, Any]) -> bool:
        """Whether a run of the sound arm came to an end that does: judged, or refused where that is due."""
        return bool(said["judged"] or (self.sound.verdict == "inconclusive" and not said["shortfalls"]))


def is_finding(path: Path) -> bool:
    """Whether a file is one of these, and not an experiment."""
    return path.suffix in (".yaml", ".yml", ".json") and "finding" in read_mapping(path)


def load_finding(path: Path) -> FindingFile:
    """Read it through the strict door; ``InvalidExperiment`` names the field."""
    try:
        return FindingFile.model_validate(of_known_format(read_mapping(path)), extra="forbid")
    except ValidationError as error:
        raise InvalidExperiment(f"{path}: {in_words(error)}") from None
    except UsageError as error:
        words = str(error)
        raise type(error)(words if words.startswith(f"{path}: ") else f"{path}: {words}") from None


def experiment_of(finding: FindingFile, name: ArmName, facts: dict[str, Any]) -> dict[str, Any]:
    """The arm's experiment as plain data, its places filled with the lab's facts."""
    return {"title": f"{finding.finding}: {name}"[:120], **filled(merged_of(finding, name), facts)}


def merged_of(finding: FindingFile, name: ArmName) -> dict[str, Any]:
    """The arm's experiment as plain data, its places still there."""
    merged: dict[str, Any] = _merged(finding.experiment, finding.arm(name).change)
    return merged


def filled(experiment: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """An experiment with its places filled; ``InvalidExperiment`` names a fact that the lab has not."""
    done: dict[str, Any] = _filled(experiment, facts)
    return done


def _merged(base: Any, change: Any) -> Any:
    if isinstance(base, dict) and isinstance(change, dict):
        return {**base, **{name: _merged(base.get(name), value) for name, value in change.items()}}
    return change


def _filled(value: Any, facts: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, facts) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, facts) for each in value]
    if not isinstance(value, str):
        return value
    if whole := PLACE.fullmatch(value):
        return _fact(whole[1], facts)
    return PLACE.sub(lambda match: str(_fact(match[1], facts)), value)


def _fact(name: str, facts: dict[str, Any]) -> Any:
    found: Any = facts
    for part in name.split("."):
        if not isinstance(found, dict) or part not in found:
            raise InvalidExperiment(f"the lab has no fact called {name}; it has {', '.join(sorted(facts))}")
        found = found[part]
    return found
