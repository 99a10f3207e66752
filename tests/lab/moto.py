"""AWS' APIs for tests: moto in server mode, over HTTP. It keeps nothing and checks no checksum."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaosday.errors import TargetUnreachable
from chaosday.servers import object_store
from chaosday.servers.ports import free_port

START_S = 180


@contextmanager
def moto_server(directory: Path) -> Iterator[str]:
    """Start moto behind a lock, and give its URL; it ends with the block.

    Without the lock it is no healthy store: its conditional writes race (the finding ``moto-check-then-put``).
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    def answers() -> None:
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=10).close()
        except urllib.error.HTTPError:
            return
        except OSError as error:
            raise TargetUnreachable(f"nothing answers at {url}: {error}") from None

    server = object_store.moto(directory, port, one_at_a_time=True)
    try:
        server.start(answers, START_S)
        yield url
    finally:
        server.stop()
