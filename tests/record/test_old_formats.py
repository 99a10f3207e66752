"""What earlier versions wrote is read: runs and files of experiments as they were made with the code of their day.

``formats/`` holds them, one archive a state of the repository, named by its day until there were formats: a run in
``runs/`` (without its page, which is made again), the file that it was made from and the ready ones of that day in
``files/``. A new format gets an archive of its own, made with the last commit before it.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from chaosday.campaign.catalogue import catalogue_of
from chaosday.drills.kinds import load_run
from chaosday.judging.rejudging import judge_again
from chaosday.record.journal import open_faults, parse, read
from chaosday.record.run_directory import FORMAT, FORMAT_FILE, RunDirectory
from chaosday.reporting.page import html

pytestmark = pytest.mark.kernel

KEPT = sorted((Path(__file__).parent / "formats").glob("*.tar.xz"))
NAMED = {path.name.removesuffix(".tar.xz"): path for path in KEPT}


@pytest.fixture(params=sorted(NAMED))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What one of them holds, unpacked."""
    with tarfile.open(NAMED[request.param]) as archive:
        archive.extractall(tmp_path / request.param, filter="data")
    return Path(tmp_path / request.param)


def run_in(kept: Path) -> RunDirectory:
    return RunDirectory.open(next((kept / "runs").iterdir()))


def test_each_format_is_kept_and_those_from_before_there_were_any() -> None:
    """An archive for every number up to ours."""
    assert {f"format-{number}" for number in range(1, FORMAT + 1)} <= set(NAMED)
    assert len(NAMED) - FORMAT >= 4


def test_a_run_is_judged_again_as_it_was(kept: Path) -> None:
    """The same outcome of each check over as many operations; what was sealed is unaltered."""
    run = run_in(kept)
    assert run.altered() == []
    again = {each.check: (each.outcome.value, each.examined) for each in judge_again(run)}
    assert again == {each["check"]: (each["outcome"], each["examined"]) for each in run.read_json("findings.json")}
    assert (run.path / FORMAT_FILE).exists() == kept.name.startswith("format-")


def test_a_run_has_its_page_and_its_place_in_a_campaign(kept: Path) -> None:
    """Both are made from it anew."""
    run, verdict = run_in(kept), run_in(kept).read_json("verdict.json")
    assert verdict["outcome"] in html(run)
    catalogue = catalogue_of([kept / "runs"], unsigned=True)
    assert [(each.run, each.outcome) for each in catalogue.runs] == [(run.run, verdict["outcome"])]


def test_a_fault_that_was_open_then_is_found(kept: Path) -> None:
    """A journal that ends where a kill ended it: between the injection and the undo, one fault is open."""
    raw = run_in(kept).journal_path.read_bytes()
    assert open_faults(read(run_in(kept).journal_path)) == []
    lines = raw.splitlines(keepends=True)
    cut = next(number for number, line in enumerate(lines) if b'"healing"' in line)
    (found,) = open_faults(parse(b"".join(lines[:cut])))
    assert (found.fault["kind"], found.target_name) == ("network.proxy.latency", "door")
    assert found.lease.undo


def test_files_of_experiments_and_drills_are_read(kept: Path) -> None:
    """Those that were ready then, and that of the run."""
    files = sorted((kept / "files").iterdir())
    assert [load_run(path).kind for path in files]
