"""Recovery does with our rights what a journal says: so only our own are believed."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from chaosday.campaign.campaigning import runs_under
from chaosday.commands.recover import command
from chaosday.errors import Refused
from chaosday.faults.process.pause import ProcessPause
from chaosday.model.fault import FaultPlan, Reading
from chaosday.model.lease import Lease, Undo
from chaosday.processes import mark
from chaosday.processes.local_shell import RUN_MARK, LocalShell
from chaosday.record import key
from chaosday.record.journal import GENESIS, Journal, Record
from chaosday.targets.local_host import LocalHost
from chaosday.undo.ending import marked
from chaosday.undo.lease import ShellLeases
from chaosday.undo.recovery import journals_under, recover
from tests.attackers import STRANGER, needs_root, shared_folder, stranger

pytestmark = pytest.mark.lab


@pytest.fixture
def runs() -> Iterator[Path]:
    with shared_folder() as folder:
        yield folder


def _events(folder: Path) -> list[tuple[str, dict[str, object]]]:
    """A fault that is open, and whose undo would leave a canary."""
    undo = Undo(script=f"touch {folder}/canary-$(id -u)")
    lease = Lease(id="cd-planted-01", run="planted", fault="process.pause", target="p", undo=undo, ttl_s=60)
    plan = FaultPlan(lease=lease, affected=["p"], snapshot={}, baseline=Reading(value=0, unit="u", by="b"), data={})
    target = LocalHost(state_dir=str(folder / "leases"))
    planned = {
        "fault": ProcessPause(target="p").model_dump(mode="json"),
        "target_name": "p",
        "target": target.public(),
        "plan": plan.model_dump(mode="json"),
    }
    return [("planned", {"lease_id": lease.id, **planned}), ("arming", {"lease_id": lease.id})]


def _forged(folder: Path) -> bytes:
    """What anybody can write who can reckon SHA-256."""
    lines, prev = [], GENESIS
    for seq, (event, data) in enumerate([("opened", {"run": "planted"}), *_events(folder)]):
        bare = Record(seq, 1, 1, event, data, prev, "")
        prev = bare.digest()
        lines.append(replace(bare, hash=prev).line())
    return b"".join(lines)


def _ours(path: Path, folder: Path) -> None:
    """The journal of a run of ours that died with its fault open."""

    def run() -> None:
        journal = Journal.create(path, "planted")
        for event, data in _events(folder):
            journal.append(event, **data)

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    process.join()


def _canaries(folder: Path) -> list[Path]:
    return list(folder.glob("canary-*"))


@needs_root
def test_a_stranger_cannot_plant_a_journal(runs: Path) -> None:
    """A run directory that somebody else made in a shared folder of runs is named, left alone, and no alarm."""
    planted = stranger(
        'mkdir "$1/planted" && printf %s "$2" > "$1/planted/journal.jsonl"', runs, _forged(runs).decode()
    )
    assert planted.returncode == 0, planted.stderr
    did = recover(journals_under(runs))
    assert not _canaries(runs)
    assert [(each.ok, "belongs to user 65534" in each.words) for each in did] == [(True, True)]


@needs_root
@pytest.mark.parametrize("how", ["link to the folder", "link to the file", "hard link", "fifo"])
def test_no_link_leads_to_a_journal(runs: Path, tmp_path: Path, how: str) -> None:
    """Our own signed journal, led to from a place of a stranger's, is not run from there, nor does a fifo hold us."""
    elsewhere = tmp_path / "elsewhere"
    _ours(elsewhere / "planted" / "journal.jsonl", runs)
    place = runs / "planted"
    if how == "link to the folder":
        place.symlink_to(elsewhere / "planted")
    else:
        place.mkdir()
        if how == "link to the file":
            (place / "journal.jsonl").symlink_to(elsewhere / "planted" / "journal.jsonl")
        elif how == "fifo":
            os.mkfifo(place / "journal.jsonl")
        else:
            os.link(elsewhere / "planted" / "journal.jsonl", place / "journal.jsonl")
            os.chown(place, STRANGER, STRANGER)
    recover(journals_under(runs))
    assert not _canaries(runs)


def test_what_a_run_took_in_is_data(tmp_path: Path) -> None:
    """A journal and a verdict within a backup that a run copied are not a run's."""
    _ours(tmp_path / "run" / "copy" / "planted" / "journal.jsonl", tmp_path)
    (tmp_path / "run" / "copy" / "planted" / "verdict.json").write_text('{"outcome": "pass", "words": ""}')
    (tmp_path / "run" / "copy" / "planted" / "plan.json").write_text('{"title": "t"}')
    assert journals_under(tmp_path) == []
    assert runs_under([tmp_path]) == []


@needs_root
def test_a_verdict_of_a_strangers_is_not_pooled(runs: Path) -> None:
    """Somebody else's pass does not narrow our bound."""
    stranger('mkdir "$1/r"; echo "{}" > "$1/r/verdict.json"; echo "{\\"title\\": \\"t\\"}" > "$1/r/plan.json"', runs)
    assert (runs / "r" / "verdict.json").exists()
    assert runs_under([runs]) == []


def test_unsigned_is_listed_and_run_only_on_demand(tmp_path: Path) -> None:
    """A journal of before there were keys: nothing of it is run, --trust-unsigned shows it, and --yes runs it."""
    path = tmp_path / "planted" / "journal.jsonl"
    path.parent.mkdir()
    path.write_bytes(_forged(tmp_path))
    path.chmod(0o600)

    def said(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(command, [str(tmp_path), *words], standalone_mode=False)
        return done.return_value, done.output

    code, output = said()
    assert (code, "not signed" in output, "--trust-unsigned planted" in output) == (3, True, True)
    code, output = said("--trust-unsigned", "planted")
    assert (code, "touch" in output) == (3, True)
    assert not _canaries(tmp_path)
    _, output = said("--trust-unsigned", "planted", "--yes")
    assert len(_canaries(tmp_path)) == 1


def test_another_workers_signature_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal written with another key is not run; one with ours is."""
    _ours(tmp_path / "planted" / "journal.jsonl", tmp_path)
    other = tmp_path / "other.key"
    other.write_bytes(b"k" * key.KEY_BYTES)
    other.chmod(0o600)
    with monkeypatch.context() as changed:
        changed.setenv(key.KEY_VARIABLE, str(other))
        did = recover(journals_under(tmp_path))
    assert [(each.ok, "not signed by this worker" in each.words) for each in did] == [(False, True)]
    assert not _canaries(tmp_path)
    recover(journals_under(tmp_path))
    assert len(_canaries(tmp_path)) == 1


def test_a_folder_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """Who may write the folder may have exchanged the file: how to mend it is said."""
    _ours(tmp_path / "planted" / "journal.jsonl", tmp_path)
    (tmp_path / "planted").chmod(0o775)
    (left,) = recover(journals_under(tmp_path))
    assert (left.ok, "chmod go-w" in left.words) == (False, True)
    assert not _canaries(tmp_path)


@needs_root
def test_a_strangers_process_carries_no_mark_of_ours() -> None:
    """Neither the mark of a lease nor that of a run makes a stranger's process one of ours, to be counted or ended."""
    given = {mark.VARIABLE: "<cd-known-01>", RUN_MARK: key.run_mark("run-known")}
    theirs = subprocess.Popen(["setpriv", "--reuid", str(STRANGER), "--clear-groups", "sleep", "600"], env=given)
    ours = subprocess.Popen(["sleep", "600"], env={mark.VARIABLE: "<cd-known-01>"})
    named = subprocess.Popen(["sleep", "600"], env={RUN_MARK: "run-known"})
    try:
        found = LocalShell().run(mark.find("cd-known-01")).out.split()
        assert found == [str(ours.pid)]
        LocalShell().run(mark.end("cd-known-01"))
        assert (ours.wait(30), theirs.poll()) == (-15, None)
        assert named.pid not in [each.pid for each in marked("run-known")]
    finally:
        for process in (theirs, ours, named):
            process.kill()
            process.wait()


def _lease(folder: Path) -> Lease:
    return Lease(
        id="cd-mine-01", run="r", fault="f", target="t", undo=Undo(script=f"touch {folder}/canary-ours"), ttl_s=60
    )


@needs_root
@pytest.mark.parametrize("place", ["closed/leases", "open/leases", "theirs/leases", "theirs/link", "open"])
def test_a_state_directory_of_others_is_refused(runs: Path, place: str) -> None:
    """Where others may write or lead us elsewhere, nothing is armed, listed or healed, and a planted script not run."""
    closed = runs / "closed"
    closed.mkdir(mode=0o700)
    (runs / "open").mkdir()
    (runs / "open").chmod(0o777)
    stranger('mkdir "$1/theirs" "$1/theirs/leases" && ln -s "$2" "$1/theirs/link"', runs, closed)
    leases = ShellLeases(LocalShell(), str(runs / place))
    planted = Path(leases._installed)
    if place == "open":
        stranger('printf "touch %s\\n" "$2" > "$1"; mkdir "$3/cd-mine-01"', planted, runs / "canary-x", runs / place)
    if place == "closed/leases":
        leases.arm(_lease(runs))
        assert [each.id for each in leases.leases()] == ["cd-mine-01"]
        leases.heal("cd-mine-01")
        assert [each.name for each in _canaries(runs)] == ["canary-ours"]
        return
    for attempt in (lambda: leases.arm(_lease(runs)), leases.leases, lambda: leases.heal("cd-mine-01")):
        with pytest.raises(Refused, match="only this user may write"):
            attempt()
    assert not _canaries(runs)
    assert not list(runs.glob("**/undo"))
