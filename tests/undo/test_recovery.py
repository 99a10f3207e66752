"""Recovery ends what dead runs left, goes on past what it cannot, and says what it did."""

from __future__ import annotations

import multiprocessing
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from chaosday.faults.process.pause import ProcessPause
from chaosday.model.lease import LeaseHolder
from chaosday.record.journal import Journal, open_faults, read
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.local_host import LocalHost
from chaosday.targets.local_process import LocalProcess
from chaosday.undo.recovery import journals_under, open_in, recover, words

pytestmark = pytest.mark.lab


@pytest.fixture
def victims() -> Iterator[list[psutil.Process]]:
    started = [subprocess.Popen(["sleep", "600"]) for _ in range(3)]
    yield [psutil.Process(process.pid) for process in started]
    for process in started:
        process.kill()
        process.wait()


def _paused_by_a_dead_run(name: str, root: Path, victim: int) -> Path:
    """A run in a process of its own that pauses the victim for ten minutes and dies; returns its journal."""

    def run() -> None:
        target = LocalProcess(pid=victim, state_dir=str(root / "leases"))
        life = Lifecycle(name, Journal.create(root / name / "journal.jsonl", name), {"p": target})
        plan = life.plan(ProcessPause(target="p", ttl_s=600))
        life.arm(plan)
        life.inject(plan)
        signal.raise_signal(signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    return root / name / "journal.jsonl"


def test_it_goes_on_past_damage_and_says_what_it_did(tmp_path: Path, victims: list[psutil.Process]) -> None:
    """Of three dead runs one journal is damaged: the other two are healed from journals, the third from its lease."""
    journals = [_paused_by_a_dead_run(f"run-{n}", tmp_path, victim.pid) for n, victim in enumerate(victims)]
    assert [victim.status() for victim in victims] == [psutil.STATUS_STOPPED] * 3
    raw = bytearray(journals[1].read_bytes())
    # In the middle of a word: it is still JSON, and only the checksum can tell.
    raw[raw.rindex(b"pause")] ^= 1
    journals[1].write_bytes(raw)
    host = LocalHost(state_dir=str(tmp_path / "leases"))
    did = recover(journals_under(tmp_path), {"this machine": host})
    assert [victim.status() for victim in victims] == [psutil.STATUS_SLEEPING] * 3
    assert host.capability(LeaseHolder).leases() == []
    assert [entry.ok for entry in did].count(False) == 1
    said = "\n".join(words(did))
    assert "changed after it was written" in said
    assert "a lease without a journal here was ended" in said
    assert said.count("healed: process.pause on p: as it was") == 2
    for journal in (journals[0], journals[2]):
        assert open_faults(read(journal)) == []
    assert words(recover([journals[0]])) == ["nothing was left to recover"]


def test_what_is_left_is_listed_and_left(tmp_path: Path, victims: list[psutil.Process]) -> None:
    """Faults with age and owner, a damaged journal as one; nothing is ended and nothing written; then it is ended."""
    journals = [_paused_by_a_dead_run(f"run-{n}", tmp_path, victim.pid) for n, victim in enumerate(victims[:2])]
    before = journals[1].read_bytes()
    journals[0].write_bytes(journals[0].read_bytes().replace(b"pause", b"pausf"))
    for _ in range(2):
        damaged, found = open_in(journals)
        assert not damaged.ok and "changed after it was written" in damaged.words
        assert (found.run, found.fault, found.target) == ("run-1", "process.pause", "p")
        assert re.match(r"open since it was inject\w+; \d+ \w+ old, of process \d+ on ", found.words)
    assert journals[1].read_bytes() == before
    assert [victim.status() for victim in victims[:2]] == [psutil.STATUS_STOPPED] * 2
    recover(journals[1:])
    assert open_in(journals[1:]) == []
    LocalHost(state_dir=str(tmp_path / "leases")).capability(LeaseHolder).heal(
        LocalHost(state_dir=str(tmp_path / "leases")).capability(LeaseHolder).leases()[0].id
    )


def test_a_torn_journal_is_enough(tmp_path: Path, victims: list[psutil.Process]) -> None:
    """The last record cut short by the death of its writer: the fault is ended, and the cut is said."""
    journal = _paused_by_a_dead_run("run-t", tmp_path, victims[0].pid)
    journal.write_bytes(journal.read_bytes()[:-9])
    did = recover([journal])
    assert victims[0].status() == psutil.STATUS_SLEEPING
    assert any("cut off" in entry.words for entry in did)
    assert all(entry.ok for entry in did)


def test_what_it_cannot_reach_is_said(tmp_path: Path, victims: list[psutil.Process]) -> None:
    """One of two faults is on a target of a kind that is not known here: it stays open, and the other ends."""

    def run() -> None:
        targets = {
            name: LocalProcess(pid=victims[n].pid, state_dir=str(tmp_path / name)) for n, name in enumerate("ab")
        }
        journal = Journal.create(tmp_path / "run-u" / "journal.jsonl", "run-u")
        life = Lifecycle("run-u", journal, targets, max_affected=2)
        for name in "ab":
            plan = life.plan(ProcessPause(target=name, ttl_s=600))
            life.arm(plan)
            life.inject(plan)
        (planned,) = (record.data for record in journal.reading().records if record.data.get("target_name") == "b")
        journal.append("planned", **{**planned, "target": {"kind": "no_such_kind"}})
        signal.raise_signal(signal.SIGKILL)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()
    did = recover([tmp_path / "run-u" / "journal.jsonl"])
    assert [(entry.target, entry.ok) for entry in did] == [("b", False), ("a", True)]
    assert "no target called 'no_such_kind'" in did[0].words
    assert [victim.status() for victim in victims[:2]] == [psutil.STATUS_SLEEPING, psutil.STATUS_STOPPED]
    assert [fault.target_name for fault in open_faults(read(tmp_path / "run-u" / "journal.jsonl"))] == ["b"]
    assert LocalProcess(pid=victims[1].pid, state_dir=str(tmp_path / "b")).capability(LeaseHolder).leases()
    did = recover([tmp_path / "run-u" / "journal.jsonl"], {"b": LocalHost(state_dir=str(tmp_path / "b"))})
    assert [entry.ok for entry in did] == [True]
    assert victims[1].status() == psutil.STATUS_SLEEPING
