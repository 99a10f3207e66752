"""Bad input: one clear line, the right exit code, nothing injected, no secret."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaosday.servers.postgres import Node

CANARY = "canary-5f2e-secret"
Change = Callable[[dict[str, Any]], None]


def chaosday(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The program as a user starts it."""
    environment = {**os.environ, "CHAOSDAY_RUNS": str(cwd / "runs"), "HOME": str(cwd)}
    return subprocess.run(
        [sys.executable, "-m", "chaosday", *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def experiment(node: Node) -> dict[str, Any]:
    """A small experiment on a real server."""
    return {
        "title": "bad input",
        "targets": {
            "db": {"kind": "postgresql", "port": node.port, "password": node.password, "via": "door"},
            "door": {"kind": "proxy_route", "upstream": f"127.0.0.1:{node.port}"},
        },
        "workloads": [{"kind": "ledger", "target": "db", "clients": 2}],
        "steady_state": [{"kind": "postgresql.write", "target": "db"}],
        "faults": [{"fault": {"kind": "network.proxy.latency", "target": "door", "delay_ms": 200, "ttl_s": 60}}],
        "checks": [{"kind": "ledger"}],
        "baseline_s": 0.3,
        "baseline_at_most_s": 300,
        "fault_window_s": 0.3,
        "after_s": 0.2,
        "loss_rate_to_see": 0.1,
    }


def written(folder: Path, data: dict[str, Any]) -> Path:
    """The experiment as a file."""
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def fault(**fields: Any) -> Change:
    return lambda data: data["faults"][0]["fault"].update(fields)


def target(name: str, **fields: Any) -> Change:
    return lambda data: data["targets"][name].update(fields)


def top(**fields: Any) -> Change:
    return lambda data: data.update(fields)


@pytest.mark.breadth
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (fault(delay=20), "faults.0.fault.network.proxy.latency.delay: there is no such field"),
        (fault(kind="network.proxy.latencyy"), "did you mean network.proxy.latency"),
        (fault(target="window"), "no target is called 'window'"),
        (fault(delay_ms=-1), "faults.0.fault"),
        (top(targets={}), "name at least one target"),
        (top(workloads=[]), "at least one is needed"),
        (top(workloads=[{"kind": "ledger", "target": "db", "clients": 0}]), "clients"),
        (target("db", password=[CANARY]), "password"),
        (target("db", via="window"), "via"),
    ],
)
def test_a_wrong_experiment_is_a_usage_error(
    pair: tuple[Node, Node], tmp_path: Path, change: Change, words: str
) -> None:
    """Exit 64, one line that names the place, and no run directory."""
    data = experiment(pair[0])
    change(data)
    done = chaosday("run", str(written(tmp_path, data)), cwd=tmp_path)
    assert done.returncode == 64, done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert CANARY not in done.stdout + done.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (target("db", password=CANARY), "refuses us"),
        (target("db", database="nowhere"), "does not exist"),
        (target("door", upstream="127.0.0.1:1"), "no answer from 127.0.0.1:1"),
    ],
)
def test_what_cannot_be_reached_is_inconclusive(
    pair: tuple[Node, Node], tmp_path: Path, change: Change, words: str
) -> None:
    """The plan of an experiment on something unreachable says why in one line, exits 2, and injects nothing."""
    data = experiment(pair[0])
    change(data)
    done = chaosday("plan", str(written(tmp_path, data)), "--json", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    shortfalls = json.loads(done.stdout)["shortfalls"]
    assert any(words in reason for reason in shortfalls), shortfalls
    assert all("\n" not in reason for reason in shortfalls)
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "Missing argument"),
        (["run", "nothing.yaml"], "No such file"),
        (["frobnicate"], "No such command"),
        (["report", "nowhere"], "not a run directory"),
        (["catalogue", "process.kil"], "did you mean process.kill"),
        (["plan", "."], "not a regular file"),
    ],
)
def test_a_wrong_command_is_one_line(tmp_path: Path, words: list[str], said: str) -> None:
    """No traceback, one line, an exit code that is not a verdict's of success."""
    done = chaosday(*words, cwd=tmp_path)
    assert done.returncode == 64
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_recover_with_nothing_to_do_says_so(tmp_path: Path) -> None:
    """An empty folder is clean."""
    done = chaosday("recover", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, "nothing was left to recover")


def test_the_catalogue_names_every_member(tmp_path: Path) -> None:
    """What the registry has, the catalogue lists, as JSON schemas too."""
    from chaosday.registry import FAMILIES, members

    listed = chaosday("catalogue", cwd=tmp_path).stdout
    schemas = json.loads(chaosday("catalogue", "--json", cwd=tmp_path).stdout)
    for family in FAMILIES:
        for kind in members(family):
            assert kind in listed
            assert schemas[family][kind]["properties"]["kind"]["default"] == kind
