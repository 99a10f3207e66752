"""Prefect's server at the start of a command: each way for it not to be there is one line and an exit code, at once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from chaosday.errors import AccessDenied, ChaosdayError, Unavailable, UsageError
from chaosday.servers.ports import free_port


@contextmanager
def answering(code: int, body: bytes = b"<html>Welcome</html>", version: bytes = b"") -> Iterator[str]:
    """Another service: it answers everything alike, but perhaps the question for its ``version``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = version if version and self.path.endswith("/admin/version") else body
            # Prefect's own servers have no such tokens either, unless they are told to.
            self.send_response(404 if version and "csrf-token" in self.path else code)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        do_POST = do_GET

        def log_message(self, *words: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()


def said_of(url: str) -> ChaosdayError:
    """What a session with this address ends with, before its block is entered."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.session import prefect_session

    with temporary_settings({PREFECT_API_URL: url}), pytest.raises(ChaosdayError) as caught, prefect_session():
        pytest.fail("it began")
    return caught.value


@pytest.mark.parametrize("url", ["127.0.0.1:4200/api", "localhost", "htp:/x", "http://", "::", "http://h:port/api"])
def test_an_address_that_is_none_is_a_usage_error(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Misspelt, without a scheme, without a host: what it should look like is said."""
    monkeypatch.setenv("PREFECT_API_URL", url)
    error = said_of(url)
    assert isinstance(error, UsageError)
    assert "http://HOST:PORT/api" in str(error)


def test_a_server_that_is_away_or_another_service_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listening, a web site, a page that is not found, a login: each in one line, without its password."""
    dead = f"http://me:canary-77@127.0.0.1:{free_port()}/api"
    monkeypatch.setenv("PREFECT_API_URL", dead)
    error = said_of(dead)
    assert type(error) is Unavailable and "no Prefect server answers" in str(error)
    assert "canary-77" not in str(error)
    for code, kind in ((200, Unavailable), (404, Unavailable), (401, AccessDenied)):
        with answering(code) as url:
            assert type(said_of(url)) is kind, code


def test_a_server_of_another_version_is_refused_or_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of another major version nothing would run; of a minor one that was never tried, that is said."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    from flows.session import TRIED, prefect_session

    for version, words in (("2.20.9", ""), ("3.1.4", "is Prefect 3.1.4"), (f"{TRIED[0]}.1", "")):
        with answering(200, b"[]", f'"{version}"'.encode()) as url:
            monkeypatch.setenv("PREFECT_API_URL", url)
            if version.startswith("2."):
                error = said_of(url)
                assert type(error) is Unavailable and "2.20.9" in str(error)
                continue
            with temporary_settings({PREFECT_API_URL: url}), prefect_session():
                said = capsys.readouterr().err
            assert (words in said) if words else not said, version


READ_ONLY = 'mount --bind "$PREFECT_HOME" "$PREFECT_HOME" && mount -o remount,ro,bind "$PREFECT_HOME" && exec "$0" "$@"'
"""For a shell in a mount namespace of its own: root may write in every folder that is not mounted read-only."""


def lab(tmp_path: Path, *, read_only: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command that needs Prefect, as a user starts it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    before = ["unshare", "--mount", "sh", "-c", READ_ONLY] if read_only and os.getuid() == 0 else []
    return subprocess.run(
        [*before, sys.executable, "-m", "chaosday", "lab", "replica lag"],
        cwd=tmp_path,
        env={**clean, "CHAOSDAY_RUNS": str(tmp_path / "runs"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_home_that_cannot_be_used_is_said_before_anything_is_started(tmp_path: Path) -> None:
    """A file in its place: one line, 69."""
    (tmp_path / "file").touch()
    done = lab(tmp_path, PREFECT_HOME=str(tmp_path / "file"))
    assert (done.returncode, len(done.stderr.splitlines())) == (69, 1)
    assert "PREFECT_HOME" in done.stderr


def test_a_home_that_is_read_only_is_said(tmp_path: Path) -> None:
    """As in a container: one line, 69, that says what to set, and no server that is waited for."""
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    done = lab(tmp_path, read_only=True, PREFECT_HOME=str(home))
    assert (done.returncode, len(done.stderr.splitlines())) == (69, 1), done.stderr
    assert "PREFECT_HOME" in done.stderr


def test_a_server_that_fails_is_said_with_its_own_words(tmp_path: Path) -> None:
    """A database that cannot be opened: the reason at once, and not a wait for a server that has ended."""
    (tmp_path / "home" / "prefect.db").mkdir(parents=True)
    done = lab(tmp_path, PREFECT_HOME=str(tmp_path / "home"), PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="100000")
    assert (done.returncode, len(done.stderr.splitlines())) == (69, 1)
    assert "unable to open database file" in done.stderr
