"""Causes that somebody knows of: told, and no reason to fail any more, as with linters; new ones still are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from chaosday.drills.pipelines.attempts import Attempt
from chaosday.drills.pipelines.story import Cause
from chaosday.errors import EvidenceMissing, InvalidExperiment
from chaosday.mechanisms.wire.messages import kin
from chaosday.model.base import Model
from chaosday.model.document import read_mapping
from chaosday.model.experiment import validated
from chaosday.record.run_directory import RunDirectory

HEAD = "# Written by 'chaosday known': a drill with 'known' naming this file fails for other causes only.\n"


class KnownCause(Model):
    """One of them: attempts of one name that fail in the same way after the same commit, whatever its values."""

    what: str
    after: str = ""
    damage: list[tuple[str, str]]

    @property
    def key(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """By which it is found again: literals and numbers of the statement do not count."""
        return self.what, kin(self.after), tuple(sorted(self.damage))


class KnownCauses(Model):
    """The file."""

    causes: list[KnownCause] = []


def read(path: Path) -> list[KnownCause]:
    """What a file holds; ``InvalidExperiment`` names the field at fault."""
    return validated(KnownCauses, read_mapping(path), f"{path}: ").causes


def told(causes: Sequence[Cause], known: Sequence[KnownCause], *, whole: bool = True) -> tuple[set[str], list[str]]:
    """The points of causes that are known, and in words which of the known ones were there, and, if the drill was a
    ``whole`` one, which were not."""
    keys: dict[object, list[Attempt]] = defaultdict(list)
    for cause in causes:
        # Statements that differ in their values alone are causes apart, and one that is known.
        keys[KnownCause(what=cause.what, after=cause.last_commit, damage=list(cause.damage)).key] += cause.attempts
    points: set[str] = set()
    words = []
    for each in known:
        damage = " and ".join(f"{output} {kind}" for output, kind in each.damage)
        if not (found := keys.get(each.key)):
            words += [f"known, and not found any more: {each.what} leave {damage}; take it out of the file"] * whole
            continue
        points |= {attempt.point for attempt in found}
        words.append(f"known: {len({attempt.place for attempt in found})} {each.what} leave {damage}")
    return points, words


def text_of(directory: RunDirectory) -> str:
    """The file for what a run found; ``EvidenceMissing`` where that is no drill of a pipeline."""
    evidence = directory.evidence()
    if not evidence.has("observations/pipeline"):
        raise EvidenceMissing(f"{directory.run} is no pipeline drill that came to its points")
    said: Sequence[Mapping[str, Any]] = evidence.observation("pipeline")["causes"]
    try:
        causes = [{name: each[name] for name in ("what", "after", "damage")} for each in said]
        listed = KnownCauses.model_validate({"causes": causes}).causes
    except (KeyError, ValueError):
        raise InvalidExperiment(f"{directory.run} holds causes that cannot be read") from None
    once = list({each.key: each for each in reversed(listed)}.values())[::-1]
    whole = KnownCauses(causes=once).model_dump(mode="json")
    return HEAD + yaml.safe_dump(whole, allow_unicode=True, sort_keys=False, width=1000)
