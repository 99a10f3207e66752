"""``chaosday serve`` for a team: the janitor that a crash calls, and a server that keeps its state in PostgreSQL."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import psycopg
import pytest
from playwright.sync_api import Browser

from chaosday.processes.local_shell import RUN_MARK
from chaosday.servers.postgres import Node
from tests.attackers import needs_root, stranger
from tests.leftovers import processes_of
from tests.ui.hands import Hands, ended_inconclusive, until
from tests.ui.serving import Served, serving

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
PATIENCE_S = 900


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


def test_the_login_is_the_way_in(served: Served, chromium: Browser) -> None:
    """The printed link logs one browser in to the UI and the reports, once; without it neither shows anything."""
    (link,) = re.findall(r"once: (http\S+ticket=\S+)", served.said)
    report = served.runs / "20260101T000000-shown-abcdef" / "report.html"
    report.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    report.write_text("<h1>shown</h1>")
    for seen in ("yes", "no"):
        context = chromium.new_context()
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        address = f"{served.reports}/runs/{report.parent.name}/report.html"
        answer = page.goto(link)
        assert answer is not None
        if seen == "yes":
            assert answer.status == 200
            page.wait_for_url("**/deployments")
            page.get_by_text("bucket tamper").first.wait_for()
            page.goto(address)
            assert "shown" in page.content()
        else:
            assert (answer.status, context.request.get(address).status) == (403, 401)
        context.close()


@needs_root
def test_nobody_else_starts_a_run(served: Served) -> None:
    """Another user of the machine, and a page in the browser of whoever is logged in, reach no API; both are tried."""
    create = f"{served.url}/api/deployments/{served.deployment('synchronous')}/create_flow_run"
    post = 'curl -s -o /dev/null -w "%{http_code}" -X POST -H "content-type: application/json" -d "{}" "$@"'
    assert stranger(post, create).stdout == "401"
    known = ("-u", served.words, create)
    assert stranger(post, "-H", "Origin: http://evil.example", *known).stdout == "403"
    assert stranger(post, "-H", "Host: evil.example:4200", *known).stdout == "403"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"{served.reports}/runs/x/report.html", timeout=PATIENCE_S)


def test_the_login_is_in_no_environment_and_no_command_line(served: Served) -> None:
    """Of the server, the worker, a run and everything they start, while a run is at work, and in no other file."""
    made = served.call(f"/deployments/{served.deployment('resume')}/create_flow_run", {})
    password, seen, ends = served.words.encode(), 0, time.monotonic() + PATIENCE_S
    encoded = base64.b64encode(password)
    while True:
        for name in ("environ", "cmdline"):
            for path in Path("/proc").glob(f"[0-9]*/{name}"):
                try:
                    said = path.read_bytes()
                except OSError:
                    continue  # it has ended, or is not ours
                assert password not in said and encoded not in said, path
                seen += made["id"].encode() in said
        state = served.call("/flow_runs/filter", {"flow_runs": {"id": {"any_": [made["id"]]}}})[0]["state"]
        if state["type"] in ("COMPLETED", "FAILED", "CRASHED"):
            break
        assert time.monotonic() < ends, state
    assert (state["type"], seen > 0) == ("COMPLETED", True)
    assert served.login is not None
    home = served.login.folder.parent
    holding = {path.name for path in home.rglob("*") if path.is_file() and password in path.read_bytes()}
    assert holding == {"login", "profiles.toml"}
    assert not [path for path in home.rglob("*") if path.is_file() and path.stat().st_mode & 0o077]


def test_a_command_beside_it_logs_in_by_itself(served: Served, tmp_path: Path) -> None:
    """``run`` is told the address and nothing more, and its flow run is on that server; elsewhere it is refused."""
    file = tmp_path / "beside.yaml"
    parts = {"targets": {"db": {"kind": "postgresql", "port": 1}}, "workloads": [{"kind": "ledger", "target": "db"}]}
    file.write_text(json.dumps({"title": "beside", "checks": [{"kind": "ledger"}], **parts}))
    assert served.login is not None
    bare = {name: value for name, value in served.environment.items() if name != "PREFECT_PROFILES_PATH"}
    for home, code in ((served.login.folder.parent, 2), (tmp_path / "another", 69)):
        done = subprocess.run(
            [sys.executable, "-m", "chaosday", "run", str(file), "--quiet"],
            env=bare | {"PREFECT_HOME": str(home)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "refuses us" in done.stderr) == (code, code != 2), done.stderr
    names = {each["name"] for each in served.call("/flow_runs/filter", {"flows": {"name": {"any_": ["experiment"]}}})}
    assert "beside" in names


@pytest.mark.slow
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
    marks = {mark_of(each) for each in run.process().children(recursive=True)} - {""}
    servers = [each for each in psutil.process_iter() if mark_of(each) in marks and "postgres" in each.name()]
    assert servers
    run.process().kill()
    until(lambda: not any(each.is_running() for each in servers), "its servers are gone")
    ended_inconclusive(run)


def mark_of(process: psutil.Process) -> str:
    """The mark of the run that started it; its folders lie elsewhere, since a run's own are closed to its account."""
    try:
        return process.environ().get(RUN_MARK, "")
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return ""


def _readable(path: Path) -> bool:
    return os.access(path, os.R_OK)
