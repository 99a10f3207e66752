"""Causes that are known do not fail again; others do, and those that are gone are to be taken out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.checks.exactly_once import ExactlyOnce
from chaosday.clock import SystemClock
from chaosday.drills.pipelines.attempts import Attempt
from chaosday.drills.pipelines.differences import Difference
from chaosday.drills.pipelines.known import KnownCause, read, text_of, told
from chaosday.drills.pipelines.story import causes
from chaosday.errors import EvidenceMissing, InvalidExperiment
from chaosday.model.finding import Outcome
from chaosday.record.run_directory import RunDirectory
from tests.docs.pages import ROOT

pytestmark = pytest.mark.kernel
OUTPUT = "shop.public.orders"


def attempt(point: str, state: int, after: str, *kinds: str) -> Attempt:
    return Attempt(point, "kill", state, after, after, hit=True, differences=[Difference(OUTPUT, k, 1) for k in kinds])


ATTEMPTS = [
    attempt("1.after", 1, "insert into orders values (7, 'monday')", "duplicated"),
    attempt("2.after", 2, "delete from orders", "lost"),
    attempt("3.after", 3, "select 1"),
]


def drilled(folder: Path, known: list[KnownCause]) -> RunDirectory:
    directory = RunDirectory.create(folder / "runs", "drill", SystemClock())
    found = causes(ATTEMPTS)
    excused, words = told(found, known)
    said: dict[str, Any] = {
        "attempts": [each.to_dict() for each in ATTEMPTS], "causes": [each.to_dict() for each in found],
        "known": sorted(excused), "words": words, "planted": [{"told": True}], "audit": {"disagreeing": []},
        "coverage": {"not_covered": {}},
    }  # fmt: skip
    directory.write_json("observations/pipeline.json", said)
    return directory


@pytest.mark.parametrize(
    ("taken", "outcome", "left"),
    [
        ([], Outcome.VIOLATED, ["duplicated", "lost"]),
        ([0], Outcome.VIOLATED, ["lost"]),
        ([1], Outcome.VIOLATED, ["duplicated"]),
        ([0, 1], Outcome.PASS, []),
    ],
)
def test_only_what_is_not_known_fails(tmp_path: Path, taken: list[int], outcome: Outcome, left: list[str]) -> None:
    """What a run found is written to a file, and with as much of it as is kept the next one fails for the rest."""
    file = tmp_path / "known.yaml"
    file.write_text(text_of(drilled(tmp_path, [])))
    known = [each for number, each in enumerate(read(file)) if number in taken]
    finding = ExactlyOnce().judge(drilled(tmp_path, known).evidence())
    assert finding.outcome is outcome
    assert sorted(each.name.rpartition(" ")[2] for each in finding.anomalies) == left
    assert sum(reason.startswith("known: 1 crash states leave") for reason in finding.reasons) == len(taken)


def test_a_statement_is_known_whatever_its_values() -> None:
    """And one that is not found any more is said; another damage of the same statement is another cause."""
    known = KnownCause(
        what="crash states", after="insert into orders values (8, 'tuesday')", damage=[(OUTPUT, "duplicated")]
    )
    assert told(causes(ATTEMPTS), [known])[0] == {"1.after"}
    other = [known.model_copy(update={"damage": [(OUTPUT, "lost")]})]
    points, (words,) = told(causes(ATTEMPTS), other)
    assert points == set() and words.startswith("known, and not found any more")
    # Of a drill that did not come to all points nobody knows.
    assert told(causes(ATTEMPTS), other, whole=False) == (set(), [])


def test_causes_that_differ_in_values_alone_are_one(tmp_path: Path) -> None:
    """Written once, all of their points excused, and counted together."""
    again = attempt("4.after", 4, "insert into orders values (9, 'friday')", "duplicated")
    found = causes([*ATTEMPTS, again])
    assert len(found) == 3
    directory = RunDirectory.create(tmp_path / "runs", "drill", SystemClock())
    directory.write_json("observations/pipeline.json", {"causes": [each.to_dict() for each in found]})
    (tmp_path / "known.yaml").write_text(text_of(directory))
    known = read(tmp_path / "known.yaml")
    assert len(known) == 2
    points, said = told(found, known)
    assert points == {"1.after", "2.after", "4.after"}
    assert f"known: 2 crash states leave {OUTPUT} duplicated" in said


@pytest.mark.parametrize("text", ["causes: [{what: x}]", "causes: 3", "[]", "causes: [{what: x, damage: [[a]]}]"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """In words, before anything is killed."""
    (tmp_path / "known.yaml").write_text(text)
    with pytest.raises(InvalidExperiment):
        read(tmp_path / "known.yaml")


def test_another_run_has_no_causes(tmp_path: Path) -> None:
    """Of an experiment nothing is written."""
    with pytest.raises(EvidenceMissing):
        text_of(RunDirectory.create(tmp_path / "runs", "other", SystemClock()))


@pytest.mark.parametrize("name", ["github.yml", "gitlab.yml"])
def test_jobs_are_yaml_and_run_the_drill(name: str) -> None:
    """As their services read them."""
    text = (ROOT / "deployments" / "pipelines" / "ci" / name).read_text()
    assert yaml.safe_load(text) and "chaosday/run run pipeline.yaml" in text and "--junit junit.xml" in text
