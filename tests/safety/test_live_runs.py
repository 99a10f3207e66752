"""Safety while a run lives, against a real database: halted, late, held by others, rehearsed, unguarded."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.judging.verdict import Verdict
from chaosday.model.experiment import Experiment, parse
from chaosday.model.finding import Outcome
from chaosday.record.journal import open_faults, read
from chaosday.record.run_directory import RunDirectory
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.running.workloads import several
from chaosday.safety.guardrails import Guardrails
from chaosday.safety.halting import HaltFile
from chaosday.safety.permission import Permission
from chaosday.servers.postgres import Node

pytestmark = pytest.mark.lab

PATIENCE_S = 200


def experiment(node: Node, **changed: Any) -> Experiment:
    return parse(
        {
            "title": "live",
            "targets": {
                "db": {"kind": "postgresql", "port": node.port, "password": node.password, "via": "door"},
                "door": {"kind": "proxy_route", "upstream": f"127.0.0.1:{node.port}"},
                "here": {"kind": "local_host"},
            },
            "workloads": [{"kind": "ledger", "target": "db", "clients": 1, "rate_per_s": 50}],
            "faults": [{"fault": {"kind": "network.proxy.latency", "target": "door", "delay_ms": 200, "ttl_s": 300}}],
            "checks": [{"kind": "ledger"}],
            "baseline_s": 0.2,
            "fault_window_s": PATIENCE_S,
            "after_s": 0.1,
            "loss_rate_to_see": 0.9,
            "sight_budget_s": 600,
        }
        | changed
    )


def played(value: Experiment, directory: RunDirectory, permission: Permission | None = None) -> Verdict:
    with Run(ExperimentKind(value), directory, permission=permission) as run:
        play(run)
        run.verify()
        run.prove()
        verdict = run.conclude()
        run.clean_up()
    return verdict


def events(directory: RunDirectory) -> list[str]:
    if not directory.journal_path.exists():
        return []
    return [record.event for record in read(directory.journal_path).records]


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)


def test_halt_ends_live_runs_and_refuses_new_ones(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Three runs in the middle of their fault: all of it is undone long before their windows end; the next one
    injects nothing; after resume one may run again."""
    directories = [RunDirectory.create(tmp_path, "live", SystemClock()) for _ in range(3)]
    switch = HaltFile(tmp_path / "HALT")
    verdicts: list[Verdict] = []

    def run(directory: RunDirectory) -> None:
        permission = Permission.of(tmp_path, switches=(switch,))
        verdicts.append(played(experiment(pair[0]), directory, permission))

    threads = [threading.Thread(target=run, args=(directory,), daemon=True) for directory in directories]
    for thread in threads:
        thread.start()
    _until(lambda: all("attested" in events(directory) for directory in directories))
    switch.halt("enough")
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    assert [verdict.outcome for verdict in verdicts] == [Outcome.INCONCLUSIVE] * 3
    assert all("enough" in str(verdict.reasons) for verdict in verdicts)
    assert all(open_faults(read(directory.journal_path)) == [] for directory in directories)
    another = RunDirectory.create(tmp_path, "live", SystemClock())
    run(another)
    assert "injecting" not in events(another) and "enough" in str(verdicts[-1].reasons)
    switch.resume()
    allowed = RunDirectory.create(tmp_path, "live", SystemClock())
    permission = Permission.of(tmp_path, switches=(switch,))
    verdict = played(experiment(pair[0], fault_window_s=0.2), allowed, permission)
    assert verdict.outcome is Outcome.PASS, verdict.reasons


def test_a_baseline_goes_on_until_enough_was_done(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Where its seconds are too few for the loss rate, a longer time is allowed and used, and no more of it."""
    directory = RunDirectory.create(tmp_path, "drawn", SystemClock())
    asked = {"baseline_s": 0.1, "baseline_at_most_s": 300, "loss_rate_to_see": 0.05, "fault_window_s": 0.1}
    verdict = played(experiment(pair[0], **asked), directory)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    history = directory.evidence().history()
    fault_ns = next(r.monotonic_ns for r in read(directory.journal_path).records if r.event == "injecting")
    before = sum(end is not None and end < fault_ns for end in history.table["end_ns"].to_pylist())
    assert before >= several(0.05)


def test_a_backlog_of_late_runs_injects_nothing(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Twenty runs that were due an hour ago: twenty inconclusive verdicts that say so, no injection."""
    due = SystemClock().wall_ns() - 3_600 * 10**9
    for _ in range(20):
        directory = RunDirectory.create(tmp_path, "late", SystemClock())
        verdict = played(experiment(pair[0]), directory, Permission.of(tmp_path, scheduled_ns=due))
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert any(reason.startswith("late run") for reason in verdict.reasons)
        assert "arming" not in events(directory)


def test_a_second_experiment_on_a_held_target_is_refused(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """What one run hurts, another may not; afterwards it may."""
    from chaosday.mechanisms.proxy.client import ProxyProcess

    proxy = ProxyProcess.start(tmp_path / "proxy.json")
    shared = {"kind": "proxy_route", "upstream": f"127.0.0.1:{pair[0].port}", "control": str(proxy.state_file)}
    value = experiment(pair[0], fault_window_s=0.2)
    targets = value.targets | {"door": experiment(pair[0], targets=_with(pair[0], shared)).targets["door"]}
    value = value.model_copy(update={"targets": targets})
    permission = Permission.of(tmp_path)
    name = targets["door"].fences([])[0]
    token = permission.fences.take(name, "somebody-else")
    try:
        refused = played(value, RunDirectory.create(tmp_path, "held", SystemClock()), permission)
        assert any("somebody-else holds" in reason for reason in refused.reasons), refused.reasons
        assert not refused.bites
        permission.fences.release(token)
        verdict = played(value, RunDirectory.create(tmp_path, "held", SystemClock()), permission)
        assert verdict.outcome is Outcome.PASS, verdict.reasons
    finally:
        proxy.close()


def _with(node: Node, door: dict[str, Any]) -> dict[str, Any]:
    return {"db": {"kind": "postgresql", "port": node.port, "password": node.password, "via": "door"}, "door": door}


def test_a_rehearsal_comes_before_the_full_dose(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Injected, undone and seen clean once at a small dose, and only then for real."""
    directory = RunDirectory.create(tmp_path, "rehearsed", SystemClock())
    verdict = played(experiment(pair[0], fault_window_s=0.2, rehearsal_s=0.2), directory)
    assert verdict.outcome is Outcome.PASS, verdict.reasons
    happened = [event for event in events(directory) if event in ("injected", "clean", "rehearsed", "attested")]
    assert happened == ["injected", "clean", "rehearsed", "injected", "attested", "clean"]


def test_a_guard_that_loses_its_signal_stops_the_run(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """A monitor that is killed in the middle gives no answer, and no answer is a breach."""
    alive = tmp_path / "alive"
    alive.touch()
    guard = {
        "probe": {"kind": "command", "target": "here", "run": f"[ -e {alive} ] || exit 127"},
        "breaches": 2,
        "window": 3,
        "every_s": 0.1,
    }
    directory = RunDirectory.create(tmp_path, "guarded", SystemClock())
    found: list[Verdict] = []
    value = experiment(pair[0], guards=[guard])
    thread = threading.Thread(target=lambda: found.append(played(value, directory)), daemon=True)
    thread.start()
    _until(lambda: "attested" in events(directory))
    alive.unlink()
    thread.join(PATIENCE_S)
    assert found and found[0].outcome is Outcome.INCONCLUSIVE
    assert any("guard command" in reason for reason in found[0].reasons), found[0].reasons


@pytest.mark.parametrize(
    ("changed", "limits", "words"),
    [
        ({"environment": "production"}, None, "production is refused"),
        ({}, Guardrails(allowed_faults=["host.*"]), "allowed_faults"),
        ({}, Guardrails(approval_for=["network.*"]), "a second person has to agree"),
    ],
)
def test_what_is_not_permitted_touches_nothing(
    pair: tuple[Node, Node], tmp_path: Path, changed: dict[str, Any], limits: Guardrails | None, words: str
) -> None:
    """Refused in the plan, before a table is made or a target is reached."""
    directory = RunDirectory.create(tmp_path, "refused", SystemClock())
    verdict = played(experiment(pair[0], **changed), directory, Permission.of(tmp_path, guardrails=limits))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert any(words in reason for reason in verdict.reasons), verdict.reasons
    assert not {"planned", "prepare", "arming"} & set(events(directory))
