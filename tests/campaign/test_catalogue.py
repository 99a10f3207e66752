"""The catalogue is what the directories say, however it came to be, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chaosday.campaign.campaigning import series_of
from chaosday.campaign.catalogue import catalogue_of
from chaosday.campaign.catalogue_file import catalogue_path
from chaosday.record import key
from tests.campaign.many_runs import ARun, a_year, write

pytestmark = pytest.mark.kernel
DAY = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder with 30 runs of a year."""
    root = tmp_path / "runs"
    for run in a_year(30, until=DAY, seed=1):
        write(root, run)
    return root


def test_the_file_says_what_the_directories_say(runs: Path) -> None:
    """Read from the file, made anew, or with a run more and a run less: always as the directories are now."""
    first = catalogue_of([runs])
    assert len(first.runs) == 30 and catalogue_path(runs).is_file()
    assert catalogue_of([runs]) == first == catalogue_of([runs], rebuild=True)
    write(runs, ARun(DAY, token="00aaaa"))
    shutil.rmtree(first.places[first.runs[0].id])
    after = catalogue_of([runs])
    assert [run.run for run in after.runs] == [run.run for run in first.runs[1:]] + ["20260301T090000-failover-00aaaa"]
    assert after == catalogue_of([runs], rebuild=True)


def test_anybody_can_ask_it(runs: Path) -> None:
    """It is a Parquet file, and DuckDB reads it."""
    catalogue_of([runs])
    with duckdb.connect() as session:
        asked = f"select count(*) from '{catalogue_path(runs)}' where outcome = 'pass'"
        ((count,),) = session.execute(asked).fetchall()
    assert count == sum(run.outcome == "pass" for run in catalogue_of([runs]).runs)


@pytest.mark.parametrize("named", ["20260301T090000-failover-copied", "a-backup", "00000000T000000-first"])
def test_a_copy_is_no_evidence(runs: Path, tmp_path: Path, named: str) -> None:
    """A run counts once, whatever its copy is called and wherever it lies, and the original is the one that counts."""
    before = catalogue_of([runs])
    original = Path(before.places[before.runs[3].id])
    for place in (runs / named, tmp_path / "elsewhere" / original.name):
        shutil.copytree(original, place)
    after = catalogue_of([runs, tmp_path / "elsewhere"])
    assert after.runs == before.runs and len(after.copies) == 2
    assert after.places[before.runs[3].id].endswith(original.name)


def _edited(place: Path) -> None:
    verdict = orjson.loads((place / "verdict.json").read_bytes())
    (place / "verdict.json").write_bytes(orjson.dumps({**verdict, "outcome": "inconclusive"}))


def _resealed(place: Path) -> None:
    _edited(place)
    (place / "hashes.json").unlink()


def _opened_to_all(place: Path) -> None:
    place.chmod(0o777)


def _without_journal(place: Path) -> None:
    (place / "journal.jsonl").unlink()


def _nonsense(place: Path) -> None:
    (place / "hashes.json").unlink()
    (place / "plan.json").write_text("[]")


@pytest.mark.parametrize("harm", [_edited, _resealed, _opened_to_all, _without_journal, _nonsense])
def test_what_was_altered_is_told_and_not_counted(runs: Path, harm: Callable[[Path], None]) -> None:
    """Also where the catalogue knew the run as it was before."""
    before = catalogue_of([runs])
    place = Path(before.places[before.runs[5].id])
    harm(place)
    after = catalogue_of([runs])
    assert [run.id for run in after.runs] == [run.id for run in before.runs if run.id != before.runs[5].id]
    assert list(after.left_out) == [place] and after.left_out[place]


def test_a_key_of_another_worker_counts_where_it_is_asked_to(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that this worker did not sign is left out and told of, unless it is said to count."""
    (tmp_path / "key").write_bytes(os.urandom(32))
    (tmp_path / "key").chmod(0o600)
    theirs = catalogue_of([runs])
    monkeypatch.setenv(key.KEY_VARIABLE, str(tmp_path / "key"))
    ours = catalogue_of([runs])
    assert not ours.runs and len(ours.left_out) == 30
    assert catalogue_of([runs], unsigned=True).runs == theirs.runs


def test_a_forged_catalogue_is_made_again(runs: Path) -> None:
    """Nobody counts runs by writing them into the file, and damage to it costs nothing."""
    before = catalogue_of([runs])
    path = catalogue_path(runs)
    table = pq.read_table(path)
    forged = [line.replace("violated", "pass") for line in table["entry"].to_pylist()]
    table = table.set_column(table.schema.get_field_index("entry"), "entry", pa.array(forged))
    for content in (None, b"", b"PAR1 and no more"):
        if content is None:
            pq.write_table(table, path)
        else:
            path.write_bytes(content)
        assert catalogue_of([runs]) == before


def test_workers_at_the_same_time_lose_nothing(runs: Path) -> None:
    """Eight that write runs and the catalogue at once: all runs are in it afterwards, and nothing else is left."""

    def work(number: int) -> None:
        for each in range(5):
            write(runs, ARun(DAY + timedelta(days=1), token=f"{number:03d}{each:03d}"))
            catalogue_of([runs])

    workers = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(catalogue_of([runs]).runs) == 70
    assert [path.name for path in runs.iterdir() if path.is_file()] == [catalogue_path(runs).name]


def test_a_worker_that_can_have_no_key_reads(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It believes nothing, says so, and counts what it is told to; nothing is written."""
    monkeypatch.setenv(key.KEY_VARIABLE, str(tmp_path / "nowhere"))
    found = catalogue_of([runs])
    assert not found.runs and len(found.left_out) == 30
    assert len(catalogue_of([runs], unsigned=True).runs) == 30
    assert not list(runs.glob("catalogue-*"))


def test_a_folder_that_cannot_be_written_is_read(runs: Path) -> None:
    """Without a place for the catalogue the runs are read all the same."""
    catalogue_path(runs).mkdir()
    assert len(catalogue_of([runs]).runs) == 30


def test_a_change_of_version_is_tested(tmp_path: Path) -> None:
    """Eight of eight violated after an upgrade is no luck, one of eight may be; a copy makes neither any surer."""
    for number, (title, bad) in enumerate((("broken", 8), ("lucky", 1))):
        for each in range(16):
            violated = each >= 16 - bad
            write(
                tmp_path,
                ARun(
                    DAY + timedelta(hours=each), title=title, system=f"PostgreSQL {18 + each // 8}.0",
                    outcome="violated" if violated else "pass", lost=int(violated), token=f"{number}{each:05d}",
                ),
            )  # fmt: skip
    broken, lucky = series_of(catalogue_of([tmp_path]).runs)
    assert broken.change is not None and lucky.change is not None
    assert broken.change.significant and broken.change.words.startswith("changed: 0 of 8 runs violated with 18.0")
    assert not lucky.change.significant
    assert [(part.name, part.violations, part.of) for part in broken.by_version] == [
        ("18.0", 0, 8000),
        ("19.0", 8, 8000),
    ]
    assert [part.name for part in broken.by_month] == ["2026-03"]


def test_the_command_prints_bounds_to_their_meaning(tmp_path: Path) -> None:
    """Thousands of runs never come to "0.000 %", a series is a line, and what is not counted is told."""
    for each in range(70):
        write(tmp_path, ARun(DAY + timedelta(hours=each), of=10_000_000, token=f"{each:06d}"))
    shutil.copytree(next(tmp_path.glob("2026*")), tmp_path / "copied")
    done = subprocess.run(
        [sys.executable, "-m", "chaosday", "campaign", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"failover: 10 earlier, then {'+' * 60}; 0 of 700,000,000 rows lost or stale, ")
    assert "at most 43 of 10,000,000,000 (95 %)" in done.stdout
    assert "1 copies of runs that are" in done.stderr
