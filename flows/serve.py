"""``chaosday serve``: server, UI, blocks, deployments and a worker, in one command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NoReturn

import click

from chaosday.errors import Unavailable
from chaosday.processes.umask import OURS_ALONE
from chaosday.record.run_directory import runs_root
from flows.children import ROOT, Child
from flows.login import PROFILES_PATH
from flows.served import Served, login_of, own_profile

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
    Both servers take a login, which is made at the first start; the link that is printed logs a browser in, once.
    Ends with Ctrl-C, SIGTERM or SIGHUP, and everything with it."""
    login = login_of(host)
    served = Served(host, port, evidence_port, login, runs_root().resolve())
    environment = served.environment()
    with login.served(), _ending() as children:
        # Prefect's database holds what people fill in, and runs hold evidence: for whoever started us alone.
        os.umask(OURS_ALONE)
        click.echo("starting the server (the first start migrates its database, which takes a while)")
        children.append(served.server())
        wait_for(f"{served.api}/health", children[0])
        login.write_profile(own_profile(), served.api)
        put_in_place(environment)
        children.append(served.reports())
        children.append(Child("worker", ("flows.sealed", "worker", "start", "--pool", POOL), environment, runs=True))
        _say(served)
        _keep_going(children, environment)


@contextmanager
def _ending() -> Iterator[list[Child]]:
    """What is put into the list ends with the block, the last first."""
    children: list[Child] = []
    try:
        yield children
    except KeyboardInterrupt:
        click.echo("ending", err=True)
        raise
    finally:
        for child in reversed(children):
            child.end()


def _say(served: Served) -> None:
    login = served.login
    click.echo(f"ready: {served.start}   (Ctrl-C ends it)")
    if login.fresh:
        click.echo(f"the login, shown this once: {login.words}   (kept in {login.folder / 'login'}, for you alone)")
    click.echo(f"this logs a browser in, once: {served.link()}")
    click.echo(f"for Prefect's own commands: export {PROFILES_PATH}={login.profiles}")
    click.echo(f"reports: below http://{served.named(served.reports_port)}/runs/; each run links to its own")


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
