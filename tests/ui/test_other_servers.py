"""Prefect servers of an older and of a newer minor version than the client: a run passes, and one can be cancelled.

Each is fetched from the package index: ``pytest -m slow tests/ui/test_other_servers.py``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.servers.ports import free_port
from chaosday.servers.postgres import Node
from flows.children import ROOT, Child
from flows.serve import POOL, put_in_place, wait_for
from flows.session import TRIED
from tests.lab.machine import absent
from tests.ui.hands import Hands, ended_inconclusive, until
from tests.ui.serving import Served

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
# Laid over our own packages, which have everything else that these servers need.
SERVERS = {"3.7.8": ["prefect==3.7.8"], "3.9.1": ["prefect==3.9.1", "whenever>=0.10.5,<0.12"]}


@pytest.fixture(params=SERVERS)
def other(request: pytest.FixtureRequest, pair: tuple[Node, Node], tmp_path: Path) -> Iterator[Served]:
    """A server of that version, with our deployments, and a worker of ours on it."""
    packages, home = tmp_path / "packages", tmp_path / "home"
    fetch = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(packages)]
    done = subprocess.run([*fetch, *SERVERS[request.param]], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        absent(f"prefect {request.param} from the package index: {done.stderr[-300:]}")
    url = f"http://127.0.0.1:{free_port()}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment = clean | {"HOME": str(home), "CHAOSDAY_RUNS": str(tmp_path / "runs"), "PREFECT_API_URL": f"{url}/api"}
    environment["PGPASSWORD"] = pair[0].password
    words = ("prefect", "server", "start", "--no-ui", "--host", "127.0.0.1", "--port", url.rpartition(":")[2])
    children = [Child("server", words, environment | {"PYTHONPATH": str(packages)})]
    try:
        wait_for(f"{url}/api/health", children[0])
        put_in_place(environment)
        children.append(Child("worker", ("prefect", "worker", "start", "--pool", POOL), environment, runs=True))
        yield Served(url, "", tmp_path / "runs", environment)
    finally:
        for child in reversed(children):
            child.end()


def test_its_versions_are_those_that_are_named_as_tried() -> None:
    """What the program says at run time is what is tried here, and the client's own."""
    from prefect import __version__

    assert {version.rpartition(".")[0] for version in [*SERVERS, __version__]} == set(TRIED)


@pytest.mark.slow
def test_a_run_and_a_cancellation(other: Served, pair: tuple[Node, Node]) -> None:
    """A run of the command passes and one of the worker can be cancelled; each is the verdict of its flow run."""
    lab = [sys.executable, "-m", "chaosday", "lab", "slow dependency"]
    done = subprocess.run(lab, env=other.environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "tried with" not in done.stderr
    hands = Hands(other, pair[0])
    run = hands.start("hold")
    run.reached("hold")
    hands.cancel(run)
    ended_inconclusive(run)
    until(lambda: not hands.tables(run), "no table is left")
    assert run.ended()["type"] == "CANCELLED"
