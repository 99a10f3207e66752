"""Actions that somebody wrote: each is done, undone in reverse order, and heard where it fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaosday.clients.line_server import LineServer
from chaosday.clock import SystemClock
from chaosday.drills.experiment.kind import ExperimentKind
from chaosday.errors import CapabilityMissing, InvalidExperiment, TargetUnreachable, UsageError
from chaosday.model.experiment import parse
from chaosday.model.finding import Outcome
from chaosday.processes.calling import called
from chaosday.record.run_directory import RunDirectory
from chaosday.registry import member
from chaosday.running.playing import play
from chaosday.running.run import Run
from chaosday.safety.guardrails import Guardrails
from tests.broken.server import Broken
from tests.docs.pages import ROOT

RUN = {"kind": "command", "target": "here", "run": "true"}
KINDS: list[dict[str, Any]] = [
    RUN,
    {"kind": "http", "target": "here"},
    {"kind": "sql", "target": "here"},
    {"kind": "python", "target": "here", "call": "os:getcwd"},
]


def experiment(port: int = 1, **changes: Any) -> dict[str, Any]:
    """Clients on a store of ours, and this machine."""
    return {
        "targets": {"store": {"kind": "line_store", "port": port}, "here": {"kind": "local_host"}},
        "workloads": [{"kind": "set", "target": "store", "clients": 1, "rate_per_s": 100}],
        "checks": [{"kind": "set"}],
        "baseline_s": 0.1, "fault_window_s": 0.1, "after_s": 0,
        **changes,
    }  # fmt: skip


@pytest.mark.kernel
@pytest.mark.parametrize("action", KINDS, ids=lambda each: each["kind"])
def test_an_action_says_how_it_is_undone_or_that_it_is_not(action: dict[str, Any]) -> None:
    """Neither and both are refused; what cannot be undone needs a second person, what can needs none."""
    undo = {"http": {"undo_path": "/x"}, "python": {"undo": "os:getcwd"}}.get(action["kind"], {"undo": "select 2"})
    for wrong in ({}, {**undo, "irreversible": True}):
        with pytest.raises(InvalidExperiment, match=r"actions\.0: .*irreversible"):
            parse(experiment(actions=[{**action, **wrong}]))
    lasting = ExperimentKind(parse(experiment(actions=[{**action, "irreversible": True}]))).intent()
    undone = ExperimentKind(parse(experiment(actions=[{**action, **undo}]))).intent()
    assert Guardrails().needs_approval(lasting) == [f"action {action['kind']}"]
    assert Guardrails().needs_approval(undone) == []
    assert len(undone.commands) == (0 if action["kind"] == "http" else 2)


@pytest.mark.lab
@pytest.mark.parametrize(("undo", "outcome"), [("echo back >> {log}", None), ("exit 3", Outcome.REVERT_FAILED)])
def test_actions_are_undone_last_first(tmp_path: Path, undo: str, outcome: Outcome | None) -> None:
    """Also where one of them failed; an undo that fails is the worst verdict there is, and the others are tried."""
    log = tmp_path / "log"
    fault = {"kind": "data.files", "target": "here", "path": str(tmp_path / "victims"), "match": "*.csv"}
    (tmp_path / "victims").mkdir()
    (tmp_path / "victims" / ".chaosday-scratch").touch()
    (tmp_path / "victims" / "0.csv").write_text("0,x\n" * 300)
    actions = [
        {**RUN, "run": f"echo one >> {log}", "undo": f"echo un-one >> {log}"},
        {**RUN, "run": f"echo two >> {log}", "undo": undo.format(log=log)},
        {**RUN, "run": f"echo three >> {log}; exit 7", "undo": f"echo un-three >> {log}"},
    ]
    with LineServing() as port:
        value = parse(experiment(port, actions=actions, faults=[{"at_s": 0, "fault": fault}]))
        directory = RunDirectory.create(tmp_path / "runs", "actions", SystemClock())
        with Run(ExperimentKind(value), directory) as run:
            play(run)
            run.verify()
            verdict = run.report()
    back = ["back"] if outcome is None else []
    assert log.read_text().split() == ["one", "two", "three", "un-three", *back, "un-one"]
    assert any("exit code 7" in each for each in run.shortfalls)
    assert (verdict.outcome is Outcome.REVERT_FAILED) == (outcome is Outcome.REVERT_FAILED)


class LineServing:
    """A store of ours that keeps what it acknowledged."""

    def __enter__(self) -> int:
        self._serving = LineServer(Broken(), lambda: "a sound store, 1")
        self._serving.start()
        return self._serving.port

    def __exit__(self, *error: object) -> None:
        self._serving.close()


@pytest.mark.kernel
def test_a_function_s_answer_or_error_comes_back() -> None:
    """What it returns; what it raises, whatever that is; where there is none; where it takes too long."""
    assert called("json:loads", {"s": "[1]"}, 5) == [1]
    with pytest.raises(TargetUnreachable, match="JSONDecodeError"):
        called("json:loads", {"s": "{"}, 5)
    for missing in ("no_such_package:x", "json:no_such"):
        with pytest.raises(CapabilityMissing, match="cannot be called here"):
            called(missing, {}, 5)
    with pytest.raises(TargetUnreachable, match=r"within 0\.05 s"):
        called("subprocess:check_output", {"args": ["sleep", "3"]}, 0.05)
    with pytest.raises(UsageError):
        called("", {}, 1)


PLUGIN = '''"""A fault of somebody's own."""
from typing import Literal
from chaosday.faults.process.pause import ProcessPause
class Nap(ProcessPause):
    """Pauses a process for a nap."""
    kind: Literal["mine.nap"] = "mine.nap"
'''
WRITTEN = ("kind: Literal['mine.doze'] = 'mine.doze'", 'kind: str = "mine.rest"')
"""Other ways to write a kind, each a plugin of its own."""
CODE = """
from chaosday.registry import kinds_of, member, members
print(member('faults', 'mine.nap').__module__, len(members('faults')))
print(list(kinds_of('faults')) == list(members('faults')), *(each for each in members('faults') if 'mine' in each))
print(member('faults', 'process.pause') is members('faults')['process.pause'], member('faults', 'process.pause'))
"""


@pytest.mark.kernel
def test_a_plugin_is_found_as_installed_and_a_broken_one_takes_nobody_down(tmp_path: Path) -> None:
    """By its entry points; one that cannot be imported is one line, and its neighbours are there."""
    kind = 'kind: Literal["mine.nap"] = "mine.nap"'
    others = [(f"plugin{n}", PLUGIN.replace(kind, each)) for n, each in enumerate(WRITTEN)]
    same = ("same_plugin", PLUGIN.replace("mine.nap", "process.pause"))
    bad = ("bad_plugin", "raise RuntimeError('no\\nluck')\n")
    for name, text in (("nap_plugin", PLUGIN), bad, same, *others):
        (tmp_path / f"{name}.py").write_text(text)
        info = tmp_path / f"{name}-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[chaosday.faults]\n{name} = {name}\n")
    environment = {"PYTHONPATH": f"{tmp_path}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}

    def done(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)

    said = done("-c", CODE)
    assert said.stdout.split()[0] == "nap_plugin", said.stderr
    assert int(said.stdout.split()[1]) > 100
    assert said.stdout.splitlines()[1:] == [
        "True mine.doze mine.nap mine.rest",
        "True <class 'chaosday.faults.process.pause.ProcessPause'>",
    ]
    listed = done("-m", "chaosday", "catalogue", "faults")
    assert listed.returncode == 0
    assert "mine.nap" in listed.stdout and "process.pause" in listed.stdout
    assert listed.stderr.splitlines() == [
        "the plugin bad_plugin (bad_plugin) cannot be imported and is left out: RuntimeError: no luck",
        "the plugin same_plugin (same_plugin) has a fault process.pause, as chaosday.faults.process.pause has: "
        "its own is left out",
    ]


@pytest.mark.kernel
def test_a_python_probe_judges_what_comes_back() -> None:
    """A truth, a number within bounds; what is no number, and an error, are no answer."""
    probe = member("probes", "python")
    cases: list[tuple[dict[str, Any], bool | None]] = [
        ({"call": "json:loads", "arguments": {"s": "true"}}, True),
        ({"call": "json:loads", "arguments": {"s": "0"}}, False),
        ({"call": "json:loads", "arguments": {"s": "7"}, "at_most": 5}, False),
        ({"call": "json:loads", "arguments": {"s": "7"}, "at_least": 5}, True),
        ({"call": "json:loads", "arguments": {"s": "[]"}, "at_least": 5}, None),
        ({"call": "json:loads", "arguments": {"s": "{"}}, None),
    ]
    for fields, healthy in cases:
        assert probe.model_validate(fields).read(None).healthy is healthy  # type: ignore[attr-defined]
