"""What retention takes away, what it never does, and that nothing that was proven goes with it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaosday.campaign import pruning
from chaosday.campaign.campaigning import Series, series_of
from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.coverage import coverage
from chaosday.campaign.pruning import Cut, prune, to_prune
from chaosday.clock import ManualClock
from chaosday.record.journal import Journal
from tests.campaign.many_runs import ARun, a_year, write

pytestmark = pytest.mark.kernel
NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
CLOCK = ManualClock(origin_ns=int(NOW.timestamp() * 1e9))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def passes(root: Path, days_ago: list[float], **changes: object) -> list[Path]:
    """A pass of one experiment on each of these days."""
    return [
        write(root, ARun(NOW - timedelta(days=days), token=f"{number:06d}", evidence_bytes=5_000, **changes))  # type: ignore[arg-type]
        for number, days in enumerate(days_ago)
    ]


def cut_in(root: Path, keep: int = 2, months: int = 12) -> list[Cut]:
    """Prune the folder."""
    catalogue = catalogue_of([root])
    return prune(catalogue, to_prune(catalogue, CLOCK, keep, months)[0], CLOCK)


def said_of(root: Path) -> tuple[list[dict[str, object]], object]:
    """Everything that is reported of a folder's runs, but for whether they are whole."""
    runs = catalogue_of([root], rebuild=True).runs
    counted = [run.model_copy(update={"pruned": False}) for run in runs]
    left = Series.model_fields.keys() - {"runs"}
    return [each.model_dump(include=set(left)) for each in series_of(runs)], (coverage(runs, CLOCK), counted)


def test_a_year_is_cut_and_counted_as_before(root: Path) -> None:
    """Bounds, coverage, changes and every summary are what they were; most of the bytes are gone."""
    for run in a_year(300, until=NOW - timedelta(days=2), seed=3, evidence_bytes=8_000):
        write(root, run)
    before, size = said_of(root), sum(path.stat().st_size for path in root.rglob("*.parquet"))
    did = cut_in(root)
    assert did and all(each.done and not each.why_not for each in did)
    assert said_of(root) == before
    assert sum(path.stat().st_size for path in root.rglob("history.parquet")) < size
    catalogue = catalogue_of([root])
    assert all(not run.pruned for run in catalogue.runs if run.outcome != "pass")
    assert not cut_in(root), "there is nothing left to do"


def test_which_are_kept(root: Path) -> None:
    """The two newest, one a month, and none of before a year; the newest pass, however old."""
    days = [1.5, 2, 3, 4, 40, 41, 70, 400, 401]
    places = passes(root, days)
    cut_in(root)
    whole = [day for day, place in zip(days, places, strict=True) if (place / "history.parquet").exists()]
    assert whole == [1.5, 2, 40, 70]
    shutil.rmtree(root)
    old = passes(root, [700, 701])
    for number in range(3):
        write(root, ARun(NOW - timedelta(days=9 + number), outcome="violated", lost=1, token=f"bad{number:03d}"))
    cut_in(root)
    assert [(place / "history.parquet").exists() for place in old] == [True, False]


def _evidence(place: Path) -> None:
    (place / "history.parquet").write_bytes(b"other")


def _open(place: Path) -> None:
    """Nothing: the run was written with its fault still open."""


def _alive(place: Path) -> None:
    (place / "journal.jsonl").unlink()
    Journal.create(place / "journal.jsonl", place.name).close()


def _a_link(place: Path) -> None:
    place.rename(place.parent.parent / "elsewhere")
    place.symlink_to(place.parent.parent / "elsewhere")


def _others_may_write(place: Path) -> None:
    place.chmod(0o777)


def _altered(place: Path) -> None:
    (place / "plan.json").write_bytes((place / "plan.json").read_bytes() + b" ")


def _notes(place: Path) -> None:
    (place / "notes.md").write_text("what we saw that night")


def _later(place: Path) -> None:
    (place / "format.json").write_text('{"format": 999}')


@pytest.mark.parametrize("arrange", [_notes, _later, _open, _alive, _a_link, _others_may_write, _altered, _evidence])
def test_what_is_never_touched(root: Path, arrange: Callable[[Path], None]) -> None:
    """A fault that is open, a run that lives, a link, a folder of everybody's, altered evidence, notes of somebody, one
    of a later format: all stay as they are, also where the catalogue was read before it came to that."""
    passes(root, [2, 3])
    place = write(
        root,
        ARun(NOW - timedelta(days=390), token="ffffff", evidence_bytes=5_000, fault_stays_open=arrange is _open),
    )
    catalogue = catalogue_of([root])
    cuts, _ = to_prune(catalogue, CLOCK, 2, 0)
    arrange(place)
    before = sorted((path.name, path.lstat().st_size) for path in place.rglob("*"))
    assert [each.done for each in prune(catalogue, cuts, CLOCK)] == [False]
    cut_in(root, months=0)
    assert sorted((path.name, path.lstat().st_size) for path in place.rglob("*")) == before


def test_a_copy_and_what_is_in_the_folder_besides_stay(root: Path) -> None:
    """Only runs that are counted are cut: a copy, a folder of somebody's notes and the halt switch are not."""
    places = passes(root, [2, 3, 400])
    shutil.copytree(places[2], root / "my-copy")
    (root / "notes").mkdir()
    (root / "notes" / "verdict.json").write_text("{}")
    (root / "HALT").write_text("{}")
    assert [each.done for each in cut_in(root)] == [True]
    assert (root / "my-copy" / "history.parquet").exists() and (root / "notes" / "verdict.json").exists()


def test_links_within_a_run_are_not_followed(root: Path, tmp_path: Path) -> None:
    """What a link in a run leads to stays."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    place = passes(root, [2, 3, 400])[2]
    (place / "rows" / "link").symlink_to(tmp_path / "precious")
    assert [each.done for each in cut_in(root)] == [True]
    assert (tmp_path / "precious" / "file").exists() and not (place / "rows").exists()


@pytest.mark.parametrize("steps", range(9))
def test_it_may_be_interrupted_anywhere(root: Path, steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After any number of steps the run is counted as before, and the next time ends what was begun."""
    place = passes(root, [2, 3, 400])[2]
    (place / "report.html").touch()
    before = said_of(root)
    left = iter(range(steps))

    def counting(act: Callable[..., object]) -> Callable[..., object]:
        def step(*words: object, **named: object) -> object:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return act(*words, **named)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(pruning.os, "unlink", counting(pruning.os.unlink))
        patched.setattr(pruning.shutil, "rmtree", counting(pruning.shutil.rmtree))
        patched.setattr(pruning.os, "fsync", counting(pruning.os.fsync))
        with contextlib.suppress(KeyboardInterrupt):
            cut_in(root)
    assert said_of(root) == before
    cut_in(root)
    assert said_of(root) == before
    assert sorted(path.name for path in place.iterdir()) == [
        "hashes.json", "journal.jsonl", "summary.json", "verdict.json",
    ]  # fmt: skip


def test_a_forged_summary_counts_nothing(root: Path) -> None:
    """The summary of a cut run is believed with its hash and the worker's MAC alone."""
    place = passes(root, [2, 3, 400])[2]
    cut_in(root)
    summary = place / "summary.json"
    summary.write_bytes(summary.read_bytes().replace(b'"of": 1000', b'"of": 9000'))
    catalogue = catalogue_of([root])
    assert len(catalogue.runs) == 2 and "altered" in catalogue.left_out[place]


def test_the_command_shows_before_it_does(root: Path) -> None:
    """Without --yes nothing changes; with it, what was shown has gone."""
    days = (datetime.now(UTC) - NOW).days
    places = passes(root, [2 - days, 3 - days, 500 - days])

    def chaosday(*words: str) -> str:
        command = [sys.executable, "-m", "chaosday", "prune", str(root), "--keep", "2", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert "would be cut: 1 runs" in chaosday() and (places[2] / "history.parquet").exists()
    assert chaosday("--yes").startswith("cut: 1 runs") and not (places[2] / "history.parquet").exists()
