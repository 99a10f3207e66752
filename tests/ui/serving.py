"""``chaosday serve`` with everything it starts, as a newcomer would start it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Page

from chaosday.servers.ports import free_port
from flows.door import LOGIN_PATH, TICKET
from flows.login import Login
from tests.leftovers import processes_of

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 200
ENDING_S = 300


@dataclass(frozen=True)
class Served:
    """Where the UI is, where the reports are, and where the runs are kept."""

    url: str
    reports: str
    runs: Path
    environment: dict[str, str]
    login: Login | None = None
    """None where the server has none."""
    said: str = ""
    """What it printed while it started."""

    @property
    def words(self) -> str:
        """The login."""
        assert self.login is not None
        return self.login.words

    def log_in(self, page: Page) -> None:
        """Open a link that logs a browser in, and wait for where it leads to; the one that was printed stays good."""
        assert self.login is not None
        printed = self.login.folder / f"{TICKET}.ticket"
        aside = printed.with_suffix(".aside")
        if printed.exists():
            printed.rename(aside)
        page.goto(f"{self.url}{LOGIN_PATH}?ticket={self.login.ticket(TICKET)}")
        page.wait_for_url("**/deployments")
        if aside.exists():
            aside.rename(printed)

    def call(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """One POST to Prefect's API; again where its SQLite is busy (503) or nobody listens, as its clients do."""
        data = json.dumps(body or {}).encode()
        until = time.monotonic() + PATIENCE_S
        while True:
            headers = {"content-type": "application/json"}
            if self.login is not None:
                headers["authorization"] = f"Basic {base64.b64encode(self.words.encode()).decode()}"
            request = urllib.request.Request(f"{self.url}/api{path}", data=data, headers=headers)
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as refused:
                if refused.code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > until:
                    raise
            except urllib.error.URLError as away:
                if not isinstance(away.reason, ConnectionRefusedError) or time.monotonic() > until:
                    raise
            time.sleep(1)

    def deployment(self, name: str) -> str:
        """The number of a deployment."""
        (found,) = self.call("/deployments/filter", {"deployments": {"name": {"any_": [name]}}})
        return str(found["id"])

    def server(self) -> psutil.Process:
        """The server's process."""
        words = {"flows.door:app", self.url.rpartition(":")[2]}
        (found,) = [each for each in processes_of(self.environment["HOME"]) if words <= set(each.cmdline())]
        return found

    def python(self, program: str) -> str:
        """Run a program against this server; what it printed."""
        done = subprocess.run(
            [sys.executable, "-c", program], env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout


@contextlib.contextmanager
def serving(folder: Path, more: dict[str, str]) -> Iterator[Served]:
    """The command as a newcomer would start it, with an empty home and no more than this in its environment."""
    (folder / "home").mkdir()
    port, evidence_port = free_port(), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    environment |= {"HOME": str(folder / "home"), "CHAOSDAY_RUNS": str(folder / "runs"), "PYTHONPATH": str(ROOT)}
    words = ("serve", "--port", str(port), "--evidence-port", str(evidence_port))
    process = subprocess.Popen(
        [sys.executable, "-m", "chaosday", *words],
        env=environment | more,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("reports:"):
                break
        else:
            pytest.fail(f"chaosday serve ended by itself: {said[-3000:]}")
        # The run's own log goes on: somebody has to read it, or the worker would stand still at a full pipe.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        url, reports = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{evidence_port}"
        # A block that is saved from elsewhere renews its type, links and all.
        outside = {"PREFECT_API_URL": f"{url}/api", "PREFECT_LOGGING_LEVEL": "ERROR", "CHAOSDAY_EVIDENCE_URL": reports}
        login = Login.of(folder / "home" / ".prefect")
        outside["PREFECT_PROFILES_PATH"] = str(login.profiles)
        yield Served(url, reports, folder / "runs", environment | outside, login, said)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDING_S)
        finally:
            process.kill()
