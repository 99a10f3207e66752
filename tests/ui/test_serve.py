"""``chaosday serve`` for a team: the janitor that a crash calls, and a server that keeps its state in PostgreSQL."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psycopg
import pytest

from chaosday.servers.postgres import Node
from tests.leftovers import processes_of
from tests.ui.hands import Hands, ended_inconclusive, until
from tests.ui.serving import Served, serving

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
PATIENCE_S = 120


def _janitors(served: Served) -> list[str]:
    wanted = {"flows": {"name": {"any_": ["recover"]}}}
    found = served.call("/flow_runs/filter", wanted)
    return [str(each["id"]) for each in found if "automation" in str(each["created_by"]).lower()]


def test_a_crash_calls_the_janitor(served: Served) -> None:
    """A run that crashed is followed by a run of recover, made by the automation and not by its schedule."""
    before = _janitors(served)
    made = served.call(f"/deployments/{served.deployment('synchronous')}/create_flow_run", {"state": None})
    crashed = {"state": {"type": "CRASHED", "name": "Crashed"}, "force": True}
    served.call(f"/flow_runs/{made['id']}/set_state", crashed)
    until = time.monotonic() + PATIENCE_S
    while len(_janitors(served)) == len(before):
        assert time.monotonic() < until, "nobody came"
        time.sleep(0.5)


def test_a_team_keeps_it_in_postgresql(pair: tuple[Node, Node], tmp_path: Path) -> None:
    """With a connection address in the environment the server's state is in that database, and its password nowhere.

    Ended by SIGTERM with a run on, it leaves nothing: the run has undone its fault, is judged, and its lab is gone.
    """
    primary, _ = pair
    login = f"postgres:{primary.password}@127.0.0.1:{primary.port}"
    with psycopg.connect(f"postgresql://{login}/postgres", autocommit=True) as connection:
        connection.execute("create database prefect")
    try:
        where = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://{login}/prefect"}
        with serving(tmp_path, where) as served:
            names = {each["name"] for each in served.call("/deployments/filter")}
            assert {"connections", "recover", "synchronous"} <= names
            with psycopg.connect(f"postgresql://{login}/prefect") as connection:
                row = connection.execute("select count(*) from deployment").fetchone()
            assert row == (len(names),)
            commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if _readable(path)]
            assert not any(primary.password.encode() in command for command in commands)
            run = Hands(served, primary).submit("slow dependency", {})
            until(lambda: "injected" in run.events(), "something is hurt")
        assert processes_of(str(tmp_path)) == []
        assert not run.left()
        reasons = run.verdict()["reasons"]
        assert any("stopped by SIGTERM" in reason for reason in reasons), reasons
    finally:
        with psycopg.connect(f"postgresql://{login}/postgres", autocommit=True) as connection:
            connection.execute("drop database prefect with (force)")


def test_a_lab_that_is_killed_takes_its_servers_along(hands: Hands) -> None:
    """The flow that started them is dead at once; what it cannot end is ended by its watchdog."""
    run = hands.submit("slow dependency", {})
    until(lambda: "injected" in run.events(), "something is hurt")
    servers = [each for each in processes_of(run.directory().name) if "postgres" in each.name()]
    assert servers
    run.process().kill()
    until(lambda: not any(each.is_running() for each in servers), "its servers are gone")
    ended_inconclusive(run)


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK)
