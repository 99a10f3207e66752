"""``python -m chaosday.servers.moto HOST PORT``: moto's AWS, one request at a time.

Its conditional writes look first and then put, and each request has a thread of its own: two clients may both be told
that they were first. Behind one lock it is what S3 promises to be.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple


def main() -> None:
    """Serve until killed."""
    app, lock = DomainDispatcherApplication(create_backend_app), Lock()

    def one_at_a_time(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        # Read before the lock is taken: nobody has to wait for a client that is slow, or gone.
        sent = environ["wsgi.input"]
        whole = environ.get("wsgi.input_terminated")
        environ["wsgi.input"] = io.BytesIO(sent.read() if whole else sent.read(int(environ.get("CONTENT_LENGTH") or 0)))
        with lock:
            return [b"".join(app(environ, start_response))]

    run_simple(sys.argv[1], int(sys.argv[2]), one_at_a_time, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    main()
