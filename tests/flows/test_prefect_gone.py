"""Prefect's server goes away while a fault is on: it is the rim, and the run comes to its end without it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
import yaml
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES

from chaosday.model.finding import Outcome
from chaosday.record.journal import open_faults, read
from tasks.telling import lose, regain_patience
from tests.conformance.arrangements import ARRANGEMENTS, Bench
from tests.conformance.test_kinds import _Nowhere
from tests.stores.relay import Relay

pytestmark = pytest.mark.lab


def test_the_fault_is_healed_and_the_run_is_judged(prefect_url: str, tmp_path: Path) -> None:
    """Undone, a verdict with its report and its exit code, and the word that the flow run could not be updated."""
    server = urlsplit(prefect_url)
    assert server.hostname and server.port
    with Bench.made(tmp_path, _Nowhere()) as bench, contextlib.ExitStack() as prefect:
        relay = prefect.enter_context(Relay((server.hostname, server.port)))
        file = tmp_path / "x.yaml"
        file.write_text(yaml.safe_dump(ARRANGEMENTS["experiment"](bench) | {"fault_window_s": 5}))
        process = subprocess.Popen(
            [sys.executable, "-m", "chaosday", "run", str(file), "--json"],
            cwd=tmp_path,
            env={
                **os.environ,
                "HOME": str(tmp_path),
                "CHAOSDAY_RUNS": str(tmp_path / "runs"),
                "PREFECT_API_URL": f"http://127.0.0.1:{relay.port}/api",
                "PREFECT_CLIENT_MAX_RETRIES": "1",  # five are more than a minute, each time
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            while '"attested"' not in "".join(path.read_text() for path in tmp_path.glob("runs/*/journal.jsonl")):
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
            prefect.close()
            out, err = process.communicate(timeout=600)
        finally:
            process.kill()
        said = json.loads(out)
        run = Path(said["run"])
        assert (process.returncode, said["outcome"]) == (2, Outcome.INCONCLUSIVE), err
        assert any("Prefect" in reason for reason in said["reasons"]), said["reasons"]
        assert said["bites"] and said["cleans"]
        assert "the flow run could not be updated" in err
        journal = read(run / "journal.jsonl")
        assert open_faults(journal) == [] and "prefect_lost" in [record.event for record in journal.records]
        assert (run / "report.html").is_file() and (run / "hashes.json").is_file()
        assert bench.residue() == []


def test_a_server_that_is_gone_is_asked_once_each_time(tmp_path: Path) -> None:
    """Where Prefect's client tried six times, and an end made a dozen requests; the next run is as ever."""
    before = PREFECT_CLIENT_MAX_RETRIES.value()
    assert before > 0
    regain_patience()
    assert before == PREFECT_CLIENT_MAX_RETRIES.value()
    for name in ("one", "other"):
        journal = SimpleNamespace(append=lambda *words, **named: None)
        lose(SimpleNamespace(directory=SimpleNamespace(run=f"{tmp_path}-{name}"), journal=journal), OSError())  # type: ignore[arg-type]
        assert PREFECT_CLIENT_MAX_RETRIES.value() == 0
    regain_patience()
    assert before == PREFECT_CLIENT_MAX_RETRIES.value()
