"""``chaosday serve``: server, UI, blocks, deployments and a worker, in one command."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import click
import psutil

from chaosday.errors import Unavailable
from chaosday.record.run_directory import runs_root
from flows.session import QUIET

ROOT = Path(__file__).resolve().parent.parent
POOL = "chaosday"
GRACE_S = 10


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
    children: list[subprocess.Popen[bytes]] = []
    try:
        click.echo("starting the server (the first start migrates its database, which takes a while)")
        children.append(_prefect(environment, "server", "start", "--host", host, "--port", str(port)))
        _wait_for(f"{api}/health", children[0])
        for words in (
            ["prefect", "work-pool", "create", POOL, "--type", "process", "--overwrite"],
            ["prefect", "block", "register", "-m", "blocks"],
            ["prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"],
            ["flows.automations", "deployments/automations"],
        ):
            _must(environment, *words)
        children.append(_evidence(environment, host, evidence_port))
        children.append(_prefect(environment, "worker", "start", "--pool", POOL))
        click.echo(f"ready: http://{host}:{port}/deployments   (Ctrl-C ends it)")
        click.echo(f"reports: below http://{host}:{evidence_port}/runs/; each run links to its own")
        while all(child.poll() is None for child in children):
            time.sleep(0.5)
        raise Unavailable("the server, the worker or the reports' server ended by itself; its words are above")
    except KeyboardInterrupt:
        click.echo("ending", err=True)
        raise
    finally:
        for child in reversed(children):
            _end(child)


def _evidence(environment: dict[str, str], host: str, port: int) -> subprocess.Popen[bytes]:
    folders = ("--runs", environment["CHAOSDAY_RUNS"], "--docs", str(ROOT / "docs"))
    return subprocess.Popen(
        [sys.executable, "-m", "flows.evidence_server", "--host", host, "--port", str(port), *folders],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def _prefect(environment: dict[str, str], *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "prefect", *words],
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a child of ours with everything it started: politely, and after a grace for good."""
    try:
        family = [psutil.Process(child.pid), *psutil.Process(child.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(family, timeout=GRACE_S)[1]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    child.wait()


def _must(environment: dict[str, str], module: str, *words: str) -> None:
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


def _wait_for(url: str, server: subprocess.Popen[bytes], timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise Unavailable("the server did not start: is its port taken? Try --port")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise Unavailable(f"the server did not answer at {url} within {timeout_s:g} s")
