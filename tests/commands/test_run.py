"""``chaosday run`` on a real server, from file to report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chaosday.model.target import Postgres
from chaosday.servers.postgres import Node
from tests.commands.test_bad_input import CANARY, chaosday, experiment, target, written
from tests.targets.test_postgresql import target_of

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("with_prefect")]


def test_a_run_passes_with_its_proofs_and_cleans_up(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """Latency before a healthy server loses nothing: pass, a report, judged again alike, and no table left."""
    data = experiment(pair[0])
    data["targets"]["db"]["password"] = pair[0].password
    done = chaosday("run", str(written(tmp_path, data)), "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert done.returncode == 0, said["reasons"]
    assert said["outcome"] == "pass"
    run = Path(said["run"])
    page = (run / "report.html").read_text()
    assert "network.proxy.latency" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert pair[0].password not in "".join(f.read_text(errors="replace") for f in run.rglob("*") if f.is_file())
    again = chaosday("report", str(run), cwd=tmp_path)
    assert again.returncode == 0
    with target_of(pair[0]).capability(Postgres).connect() as connection:
        left = [name for (name,) in connection.execute("select tablename from pg_tables").fetchall()]
    assert not [name for name in left if run.name.rsplit("-", 1)[-1] in name or name == "heartbeat"]


def test_a_refused_password_ends_inconclusive_and_is_never_printed(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """A run that cannot reach its target injects nothing, exits 2, says why, and keeps the password to itself."""
    data = experiment(pair[0])
    target("db", password=CANARY)(data)
    done = chaosday("run", str(written(tmp_path, data)), "--json", cwd=tmp_path)
    said = json.loads(done.stdout)
    assert done.returncode == 2
    assert any("refuses us" in reason for reason in said["reasons"])
    assert said["bites"] == []
    kept = [f for f in (tmp_path / "runs").rglob("*") if f.is_file()]
    assert kept
    assert not any(CANARY.encode() in f.read_bytes() for f in kept)
    assert CANARY not in done.stdout + done.stderr
    journal = (Path(said["run"]) / "journal.jsonl").read_text()
    assert '"injecting"' not in journal


def test_evidence_is_judged_and_proved_again_without_the_server(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """``check RUN`` and ``prove RUN`` say of kept evidence what the run said."""
    data = experiment(pair[0])
    done = chaosday("run", str(written(tmp_path, data)), "--json", cwd=tmp_path)
    run = json.loads(done.stdout)["run"]
    judged = chaosday("check", run, "--json", cwd=tmp_path)
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout) == json.loads((Path(run) / "findings.json").read_text())
    proved = chaosday("prove", run, "--budget-s", "600", "--json", cwd=tmp_path)
    assert proved.returncode == 0, proved.stdout[-500:]
    assert len(json.loads(proved.stdout)["classes"]) >= 8
