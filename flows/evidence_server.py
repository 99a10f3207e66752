"""Reports and documentation over HTTP, so that the UI can link to them: ``python -m flows.evidence_server``.

Read-only, and by name: the ``report.html`` of a run, to whoever has the login, and the pages and pictures of the
documentation, to anybody on the machine. Nothing else of a run is handed out: its journal and what a game day keeps
sealed lie beside its report. What it has to know is said on its standard input, as ``flows.door`` has it.
"""

from __future__ import annotations

import base64
import hmac
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import click

from chaosday.errors import EvidenceMissing, Refused
from chaosday.record.owned import read_owned
from flows.door import LOGIN_POLICY, REPORTS_TICKET, USED_UP, Door, page, script

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
RUNS, DOCS, REPORT = "runs", "docs", "report.html"
LOGIN, LOGGED_IN = "/login", "/login/done"
SILENT_S = 60
"""Whoever connects and says nothing holds a thread so long."""
REALM = 'Basic realm="chaosday", charset="UTF-8"'
# A report runs its own few lines of script and loads nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self' data:"


def report_of(runs: Path, rest: str) -> bytes | None:
    """The report that a request path means, ``RUN/report.html``, where it is ours; None for everything else."""
    run, _, name = rest.partition("/")
    if name != REPORT or run.startswith(".") or not run:
        return None
    try:
        return read_owned(runs / run / name)
    except (EvidenceMissing, Refused, ValueError):
        return None  # ValueError: no name of a file (a NUL in it)


def document_of(docs: Path, rest: str) -> Path | None:
    """The page or picture of the documentation that a request path means; None for everything else."""
    if any(part.startswith(".") for part in rest.split("/")):
        return None
    try:
        found = (docs / rest).resolve()
        inside = found.is_relative_to(docs.resolve())
        return found if inside and found.is_file() and found.suffix in TYPES else None
    except (OSError, ValueError):
        return None  # no name of a file: too long, or a NUL in it


def server(host: str, port: int, folders: dict[str, Path], door: Door) -> ThreadingHTTPServer:
    """A server that is bound and not yet serving; port 0 takes any free one."""

    class Handler(_Reports):
        runs, docs = folders[RUNS], folders[DOCS]

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    Handler.door = door
    return Server((host, port), Handler)


class _Reports(BaseHTTPRequestHandler):
    timeout = SILENT_S
    runs: Path
    docs: Path
    door: Door

    def do_GET(self) -> None:
        said = self.headers
        if why := self.door.refuses(said.get_all("Host", []), said.get_all("Origin", [])):
            self._say(403, why.encode())
            return
        path, _, query = self.path.partition("?")
        if path == LOGIN and self.command == "GET":
            self._log_in(query)
            return
        first, _, rest = unquote(path).lstrip("/").partition("/")
        if first == DOCS:
            document = document_of(self.docs, rest)
            self._say(200, document.read_bytes(), TYPES[document.suffix]) if document else self._say(404)
        elif not self._knows_the_login():
            self._say(401, b"this takes the login of chaosday serve", more={"WWW-Authenticate": REALM})
        elif path == LOGGED_IN:
            self._say(200)
        else:
            report = report_of(self.runs, rest) if first == RUNS else None
            self._say(404) if report is None else self._say(200, report, TYPES[".html"])

    do_HEAD = do_GET

    def _log_in(self, query: str) -> None:
        """A browser that brings a ticket is told the login, which it then keeps for this server alone."""
        if not self.door.takes(REPORTS_TICKET, query):
            self._say(403, USED_UP.encode())
            return
        user, _, password = self.door.words.partition(":")
        asked = f"r.open('GET', {script(LOGGED_IN)}, true, {script(user)}, {script(password)})"
        onward = f"r.onloadend = () => location.replace({script(self.door.onward)})"
        body = page(f"const r = new XMLHttpRequest(); {asked}; {onward}; r.send()").encode()
        self._say(200, body, TYPES[".html"], {"Cache-Control": "no-store"}, LOGIN_POLICY)

    def _knows_the_login(self) -> bool:
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        wanted = base64.b64encode(self.door.words.encode())
        return kind.lower() == "basic" and bool(self.door.words) and hmac.compare_digest(given.strip().encode(), wanted)

    def _say(
        self, status: int, body: bytes = b"", kind: str = "text/plain; charset=utf-8",
        more: dict[str, str] | None = None, policy: str = POLICY,
    ) -> None:  # fmt: skip
        headers = {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Content-Security-Policy": f"{policy}; frame-ancestors 'none'",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        self.send_response(status)
        for name, value in {**headers, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Nobody reads it."""


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=4201, type=click.IntRange(0, 65535))
@click.option("--runs", required=True, type=click.Path(path_type=Path))
@click.option("--docs", required=True, type=click.Path(path_type=Path))
def main(host: str, port: int, runs: Path, docs: Path) -> None:
    """Serve /runs and /docs until ended."""
    door = Door.told()
    try:
        serving = server(host, port, {RUNS: runs, DOCS: docs}, door)
    except OSError as error:
        sys.exit(f"the reports cannot be served at {host}:{port}: {error.strerror}; try --evidence-port")
    serving.serve_forever()


if __name__ == "__main__":
    main()
