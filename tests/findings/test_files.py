"""The files of findings: whole, with their twins, and filled with nothing but what the lab said."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from chaosday.drills.finding_file import ARMS, PLACE, experiment_of, load_finding
from chaosday.errors import InvalidExperiment, UnknownName, UsageError
from chaosday.lab import stands
from scripts.findings import counted
from tests.commands.test_bad_input import chaosday
from tests.docs.pages import ROOT

pytestmark = pytest.mark.kernel
FILES = sorted((ROOT / "deployments" / "findings").glob("*.yaml"))
SMALL = {
    "finding": "something",
    "system": "a system",
    "source": "somebody, 1999",
    "story": "why",
    "lab": "redis",
    "experiment": {"targets": {"server": "${server}"}, "title": "on ${server.port}"},
    "unsound": {"words": "as installed", "anomalies": ["lost"]},
    "sound": {"words": "well configured", "change": {"targets": {"more": {"kind": "etcd"}}}},
}


def test_there_are_at_least_fifteen() -> None:
    """So that the tests below run on something."""
    assert len(FILES) >= 15


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_whole(path: Path) -> None:
    """It names its source, a lab that there is, and twins that differ; the unsound one names what has to be found."""
    finding = load_finding(path)
    assert finding.source and finding.story
    assert finding.lab in stands.names()
    assert finding.unsound.anomalies and not finding.sound.anomalies
    arms = [(each.lab, each.change) for each in (finding.unsound, finding.sound)]
    assert arms[0] != arms[1]
    for arm in ARMS:
        text = yaml.safe_dump([finding.experiment, finding.arm(arm).change])
        assert PLACE.search(text), "an experiment on nothing that the lab started"


def written(folder: Path, **changes: object) -> Path:
    path = folder / "finding.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}))
    return path


def test_places_are_filled_and_changes_merged(tmp_path: Path) -> None:
    """A place that is a whole text takes the fact as it is, one within a text as text; mappings are merged."""
    finding = load_finding(written(tmp_path))
    facts = {"server": {"kind": "redis", "port": 7}}
    made = experiment_of(finding, "sound", facts)
    assert made["targets"] == {"server": facts["server"], "more": {"kind": "etcd"}}
    assert made["title"] == "on 7"
    assert "more" not in experiment_of(finding, "unsound", facts)["targets"]


def test_a_fact_that_the_lab_has_not_is_named(tmp_path: Path) -> None:
    """The message says which, and what there is."""
    finding = load_finding(written(tmp_path))
    with pytest.raises(InvalidExperiment, match="no fact called server; it has other"):
        experiment_of(finding, "sound", {"other": 1})


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    """An unknown field, and findings beside experiments: 64, and nothing was started."""
    done = chaosday("run", str(written(tmp_path, typo=1)), cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (64, 1)
    (tmp_path / "experiment.yaml").write_text("title: one\n")
    done = chaosday("run", str(tmp_path / "experiment.yaml"), str(written(tmp_path)), cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (64, 1)
    assert not (tmp_path / "runs").exists()


def test_many_runs_are_counted_for_what_they_showed() -> None:
    """A sound run without a judgement is none; an unsound one that showed something else has not found it."""
    name = "redis-crash.yaml"
    silent: dict[str, object] = {"file": name, "alarms": {}, "judged": True, "shortfalls": []}
    lines = [
        silent | {"arm": "sound"},
        silent | {"arm": "sound", "alarms": {"lost": 1}},
        silent | {"arm": "sound", "judged": False, "shortfalls": ["the lab did not start"]},
        silent | {"arm": "unsound", "alarms": {"lost": 3}},
        silent | {"arm": "unsound", "alarms": {"duplicated": 3}},
        silent | {"arm": "unsound"},
    ]
    assert counted(lines) == {
        name: {"sound": {"runs": 2, "alarms": 1, "unjudged": 1}, "unsound": {"runs": 3, "found": 1}}
    }


def test_a_lab_is_told_nothing_that_it_does_not_know(tmp_path: Path) -> None:
    """An unknown lab, and an unknown option, before anything is started."""
    with pytest.raises(UnknownName, match="there are embedded, etcd"):
        stands.stand("oracle", tmp_path, {})
    with pytest.raises(UsageError, match="no option colour"):
        stands.stand("redis", tmp_path, {"colour": "red"})
    assert subprocess.run(["ls", str(tmp_path)], capture_output=True, check=True).stdout == b""
