"""A secret is in no place where it can be found: one run is searched everywhere, while it runs and afterwards."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest
import yaml

from chaosday.servers.postgres import Node

pytestmark = pytest.mark.lab
CANARY = "canary-8c41-secret"
FORMS = (CANARY.encode(), base64.b64encode(CANARY.encode()).rstrip(b"="))


def experiment_on(node: Node) -> dict[str, object]:
    """Latency before a real database, whose password is told to all that logs in: clients, probes, tools."""
    database = {**node.target(), "user": "canary", "password": CANARY}
    return {
        "title": "canary",
        "targets": {
            "database": {**database, "via": "door"},
            "direct": database,
            "door": {"kind": "proxy_route", "upstream": f"127.0.0.1:{node.port}"},
        },
        "workloads": [{"kind": "ledger", "target": "database"}],
        "steady_state": [{"kind": "postgresql.write", "target": "direct"}],
        "faults": [{"fault": {"kind": "network.proxy.latency", "target": "door", "delay_ms": 20}}],
        "evidence": [{"kind": "postgresql.amcheck", "target": "direct"}],
        "checks": [{"kind": "ledger"}, {"kind": "amcheck"}],
        "baseline_s": 1,
        "baseline_at_most_s": 120,
        "fault_window_s": 1,
        "loss_rate_to_see": 0.2,
        "sight_budget_s": 120,
    }


class Searching(threading.Thread):
    """Looks through the process list and every environment, again and again, until told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.found: set[str] = set()
        self.seen: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        # Seldom enough to leave the machine to what is searched: what is in an environment stays there.
        while not self.over.wait(1):
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    command = (path / "cmdline").read_bytes()
                    both = {"cmdline": command, "environ": (path / "environ").read_bytes()}
                except OSError:
                    continue  # it has ended
                for name, said in both.items():
                    if b"chaosday" in said:
                        self.seen.add(path.name)
                    if any(form in said for form in FORMS):
                        self.found.add(f"{name}: {command!r}")


@pytest.mark.usefixtures("with_prefect")
def test_a_password_is_found_nowhere(
    pair: tuple[Node, Node], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Process list, environments, terminal, journal, evidence, report, temporary files, Prefect's home and database."""
    login = f"host=127.0.0.1 port={pair[0].port} user=postgres password={pair[0].password}"
    with psycopg.connect(login, autocommit=True) as connection:
        connection.execute(f"create role canary superuser login password '{CANARY}'")
    for name in ("home", "temporary", "work"):
        (tmp_path / name).mkdir()
    file = tmp_path / "canary.yaml"
    file.write_text(yaml.safe_dump(experiment_on(pair[0])))
    places = {"HOME": tmp_path / "home", "CHAOSDAY_RUNS": tmp_path / "runs", "TMPDIR": tmp_path / "temporary"}
    searching = Searching()
    searching.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "chaosday", "run", str(file)],
            cwd=tmp_path / "work",
            env=os.environ | {name: str(place) for name, place in places.items()},
            capture_output=True,
            check=False,
        )
    finally:
        searching.over.set()
        searching.join()
        with psycopg.connect(login, autocommit=True) as connection:
            connection.execute("drop owned by canary; drop role canary")
    # Whether a slow machine left enough to conclude from is not what is asked.
    assert done.returncode in (0, 2), done.stderr[-3000:]
    (run,) = (tmp_path / "runs").glob("*-canary-*")
    servers = tmp_path_factory.getbasetemp().glob("prefect*")
    searched = [path for place in (tmp_path, *servers) for path in place.rglob("*") if path.is_file() and path != file]
    names = {path.name for path in searched}
    assert {"plan.json", "journal.jsonl", "report.html", "prefect.db", "amcheck.json"} <= names | {
        path.name for path in (run / "observations").iterdir()
    }
    assert len(searching.seen) > 3, "nothing of ours was seen at work"
    assert searching.found == set()
    assert not any(form in done.stdout + done.stderr for form in FORMS)
    assert [path for path in searched if any(form in path.read_bytes() for form in FORMS)] == []
    # What a run writes is for its owner alone, even for whoever gets at a copy of it.
    assert [path for path in run.rglob("*") if path.stat().st_mode & 0o077] == []
