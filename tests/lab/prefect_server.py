"""A Prefect server for tests of what needs one, and not of how it is started: that costs a new one 15 s of a core."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from chaosday.servers.ports import free_port

ENOUGH_S = 1500
SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
}


@contextlib.contextmanager
def prefect_server(home: Path) -> Iterator[str]:
    """The address of its API; everything it keeps is in ``home``."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    words = ("--factory", "prefect.server.api.server:create_app", "--lifespan", "on", "--log-level", "error")
    with (home / "server.log").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *words, "--host", "127.0.0.1", "--port", str(port)],
            env=kept | SETTINGS | {"PREFECT_HOME": str(home)},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
        try:
            _until_it_answers(f"http://127.0.0.1:{port}/api/health", process, home / "server.log")
            yield f"http://127.0.0.1:{port}/api"
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
            process.wait()


def _until_it_answers(url: str, process: subprocess.Popen[bytes], said: Path) -> None:
    """Its start migrates an empty database, which takes a while on a busy machine."""
    until = time.monotonic() + ENOUGH_S
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError, urllib.error.URLError), urllib.request.urlopen(url, timeout=60):
            return
        time.sleep(0.1)
    raise AssertionError(f"no Prefect server: {said.read_text(errors='replace')[-2000:]}")
