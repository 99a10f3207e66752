"""The journal: durable, chained, readable by anybody, and honest about damage (G13)."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaosday.clock import ManualClock
from chaosday.errors import MalformedJournal
from chaosday.record.journal import Journal, open_faults, parse, read
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.local_process import LocalProcess

pytestmark = pytest.mark.kernel


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "journal.jsonl"


def _written(path: Path, count: int = 5) -> bytes:
    journal = Journal.create(path, "run-1", clock=ManualClock())
    for number in range(count):
        journal.append("noted", number=number, words="äöü \n x")
    journal.close()
    return path.read_bytes()


def test_what_is_appended_is_read_back_in_order(path: Path) -> None:
    """Records come back with their data, numbered from 0, each holding the hash of the one before."""
    _written(path)
    records = read(path).records
    assert [record.seq for record in records] == list(range(6))
    assert [record.data["number"] for record in records[1:]] == list(range(5))
    assert [record.prev for record in records[1:]] == [record.hash for record in records[:-1]]
    assert read(path).run == "run-1"


def test_one_changed_bit_anywhere_is_found(path: Path) -> None:
    """Every single bit of the file: changing it raises, naming the record, or cuts the last record off and says so."""
    raw = _written(path, 2)
    whole = len(parse(raw).records)
    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1 << (position % 8)
        try:
            reading = parse(bytes(changed))
        except MalformedJournal as error:
            assert "record " in str(error)
        else:
            pytest.fail(f"byte {position} of {len(raw)}: {len(reading.records)} of {whole} records, {reading.torn!r}")


@given(cut=st.integers(min_value=0))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_torn_tail_is_dropped_and_said(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    """Cut at any byte, the whole records before the cut are there, and what is left of the torn one is said."""
    raw = _written(tmp_path_factory.mktemp("cut") / "journal.jsonl")
    kept = raw[: cut % (len(raw) + 1)]
    reading = parse(kept)
    assert len(reading.records) == kept.count(b"\n")
    assert bool(reading.torn) == (not kept.endswith(b"\n") and bool(kept))


def test_going_on_after_a_torn_tail(path: Path) -> None:
    """Whoever resumes takes the torn bytes away, says so, and the chain goes on."""
    raw = _written(path)
    path.write_bytes(raw[:-7])
    journal = Journal.resume(path)
    assert "cut off" in journal.torn
    journal.append("resumed")
    journal.close()
    reading = read(path)
    assert [record.event for record in reading.records] == ["opened", *["noted"] * 4, "resumed"]
    assert not reading.torn


def test_missing_or_swapped_records_are_found(path: Path) -> None:
    """A record taken out of the middle, or two in another order, break the chain."""
    lines = _written(path).splitlines(keepends=True)
    for damaged in ([*lines[:2], *lines[3:]], [lines[0], lines[2], lines[1], *lines[3:]], lines[1:]):
        with pytest.raises(MalformedJournal):
            parse(b"".join(damaged))


def test_a_whole_journal_is_not_overwritten(path: Path) -> None:
    """A second run cannot take the same file."""
    _written(path)
    with pytest.raises(FileExistsError):
        Journal.create(path, "run-2")


def test_many_writers_make_one_chain(path: Path) -> None:
    """Threads of one process, and a second process, append in turn without breaking the chain."""
    journal = Journal.create(path, "run-1")
    program = "import sys; from pathlib import Path; from chaosday.record.journal import Journal\n"
    program += "j = Journal.resume(Path(sys.argv[1]))\nfor n in range(50): j.append('other', n=n)"
    other = subprocess.Popen([sys.executable, "-c", program, str(path)])
    threads = [
        threading.Thread(target=lambda: [journal.append("mine", n=number) for number in range(50)]) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert other.wait() == 0
    journal.close()
    events = [record.event for record in read(path).records]
    assert (events.count("mine"), events.count("other")) == (200, 50)


def test_open_faults_are_those_armed_and_not_seen_clean(path: Path, tmp_path: Path) -> None:
    """Planned only, armed, and clean: just the armed one is open, with all it takes to end it."""
    from chaosday.faults.process.pause import ProcessPause

    victim = subprocess.Popen(["sleep", "600"])
    try:
        target = LocalProcess(pid=victim.pid, state_dir=str(tmp_path / "leases"))
        journal = Journal.create(path, "run-1")
        life = Lifecycle("run-1", journal, {"p": target}, max_affected=3)
        fault = ProcessPause(target="p", ttl_s=60)
        done, armed, _planned = (life.plan(fault) for _ in range(3))
        for plan in (done, armed):
            life.arm(plan)
        life.heal(done)
        (found,) = open_faults(read(path))
        assert found.lease == armed.lease
        assert (found.stage, found.run, found.target_name) == ("armed", "run-1", "p")
        assert found.fault == fault.model_dump(mode="json")
        assert found.target == target.public()
        life.heal_all()
        assert open_faults(read(path)) == []
        journal.close()
    finally:
        victim.kill()
        victim.wait()
