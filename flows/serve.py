"""``chaosday serve``: server, UI, blocks, deployments and a worker, in one command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from chaosday.errors import Unavailable
from chaosday.record.run_directory import runs_root
from flows.children import ROOT, Child
from flows.session import QUIET

POOL = "chaosday"
JANITOR_AFTER = "10 seconds"
"""What a worker leaves ends by itself in less."""


@click.command("serve", short_help="Start the server, its UI and every deployment.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address the UI listens on.")
@click.option("--port", default=4200, show_default=True, type=click.IntRange(1, 65535))
@click.option("--evidence-port", default=4201, show_default=True, type=click.IntRange(1, 65535))
def command(host: str, port: int, evidence_port: int) -> int:
    """Start Prefect's server with its UI, register the blocks, the deployments of deployments/prefect.yaml and the
    automations, and run what is scheduled or started by hand. Reports are served beside it, at --evidence-port.
    Everything is kept in an embedded SQLite, or in the PostgreSQL that PREFECT_SERVER_DATABASE_CONNECTION_URL names.
    Ends with Ctrl-C, SIGTERM or SIGHUP, and everything with it."""
    api = f"http://{host}:{port}/api"
    environment = os.environ | QUIET | {"PREFECT_API_URL": api, "PREFECT_SERVER_API_HOST": host}
    environment["PREFECT_LOGGING_LEVEL"] = "INFO"
    environment["CHAOSDAY_EVIDENCE_URL"] = f"http://{host}:{evidence_port}"
    # The worker starts each run in a folder of its own choice; all of them keep their evidence in this one.
    environment["CHAOSDAY_RUNS"] = str(runs_root().resolve())
    children: list[Child] = []
    try:
        click.echo("starting the server (the first start migrates its database, which takes a while)")
        starting = ("prefect", "server", "start", "--host", host, "--port", str(port))
        children.append(Child("server", starting, environment))
        wait_for(f"{api}/health", children[0])
        put_in_place(environment)
        folders = ("--runs", environment["CHAOSDAY_RUNS"], "--docs", str(ROOT / "docs"))
        reports = ("flows.evidence_server", "--host", host, "--port", str(evidence_port), *folders)
        children.append(Child("server of reports", reports, environment))
        working = ("prefect", "worker", "start", "--pool", POOL)
        children.append(Child("worker", working, environment, runs=True))
        click.echo(f"ready: http://{host}:{port}/deployments   (Ctrl-C ends it)")
        click.echo(f"reports: below http://{host}:{evidence_port}/runs/; each run links to its own")
        _keep_going(children, environment)
    except KeyboardInterrupt:
        click.echo("ending", err=True)
        raise
    finally:
        for child in reversed(children):
            child.end()


def put_in_place(environment: Mapping[str, str]) -> None:
    """Give the server of this environment its work pool, blocks, deployments and automations, or renew them."""
    for words in (
        ("prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite"),
        ("prefect", "block", "register", "-m", "blocks"),
        ("prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"),
        ("flows.automations", "deployments/automations"),
    ):
        _must(environment, *words)


def _keep_going(children: Sequence[Child], environment: dict[str, str]) -> NoReturn:
    """Start again what dies, and call the janitor after a worker: its runs died with it, and are not judged yet."""
    while True:
        for child in children:
            if child.alive():
                continue
            click.echo(child.start_again(), err=True)
            if child.name == "server":
                wait_for(f"{environment['PREFECT_API_URL']}/health", child)
            if child.name == "worker":
                _call_the_janitor(environment)
        time.sleep(0.5)


def _call_the_janitor(environment: dict[str, str]) -> None:
    try:
        _must(environment, "prefect", "deployment", "run", "recover/recover", "--start-in", JANITOR_AFTER)
    except Unavailable as error:
        click.echo(f"{error}; it comes by itself every quarter of an hour", err=True)


def _must(environment: Mapping[str, str], module: str, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise Unavailable(f"{module} {' '.join(words[:2])} failed: {said[-1] if said else 'no words'}")


def wait_for(url: str, server: Child, timeout_s: float = 600) -> None:
    """Wait until a server answers at its address; ``Unavailable`` where it ends by itself, or takes too long."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if not server.alive():
            raise Unavailable(f"the server did not start: is its port taken? Try --port. ({server.why()})")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise Unavailable(f"the server did not answer at {url} within {timeout_s:g} s")
