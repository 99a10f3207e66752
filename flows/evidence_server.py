"""Reports and documentation over HTTP, so that the UI can link to them: ``python -m flows.evidence_server``.

Read-only, of two folders and nothing beside them; no listing, no hidden file, no link out of a folder.
"""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click

TYPES = {
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml",
    ".yaml": "text/plain; charset=utf-8",
}
# A report runs its own few lines of script and loads nothing.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src 'self' data:"


def file_of(folders: dict[str, Path], path: str) -> Path | None:
    """The file that a request path means, or None where it means nothing that is to be seen."""
    first, _, rest = unquote(urlsplit(path).path).lstrip("/").partition("/")
    folder = folders.get(first)
    if folder is None or not rest or any(part.startswith(".") for part in rest.split("/")):
        return None
    found = (folder / rest).resolve()
    inside = found.is_relative_to(folder.resolve())
    return found if inside and found.is_file() and found.suffix in TYPES else None


def server(host: str, port: int, folders: dict[str, Path]) -> ThreadingHTTPServer:
    """A server that is bound and not yet serving; port 0 takes any free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = file_of(folders, self.path)
            if found is None:
                self.send_error(404)
                return
            body = found.read_bytes()
            self.send_response(200)
            self.send_header("Content-Type", TYPES[found.suffix])
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *words: object) -> None:
            """Nobody reads it."""

    return ThreadingHTTPServer((host, port), Handler)


@click.command()
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=4201, type=click.IntRange(0, 65535))
@click.option("--runs", required=True, type=click.Path(path_type=Path))
@click.option("--docs", required=True, type=click.Path(path_type=Path))
def main(host: str, port: int, runs: Path, docs: Path) -> None:
    """Serve /runs and /docs until ended."""
    try:
        serving = server(host, port, {"runs": runs, "docs": docs})
    except OSError as error:
        sys.exit(f"the reports cannot be served at {host}:{port}: {error.strerror}; try --evidence-port")
    serving.serve_forever()


if __name__ == "__main__":
    main()
