"""A Prefect server of our own: one that lives as long as a command does, or the one that a user's commands share."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import IO

import httpx
import psutil
from prefect.settings import get_current_settings

from chaosday.errors import Unavailable
from chaosday.processes.process_table import identity, is_running
from chaosday.processes.python import python
from chaosday.servers.ports import free_port
from flows.children import ROOT
from flows.door import Door, names_of
from flows.kept_server import IDLE, Kept, Place, end, started
from flows.login import logged_in, prefect_home, without_login

ANSWERS_WITHIN_S = 60.0
_REASON = re.compile(r"^[\w.]*(?:Error|Exception|Refused|Failure)\b: .*", re.MULTILINE)


@contextmanager
def temporary_server() -> Iterator[None]:
    """Start it, and let it be found by every client of Prefect's in this process; it ends with the block.

    ``Unavailable``, with what it said, as soon as it has ended by itself: Prefect starts one that failed again and
    again until its patience is over, and says nothing meanwhile.
    """
    # All of Prefect's server comes with it, which takes longer than a small run: whoever finds a server needs none.
    from prefect.server.api.server import SubprocessASGIServer

    server = SubprocessASGIServer()
    if server.running:
        yield
        return
    server.port = free_port()
    door = _door(server.port)
    with tempfile.TemporaryFile() as said, logged_in(door.words):
        server.server_process = _process(door, server.port, said)
        server.running = True
        try:
            _until_it_answers(server.server_process, server.port, said)
            yield
        finally:
            server.stop()


@contextmanager
def shared_server() -> Iterator[None]:
    """The server that this user's commands share, started where there is none; it stays when the block ends."""
    place = Place.of(prefect_home(), _settings_of_a_server())
    with ExitStack() as held:
        with place.locked_in_turn():
            kept = place.read()
            if kept is not None and not _answers(kept):
                _end_unused(place, kept)
                kept = None
            # Who uses it is known before anybody can take it away again: whoever does holds the lock that we hold.
            held.enter_context(place.locked("users", fcntl.LOCK_SH))
            kept = kept or _newly_kept(place)
        with logged_in(kept.words, f"http://127.0.0.1:{kept.port}/api"):
            yield


def _settings_of_a_server() -> str:
    """What makes one server another: its database, and whatever else is set of servers. Only a digest is kept of it."""
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return json.dumps({name: value for name, value in sorted(settings.items()) if name.startswith("PREFECT_SERVER_")})


def _end_unused(place: Place, kept: Kept) -> None:
    """End a server that gives no answer, where nobody is using it: to those it may answer again."""
    try:
        with place.locked("users", fcntl.LOCK_EX | fcntl.LOCK_NB):
            end(kept.process)
    except BlockingIOError:
        raise Unavailable(
            f"the shared Prefect server (process {kept.pid}) does not answer, and other commands use it: wait for "
            f"them, or have one of your own with {IDLE}=0"
        ) from None


def _newly_kept(place: Place) -> Kept:
    port = free_port()
    door = _door(port)
    process = started(place, _words(port, "flows.kept_server:app"), _environment(), door.line())
    known = identity(process.pid)
    with ExitStack() as undone:
        # Whatever stops us here, a server that nobody will find goes with us.
        undone.callback(end, known)
        with place.path("log").open("rb") as said:
            _until_it_answers(process, port, said)
        kept = Kept(process.pid, known.started, port, door.words)
        place.write(kept)
        undone.pop_all()
    return kept


def _answers(kept: Kept) -> bool:
    """Whether the server that is written down answers; one on a busy machine has its time."""
    until = time.monotonic() + ANSWERS_WITHIN_S
    with httpx.Client(trust_env=False) as client:
        while is_running(kept.process) and time.monotonic() < until:
            if _healthy(client, kept.pid, kept.port):
                return True
            time.sleep(0.1)
    return False


def _door(port: int) -> Door:
    # Its port is open to everybody on this machine: a stranger could end the run, or have another one started.
    return Door(f"chaosday:{secrets.token_urlsafe(24)}", names_of("127.0.0.1", port))


def _environment() -> dict[str, str]:
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    own = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
    return without_login(os.environ | own | settings)


def _words(port: int, factory: str) -> list[str]:
    words = ("--factory", factory, "--lifespan", "on", "--log-level", "error")
    place = ("--app-dir", str(ROOT), "--host", "127.0.0.1", "--port", str(port))
    return [*python(), "-m", "uvicorn", *place, *words]


def _process(door: Door, port: int, said: IO[bytes]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        _words(port, "flows.door:app"), env=_environment(), stdin=subprocess.PIPE, stdout=said, stderr=said
    )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(door.line())
    return process


def _until_it_answers(process: subprocess.Popen[bytes], port: int, said: IO[bytes]) -> None:
    patience_s = get_current_settings().server.ephemeral.startup_timeout_seconds
    until = time.monotonic() + patience_s
    with httpx.Client(trust_env=False) as client:
        while process.poll() is None:
            if time.monotonic() > until:
                raise Unavailable(f"Prefect's server did not answer within {patience_s:g} s: {_reason(said)}")
            if _healthy(client, process.pid, port):
                return
            time.sleep(0.1)
    raise Unavailable(f"Prefect's server did not start: {_reason(said)}")


def _healthy(client: httpx.Client, pid: int, port: int) -> bool:
    """Whether that very process answers there, and is well."""
    with suppress(httpx.TransportError):
        return client.get(f"http://127.0.0.1:{port}/api/health").status_code == 200 and _listens(pid, port)
    return False


def _listens(pid: int, port: int) -> bool:
    """Whether it is our process that answers there: its port stands in its command line, for others to be first."""
    with suppress(psutil.Error):
        return any(each.laddr.port == port for each in psutil.Process(pid).net_connections("tcp") if not each.raddr)
    return False


def _reason(said: IO[bytes]) -> str:
    """The last error that it wrote, on one line."""
    said.seek(0)
    text = said.read().decode(errors="replace")
    lines = _REASON.findall(text) or text.strip().splitlines()[-1:] or ["it said nothing"]
    return " ".join(str(lines[-1]).split())[:300]
