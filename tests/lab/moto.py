"""AWS' APIs for tests: moto in server mode, over HTTP. It keeps nothing and checks no checksum."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaosday.servers.ports import free_port


@contextmanager
def moto_server(directory: Path) -> Iterator[str]:
    """Start moto and give its URL; it ends with the block."""
    port = free_port()
    with (directory / "moto.log").open("wb") as log:
        command = [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_for(url + "/moto-api/", process)
        yield url
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], timeout_s: float = 90) -> None:
    """Return once ``url`` answers anything at all."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nothing answers at {url}: {error}") from None
        time.sleep(0.05)
