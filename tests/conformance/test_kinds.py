"""Every promise holds for every kind of run: one suite over all there are (G1 to G15)."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chaosday.clock import SystemClock
from chaosday.drills.abandoned import conclude_abandoned
from chaosday.drills.kinds import kinds, parse_run
from chaosday.drills.leftovers import remove_leftovers
from chaosday.errors import EvidenceUnwritable
from chaosday.judging.verdict import SEVERITY, Verdict
from chaosday.model.clean import Clean
from chaosday.model.finding import Outcome
from chaosday.record.journal import open_faults, read
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import complete
from chaosday.running.run import VERBS, Run
from chaosday.safety.guardrails import Freeze, Guardrails, Window
from chaosday.safety.halting import HaltFile
from chaosday.safety.permission import Permission
from chaosday.servers.postgres import Node
from tests.conformance import arrangements
from tests.conformance.arrangements import ARRANGEMENTS, HURT, Bench, lasting
from tests.conformance.forking import FORKING

PATIENCE_S = 120.0
KINDS = sorted(ARRANGEMENTS)
NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)


@pytest.fixture
def bench(pair: tuple[Node, Node], server_directory: Path, tmp_path: Path) -> Iterator[Bench]:
    """A victim of its own for each test, where servers' accounts may enter."""
    folder = server_directory / f"kinds-{tmp_path.name}"
    folder.mkdir()
    folder.chmod(0o711)
    with Bench.made(folder, pair[0]) as made:
        yield made


def directory_of(bench: Bench) -> RunDirectory:
    return RunDirectory.create(bench.folder / "runs", "conformance", SystemClock())


def ran(kind: str, bench: Bench, permission: Permission | None = None, **changed: Any) -> tuple[Verdict, RunDirectory]:
    directory = directory_of(bench)
    with Run(parse_run(ARRANGEMENTS[kind](bench) | changed), directory, permission=permission) as run:
        return complete(run), directory


def events(directory: RunDirectory) -> list[str]:
    return [record.event for record in read(directory.journal_path).records] if directory.journal_path.exists() else []


def until(condition: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, f"it never came: {what}"
        time.sleep(0.05)


def assert_told(directory: RunDirectory, words: str) -> Verdict:
    """There is a verdict that says why, and a report."""
    verdict = Verdict.model_validate(directory.read_json("verdict.json"))
    assert verdict.outcome is Outcome.INCONCLUSIVE, verdict.reasons
    assert any(words in reason for reason in verdict.reasons), verdict.reasons
    assert (directory.path / "report.html").is_file() and (directory.path / "hashes.json").is_file()
    return verdict


@pytest.mark.kernel
def test_every_kind_has_an_arrangement() -> None:
    """A new kind is tested unasked: without an arrangement this fails."""
    assert set(ARRANGEMENTS) == set(kinds())


@pytest.mark.lab
@pytest.mark.parametrize("kind", KINDS)
def test_it_runs_to_its_end(kind: str, bench: Bench) -> None:
    """Undisturbed, each of the arrangements says something, and leaves everything as it was."""
    verdict, directory = ran(kind, bench)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    assert HURT & set(events(directory)) and bench.residue() == []


@pytest.mark.lab
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda runs: {"switches": (_thrown(runs / "HALT"),)}, "enough"),
        (lambda runs: {"switches": (HaltFile(runs),)}, "which means halted"),
        (lambda runs: {"scheduled_ns": 1}, "late run"),
        (lambda runs: {"guardrails": Guardrails(protected_names=["*127.0.0.1*", "LEASES", "here"])}, "protected_names"),
    ],
    ids=["halted", "switch unreadable", "late", "protected"],
)
def test_what_may_not_begin_touches_nothing(
    kind: str, bench: Bench, made: Callable[[Path], dict[str, Any]], words: str
) -> None:
    """Refused before a target is reached: a verdict that says why, a report, and an untouched victim."""
    runs = bench.folder / "runs"
    runs.mkdir(exist_ok=True)
    verdict, directory = ran(kind, bench, Permission.of(runs, **made(runs)))
    assert_told(directory, words)
    assert not {"planned", "prepare", "holding", "arming", "backup_begins"} & set(events(directory))
    assert bench.residue() == [] and not verdict.bites


def _thrown(path: Path) -> HaltFile:
    switch = HaltFile(path)
    switch.halt("enough")
    return switch


@pytest.mark.kernel
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("limits", "changed", "words"),
    [
        ({}, {"environment": "production-eu"}, "production-eu is refused"),
        ({"protected_names": ["*db-prod*"]}, {}, "db-prod-1"),
        ({"freezes": [Freeze(first="2026-11-20", last="2026-11-30")]}, {}, "freezes"),
        ({"windows": [Window(start="11:00", end="12:00")]}, {}, "windows"),
        ({"max_duration_s": 0.05}, {}, "max_duration_s"),
        ({}, {}, ""),
    ],
)
def test_guardrails_judge_every_kind(
    kind: str, tmp_path: Path, limits: dict[str, Any], changed: dict[str, Any], words: str
) -> None:
    """From its file alone, by what its targets are and not only by what the file calls them."""
    data = ARRANGEMENTS[kind](Bench(tmp_path, _Nowhere(), 1)) | changed
    elsewhere = {"kind": "postgresql", "host": "DB-prod-1.example.org"}
    data |= {"source": elsewhere} if "source" in data else {"targets": {**data["targets"], "x": elsewhere}}
    reasons = Guardrails.model_validate(limits).refusals(parse_run(data).intent(), NOW)
    found = [reason for reason in reasons if words.casefold() in reason.casefold()]
    assert (len(reasons) == 1 and found) if words else reasons == []


class _Nowhere:
    """A node that is only named."""

    data, bin, port, password = Path("/data"), Path("/bin"), 5432, ""


@pytest.mark.lab
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["halt", "guard"])
def test_a_live_run_is_stopped(kind: str, way: str, bench: Bench, tmp_path: Path) -> None:
    """In the middle of its harm: halted, or a guard that gives no answer any more; undone, judged, told."""
    switch, alive = HaltFile(tmp_path / "HALT"), tmp_path / "alive"
    alive.touch()
    data = lasting(kind, ARRANGEMENTS[kind](bench))
    if way == "guard":
        data |= _guarded(kind, data, alive)
    directory, found = directory_of(bench), list[Verdict]()

    def play() -> None:
        permission = Permission.of(bench.folder / "runs", switches=(switch,))
        with Run(parse_run(data), directory, permission=permission) as run:
            found.append(complete(run))

    thread = threading.Thread(target=play, daemon=True)
    thread.start()
    until(lambda: HURT & set(events(directory)) or not thread.is_alive(), "the harm")
    switch.halt("enough") if way == "halt" else alive.unlink()
    thread.join(PATIENCE_S)
    assert found
    assert_told(directory, "enough" if way == "halt" else "guard")
    assert open_faults(read(directory.journal_path)) == [] and bench.residue() == []


def _guarded(kind: str, data: dict[str, Any], alive: Path) -> dict[str, Any]:
    """A guard whose signal is lost when the file goes; on a database it is a program's, which reads the same file."""
    probe: dict[str, Any] = {"kind": "command", "target": "here", "run": f"[ -e {alive} ] || exit 127"}
    if kind == "restore":
        query = f"select 1 / (pg_stat_file('{alive}') is not null)::int"
        alive.parent.chmod(0o755)
        for folder in alive.parents:
            if folder.stat().st_mode & 0o001 == 0 and str(folder).startswith("/tmp/"):
                folder.chmod(0o711)
        probe = {"kind": "postgresql.query", "target": "source", "query": query, "at_least": 1}
    guard = {"probe": probe, "breaches": 2, "window": 3, "every_s": 0.1}
    if kind == "gameday":
        return {"abort": [*data["abort"], {"when": "no answer", "guard": guard}]}
    return {"guards": [guard]}


@pytest.mark.lab
@pytest.mark.parametrize("kind", KINDS)
def test_a_second_run_on_the_same_target_is_refused(kind: str, bench: Bench) -> None:
    """What somebody else holds is not touched, and the verdict names who does."""
    runs = bench.folder / "runs"
    permission = Permission.of(runs)
    directory = directory_of(bench)
    with Run(parse_run(ARRANGEMENTS[kind](bench)), directory, permission=permission) as run:
        run.preflight()
        for name in run.kind.holds(run):
            permission.fences.take(name, "somebody-else")
        run.baseline()
        assert not run.ready
        run.rollback()
        run.verify()
        run.report()
    assert_told(directory, "somebody-else holds")
    assert not {"prepare", "arming"} & set(events(directory)) and bench.residue() == []


@pytest.mark.lab
@pytest.mark.parametrize("kind", KINDS)
def test_the_worst_word_wins(kind: str, bench: Bench) -> None:
    """revert_failed over inconclusive over pass, and never a pass of nothing, whatever the kind."""
    said = []
    for cleans, shortfalls in (
        ([Clean(lease_id="cd-x-00", fault="f", target="t", residue=["it"])], ["late"]),
        ([], ["late"]),
    ):
        run = Run(parse_run(ARRANGEMENTS[kind](bench)), directory_of(bench))
        run.cleans, run.shortfalls = list(cleans), list(shortfalls)
        said.append(run.conclude().outcome)
        run.close()
    assert said == [Outcome.REVERT_FAILED, Outcome.INCONCLUSIVE]
    assert SEVERITY[-1] is Outcome.REVERT_FAILED


@pytest.mark.lab
@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_that_is_still_on_outranks_the_signal(kind: str, bench: Bench) -> None:
    """Stopped by a signal, and the undo did not work: the run ends as revert_failed and not as one that was stopped."""
    with Run(parse_run(ARRANGEMENTS[kind](bench)), directory_of(bench)) as run:
        os.kill(os.getpid(), signal.SIGTERM)
        run.preflight()
        run.rollback()
        run.cleans = [Clean(lease_id="cd-x-00", fault="f", target="t", residue=["it"])]
        verdict = run.report()
    assert verdict.outcome is Outcome.REVERT_FAILED
    assert "stopped by SIGTERM" in verdict.reasons


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
AT_ONCE = {("gameday", "baseline")}
"""Phases that are over as they begin: nobody could do anything in them."""
EVERY = [(k, number, phase) for k in KINDS for number in SIGNALS for phase in VERBS if (k, phase) not in AT_ONCE]
_dice = random.Random(18)
SAMPLE = {(kind, number, _dice.choice(VERBS)) for kind in KINDS for number in SIGNALS}
SAMPLE.add(("gameday", signal.SIGKILL, "inject"))
SAMPLE.add(("restore", signal.SIGKILL, "rollback"))  # with a copy that runs


def _case(case: tuple[str, int, str]) -> Any:
    kind, number, phase = case
    marks = [] if case in SAMPLE else [pytest.mark.slow]
    return pytest.param(*case, marks=marks, id=f"{kind}-{signal.Signals(number).name}-{phase}")


@pytest.mark.lab
@pytest.mark.parametrize(("kind", "number", "phase"), [_case(case) for case in EVERY])
def test_all_signals_end_it_alike(kind: str, number: int, phase: str, bench: Bench) -> None:
    """At the beginning of any phase: undone, nothing left, exit code of the signal; a verdict where we may live on."""
    directory = directory_of(bench)
    code = _in_a_child(bench, directory, kind, phase, lambda pid: os.kill(pid, number))
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
        until(lambda: not open_faults(read(directory.journal_path)), "the watchdog's undo")
        until(lambda: set(bench.residue()) <= set(bench.copies()), f"nothing left, but {bench.residue()}")
        assert_recovered(bench, directory, tables=kind == "restore" and "prepare" in events(directory))
        return
    assert code == 128 + number
    assert bench.residue() == []
    if phase == "report":
        assert (directory.path / "report.html").is_file()
    else:
        assert_told(directory, f"stopped by {signal.Signals(number).name}")


def assert_recovered(bench: Bench, directory: RunDirectory, *, tables: bool) -> None:
    """What a dead run can no longer take away itself is taken away afterwards, once the run is judged."""
    with psycopg.connect(bench.address, autocommit=True) as database:

        def found() -> list[Any]:
            named = "select relname from pg_class where relname like %s"
            return database.execute(named, [f"%{directory.token}%"]).fetchall()

        assert bool(found()) is tables
        did = conclude_abandoned([directory.journal_path])
        did += remove_leftovers([directory.journal_path], {"source": bench.target})
        assert did and all(each.ok for each in did), did
        assert found() == []
    assert bench.residue() == [] and not list(directory.path.glob("copy"))


FULL_AT = [(kind, phase) for kind in KINDS for phase in ("inject", "rollback", "verify")]
# One kind for the others: where evidence is written is the engine's business.
FULL_AT += [("experiment", phase) for phase in VERBS[:-1] if ("experiment", phase) not in FULL_AT]
FULL_SAMPLE = {(kind, _dice.choice(("inject", "rollback"))) for kind in KINDS}


@pytest.mark.lab
@pytest.mark.parametrize(
    ("kind", "phase"), [pytest.param(*c, marks=[] if c in FULL_SAMPLE else [pytest.mark.slow]) for c in FULL_AT]
)
def test_a_full_disk_ends_it_undone(kind: str, phase: str, bench: Bench) -> None:
    """Where evidence can no longer be written nothing is left all the same, and the end says that it could not be."""
    directory = directory_of(bench)
    code = _in_a_child(bench, directory, kind, phase, lambda pid: None, word=arrangements.FULL)
    assert code == EvidenceUnwritable("").exit_code
    assert bench.residue() == []


def _in_a_child(
    bench: Bench, directory: RunDirectory, kind: str, phase: str, act: Callable[[int], None], word: str = "go on"
) -> int | None:
    """Play a run in a process of its own, do something to it when the phase begins, and wait until it has ended."""
    ours, theirs = FORKING.Pipe()
    data = ARRANGEMENTS[kind](bench)
    process = FORKING.Process(target=arrangements.played, args=(theirs, data, directory.path, phase))
    process.start()
    theirs.close()
    try:
        assert ours.poll(PATIENCE_S) and ours.recv() == phase
        assert process.pid is not None
        act(process.pid)
        with contextlib.suppress(OSError):  # it may be dead by now
            ours.send(word)
        process.join(PATIENCE_S)
        return process.exitcode
    finally:
        process.kill()
        process.join()
        ours.close()
