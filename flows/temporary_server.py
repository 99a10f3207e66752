"""A Prefect server that lives as long as a command does."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

import httpx
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import get_current_settings

from chaosday.errors import Unavailable
from chaosday.processes.python import python
from chaosday.servers.ports import free_port
from flows.children import ROOT
from flows.door import Door, names_of
from flows.login import logged_in, without_login

_REASON = re.compile(r"^[\w.]*(?:Error|Exception|Refused|Failure)\b: .*", re.MULTILINE)


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start it, and let it be found by every client of Prefect's in this process; it ends with the block.

    ``Unavailable``, with what it said, as soon as it has ended by itself: Prefect starts one that failed again and
    again until its patience is over, and says nothing meanwhile.
    """
    server = SubprocessASGIServer()
    if server.running:
        yield
        return
    server.port = free_port()
    # Its port is open to everybody on this machine: a stranger could end the run, or have another one started.
    door = Door(f"chaosday:{secrets.token_urlsafe(24)}", names_of("127.0.0.1", server.port))
    with tempfile.TemporaryFile() as said, logged_in(door.words):
        server.server_process = _process(door, server.port, said)
        server.running = True
        try:
            _until_it_answers(server, said)
            yield
        finally:
            server.stop()


def _process(door: Door, port: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    own = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    words = ("--factory", "flows.door:app", "--lifespan", "on", "--log-level", "error")
    place = ("--app-dir", str(ROOT), "--host", "127.0.0.1", "--port", str(port))
    process = subprocess.Popen(
        [*python(), "-m", "uvicorn", *place, *words],
        env=without_login(os.environ | own | settings),
        stdin=subprocess.PIPE,
        stdout=said,
        stderr=said,
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(door.line())
    return process


def _until_it_answers(server: SubprocessASGIServer, said: IO[bytes]) -> None:
    patience_s = get_current_settings().server.ephemeral.startup_timeout_seconds
    until = time.monotonic() + patience_s
    assert server.server_process is not None
    with httpx.Client(trust_env=False) as client:
        while server.server_process.poll() is None:
            if time.monotonic() > until:
                raise Unavailable(f"Prefect's server did not answer within {patience_s:g} s: {_reason(said)}")
            try:
                if client.get(f"{server.api_url}/health").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise Unavailable(f"Prefect's server did not start: {_reason(said)}")


def _reason(said: IO[bytes]) -> str:
    """The last error that it wrote, on one line."""
    said.seek(0)
    text = said.read().decode(errors="replace")
    lines = _REASON.findall(text) or text.strip().splitlines()[-1:] or ["it said nothing"]
    return " ".join(str(lines[-1]).split())[:300]
