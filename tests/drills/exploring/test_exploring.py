"""Searching and shrinking by real runs of the one engine: on a store of ours, on Redis, and on published findings."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from chaosday.clients.line_server import LineServer
from chaosday.clock import SystemClock
from chaosday.drills.exploring.base import Base, Limits, read_base
from chaosday.drills.exploring.exploration import Exploration, Explored
from chaosday.drills.exploring.ground import Asked, ground
from chaosday.drills.finding_file import ARMS, experiment_of, load_finding
from chaosday.errors import Halted, Refused
from chaosday.lab.stands import fresh
from chaosday.model.experiment import parse
from chaosday.model.store import Options
from chaosday.record.journal import read
from chaosday.safety.guardrails import Guardrails
from chaosday.safety.halting import HaltFile
from chaosday.safety.permission import Permission
from tests.broken.server import Broken
from tests.docs.pages import ROOT

pytestmark = pytest.mark.lab
FINDINGS = ROOT / "deployments" / "findings"
QUICK = Limits(least=1, of=1)


class Emptied(Broken):
    """A store whose space is new for each run: what is left of the one before is unexpected to the next."""

    def make(self, space: str, options: Options) -> None:
        super().__init__(self.switch)


@pytest.fixture
def store() -> Iterator[int]:
    serving = LineServer(Emptied(), lambda: "a sound store, 1")
    serving.start()
    try:
        yield serving.port
    finally:
        serving.close()


def small(port: int, folder: Path, **changes: Any) -> dict[str, Any]:
    """An experiment of a second on a store of ours, with a file that may be damaged."""
    victims = folder / "victims"
    victims.mkdir(exist_ok=True)
    (victims / ".chaosday-scratch").touch()
    (victims / "0.csv").write_text("0,x\n" * 300)
    here = {"kind": "local_host", "state_dir": str(folder / "leases")}
    fault = {"kind": "data.files", "target": "here", "path": str(victims), "match": "*.csv"}
    return {
        "title": "small",
        "targets": {"store": {"kind": "line_store", "port": port}, "here": here},
        "workloads": [{"kind": "set", "target": "store", "clients": 2}],
        "checks": [{"kind": "set"}],
        "faults": [{"at_s": 0, "fault": fault}],
        "baseline_s": 0.2, "fault_window_s": 0.2, "after_s": 0,
        **changes,
    }  # fmt: skip


def explored(
    base: Base, root: Path, system: Callable[[], Any] = lambda: nullcontext({}), *, patterns: tuple[str, ...] = (),
    guardrails: Guardrails | None = None, **asked: Any,
) -> Explored:  # fmt: skip
    with ground(
        base, system, root, Asked(**asked), permission=lambda: Permission.of(root, guardrails=guardrails),
        clock=SystemClock(), tell=print,
    ) as made:  # fmt: skip
        return Exploration(made, patterns).run()


def test_a_sound_store_has_nothing_to_be_found(store: int, tmp_path: Path) -> None:
    """As many runs as are allowed, each journaled before it is done; the bound is that of what was drawn,
    the fault that was drawn was undone each time, and no evidence of nothing is left."""
    base = Base("small", small(store, tmp_path), (small(store, tmp_path)["faults"][0]["fault"],))
    before = (tmp_path / "victims" / "0.csv").read_bytes()
    said = explored(base, tmp_path / "runs", runs=3)
    assert (said.found, said.outcome.value, said.runs, said.judged) == (False, "pass", 3, 2)
    assert said.at_most == pytest.approx(1 - 0.05 ** (1 / said.drawn))
    assert said.states
    assert (tmp_path / "victims" / "0.csv").read_bytes() == before
    events = [each.event for each in read(Path(said.folder) / "journal.jsonl").records]
    assert events == ["opened", "explore", "allowed", *(["run", "ran"] * 3), "explored"]
    assert sorted(each.name for each in (tmp_path / "runs").iterdir()) == ["explorations", "fences"]


def test_the_halt_switch_and_the_guardrails_hold_for_every_run(store: int, tmp_path: Path) -> None:
    """Halted: not one run begins. A fault that is not allowed: refused before anything is hurt, and said."""
    base = Base("small", small(store, tmp_path), (small(store, tmp_path)["faults"][0]["fault"],))
    switch = HaltFile(tmp_path / "runs" / "HALT")
    (tmp_path / "runs").mkdir()
    switch.halt("a test")

    def permission() -> Permission:
        return dataclasses.replace(Permission.of(tmp_path / "runs"), switches=(switch,))

    with (
        pytest.raises(Halted, match="a test"),
        ground(
            base, lambda: nullcontext({}), tmp_path / "runs", Asked(), permission=permission, clock=SystemClock(),
            tell=print,
        ) as made,
    ):  # fmt: skip
        Exploration(made).run()
    with pytest.raises(Refused, match="allowed_faults"):
        explored(base, tmp_path / "more", guardrails=Guardrails(allowed_faults=["network.*"], max_targets=9))
    for root in ("runs", "more"):
        journals = list((tmp_path / root).glob("*/journal.jsonl"))
        assert not [each for each in journals if any(r.event == "injecting" for r in read(each).records)]


def test_what_cannot_be_planned_is_given_up_and_said(store: int, tmp_path: Path) -> None:
    """A fault on files that are not marked as scratch: drawn twice, and the search ends with the reason."""
    experiment = small(store, tmp_path)
    (tmp_path / "victims" / ".chaosday-scratch").unlink()
    base = Base("small", experiment, (experiment["faults"][0]["fault"],))
    said = explored(base, tmp_path / "runs", runs=20)
    assert said.runs == 3
    assert "scratch" in said.unusable["data.files"]


def test_a_redis_that_forgets_is_found_and_shrunk_to_a_kill(tmp_path: Path) -> None:
    """From the base without its fault: killed, it loses; what is left is one fault and one client, and a file of two
    arms in which both have it."""
    base = read_base(FINDINGS / "redis-crash.yaml")
    base = dataclasses.replace(base, limits=QUICK)
    system = partial(fresh, base.lab, base.lab_options or {})
    said = explored(base, tmp_path / "runs", system, patterns=("process.kill",), budget_s=600)
    assert (said.found, said.anomalies, said.faults) == (True, ["lost"], 1)
    assert "process.kill" in said.smallest
    assert {"2 clients", "1 clients"} <= set(said.steps)
    written = Path(said.folder) / "smallest.yaml"
    finding = load_finding(written)
    for arm in ARMS:
        made = experiment_of(
            finding, arm, {"server": {"kind": "redis"}, "process": {"kind": "local_process", "pid": 1}}
        )
        value = parse(made)
        assert [each.fault.kind for each in value.faults] == ["process.kill"]
        assert value.workloads[0].clients == 1
    assert "process.kill" in (Path(said.folder) / "report.html").read_text()


def test_ctrl_c_leaves_nothing_and_says_where_it_stood(store: int, tmp_path: Path) -> None:
    """In the middle of a run: undone, its folder says what it had come to, and the shell sees the signal."""
    experiment = small(store, tmp_path, fault_window_s=600)
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(experiment))
    before = (tmp_path / "victims" / "0.csv").read_bytes()
    environment = {**os.environ, "CHAOSDAY_RUNS": str(tmp_path / "runs"), "CHAOSDAY_HALT": str(tmp_path / "halt")}
    going = subprocess.Popen(
        [sys.executable, "-m", "chaosday", "explore", "base.yaml", "--budget", "1h"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    end = time.monotonic() + 300
    while not _any(tmp_path / "runs", "workloads_started"):
        assert going.poll() is None and time.monotonic() < end, going.communicate()
        time.sleep(0.1)
    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=300)
    assert going.returncode == 130, said
    assert "ended early: 1 runs" in said and "Traceback" not in said
    assert (tmp_path / "victims" / "0.csv").read_bytes() == before
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or [])]
    (told,) = (tmp_path / "runs" / "explorations").glob("*/explored.json")
    assert json.loads(told.read_text())["found"] is False


def _any(root: Path, event: str) -> bool:
    return any(f'"{event}"' in each.read_text() for each in root.glob("*/journal.jsonl"))


def test_a_sweep_finds_where_clients_are_refused(store: int, tmp_path: Path) -> None:
    """A delay that no operation survives: below its time-out clients fare well, above it they fail."""
    swept = [
        sys.executable,
        "-m",
        "chaosday",
        "explore",
        "base.yaml",
        "--sweep",
        "fault_window_s=0.1,0.2",
        "--each",
        "1",
    ]
    (tmp_path / "base.yaml").write_text(yaml.safe_dump(small(store, tmp_path)))
    environment = {**os.environ, "CHAOSDAY_RUNS": str(tmp_path / "runs"), "CHAOSDAY_HALT": str(tmp_path / "halt")}
    done = subprocess.run(
        [*swept, "--json"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [(each["value"], each["runs"], each["broke"]) for each in said["points"]] == [(0.1, 1, 0), (0.2, 1, 0)]
    assert said["value"] is None and "never broke" in said["words"]
    assert (Path(said["folder"]) / "report.html").is_file()


OTHERS = {
    "postgresql-asynchronous-commit": "process.kill",
    "sqlite-lost-fsync": "",
    "nats-power-cut": "",
    "mariadb-lost-update": "",
    "sqlite-bit-flips": "",
    "rabbitmq-unconfirmed": "",
    "moto-check-then-put": "",
}
"""By a family, or by the faults that the finding's own arms name; some need none."""


@pytest.mark.slow
@pytest.mark.parametrize(("name", "family"), OTHERS.items())
def test_published_findings_are_found_from_their_base(name: str, family: str, tmp_path: Path) -> None:
    """By faults of the right family, and shrunk to two at most."""
    base = read_base(FINDINGS / f"{name}.yaml")
    system = partial(fresh, base.lab, base.lab_options or {})
    said = explored(base, tmp_path / "runs", system, patterns=(family,) if family else (), budget_s=900)
    assert said.found, said.words
    assert said.faults <= 2
    assert base.finding is not None and set(said.anomalies) & set(base.finding.unsound.anomalies)
