"""What is kept says which format it has: earlier ones are read, later ones refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

import chaosday
from chaosday.clock import SystemClock
from chaosday.drills.exploring.base import read_base
from chaosday.drills.finding_file import load_finding
from chaosday.drills.kinds import load_run
from chaosday.errors import UsageError
from chaosday.model.experiment import load
from chaosday.record.run_directory import FORMAT, FORMAT_FILE, RunDirectory

pytestmark = pytest.mark.kernel

EXPERIMENT = """
targets: {store: {kind: line_store}}
workloads: [{kind: register, target: store}]
checks: [{kind: register}]
"""
FINDING = """
finding: f
system: s
source: s
story: s
lab: redis
experiment: {}
unsound: {words: w}
sound: {words: w}
"""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run that was begun."""
    made = RunDirectory.create(tmp_path, "t", SystemClock())
    made.journal_path.touch()
    return made


def test_a_run_says_its_format_and_one_from_before_there_were_formats_is_read(run: RunDirectory) -> None:
    """The file is there from the beginning; without it, a run is of the time before."""
    assert run.read_json(FORMAT_FILE) == {"format": FORMAT}
    assert RunDirectory.open(run.path).run == run.run
    (run.path / FORMAT_FILE).unlink()
    assert RunDirectory.open(run.path).run == run.run


@pytest.mark.parametrize("found", [FORMAT + 1, 0, "1", None, True])
def test_a_run_of_a_later_chaosday_is_refused(run: RunDirectory, found: Any) -> None:
    """And so is one whose format is no number."""
    (run.path / FORMAT_FILE).write_bytes(orjson.dumps({"format": found}))
    with pytest.raises(UsageError, match="format"):
        RunDirectory.open(run.path)


@pytest.mark.parametrize("reads", [load_run, load, read_base, load_finding])
def test_a_file_may_say_its_format(reads: Callable[[Path], Any], tmp_path: Path) -> None:
    """This one and none are read, whatever reads it; a later one is refused, and the file is named once."""
    path, text = tmp_path / "a.yaml", FINDING if reads is load_finding else EXPERIMENT
    for said in ("", "format: 1\n"):
        path.write_text(said + text)
        assert reads(path)
    path.write_text("format: 2\n" + text)
    with pytest.raises(UsageError, match="has format 2, and this chaosday reads up to 1: upgrade chaosday") as refused:
        reads(path)
    assert str(refused.value).count(str(path)) == 1


def test_nothing_is_exported_but_what_is_documented() -> None:
    """The Python door is what docs/api.md promises, and every name in it can be had."""
    page = (Path(chaosday.__file__).parents[1] / "docs" / "api.md").read_text()
    assert dir(chaosday) == chaosday.__all__
    assert all(getattr(chaosday, name) is not None for name in chaosday.__all__)
    promised = {each.split("`")[0] for each in page.split("`chaosday.")[1:]}
    assert promised - {""} == set(chaosday.__all__)
