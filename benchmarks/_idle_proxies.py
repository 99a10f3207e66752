"""What of an idle proxy can be noticed: differences to the direct path, how many connections, how fast."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.cloud import _download, _small
from chaosday.mechanisms.http_proxy.client import tell
from tests.mechanisms.idle.clients import CLIENTS, service
from tests.mechanisms.idle.compare import Leads, differences
from tests.mechanisms.idle.conversations import HTTP, TCP
from tests.mechanisms.idle.routes import http_proxy, tcp_proxy

ROOT = Path(__file__).parent.parent
CONNECTIONS = 2000
PATIENCE_S = 120.0
_ECHO = """
import asyncio, resource
async def serve(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main())
"""


def figures(quick: bool) -> dict[str, Any]:
    """The proxies' keys; ``*_before`` is the HTTP proxy of the commit before it relayed both ways at once."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        with http_proxy(directory) as through_http, tcp_proxy(directory) as through_tcp:
            cases, different = _cases(through_http, through_tcp)
            http, tcp = _at_once(through_http), _at_once(through_tcp)
        speed = _speed(directory, 10 if quick else 60, 1 if quick else 4)
    return {
        "idle_proxy_cases": cases,
        "idle_proxy_differences": len(different),
        "idle_proxy_different": different,
        "http_connections": http,
        "tcp_connections": tcp,
        **speed,
    }


def _cases(through_http: Leads, through_tcp: Leads) -> tuple[int, list[str]]:
    different = [f"http: {name}" for name, steps in HTTP.items() if differences(steps, through_http, PATIENCE_S)]
    both = HTTP | TCP
    different += [f"tcp: {name}" for name, steps in both.items() if differences(steps, through_tcp, PATIENCE_S)]
    with service() as (host, port):
        for name, client in CLIENTS.items():
            direct = client(host, port)
            for kind, leads in (("http", through_http), ("tcp", through_tcp)):
                if client(*leads(f"{host}:{port}")) != direct:
                    different.append(f"{kind}: {name}")
    return len(HTTP) + len(both) + 2 * len(CLIENTS), different


def _at_once(leads: Leads) -> int:
    """How many clients that are connected at the same time have an answer."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = subprocess.Popen(
        [sys.executable, "-c", _ECHO], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert server.stdout is not None
    with contextlib.ExitStack() as ends:
        ends.callback(server.stdout.close)
        ends.callback(server.wait)
        ends.callback(server.kill)
        address = leads(f"127.0.0.1:{server.stdout.readline().strip()}")
        clients, answered = [], 0
        for _ in range(CONNECTIONS):
            clients.append(ends.enter_context(socket.create_connection(address, PATIENCE_S)))
        for number, client in enumerate(clients):
            with contextlib.suppress(OSError):
                client.sendall(b"%06d no HTTP\n" % number)
        for number, client in enumerate(clients):
            with contextlib.suppress(OSError):
                answered += client.recv(6) == b"%06d" % number
    return answered


def _speed(directory: Path, rounds: int, downloads: int) -> dict[str, Any]:
    """The proxy of today beside the one before and beside none, in turns: a busy moment of the machine meets all."""
    with contextlib.ExitStack() as ends:
        server = subprocess.Popen(
            [sys.executable, "-c", "from benchmarks.cloud import serve; serve()"], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        ends.callback(server.stdout.close)
        ends.callback(server.wait)
        ends.callback(server.kill)
        direct = server.stdout.readline().strip()
        places = {"direct": direct, "now": ends.enter_context(_proxy(ROOT, directory / "now.sock", direct))}
        if (before := _before(directory / "before")) is not None:
            places["before"] = ends.enter_context(_proxy(before, directory / "before.sock", direct))
        small: dict[str, list[float]] = {name: [] for name in places}
        rate: dict[str, list[float]] = {name: [] for name in places}
        for _ in range(rounds):
            for name, address in places.items():
                small[name].append(_small(address, 20))
                began = time.perf_counter()
                moved = sum(_download(address) for _ in range(downloads))
                rate[name].append(moved / 1e6 / (time.perf_counter() - began))
    straight = statistics.median(small["direct"])
    found: dict[str, Any] = {"direct_mb_per_s": round(statistics.median(rate["direct"]), 1)}
    for name, suffix in (("now", ""), ("before", "_before")):
        if name in places:
            found[f"http_mb_per_s{suffix}"] = round(statistics.median(rate[name]), 1)
            found[f"http_added_ms{suffix}"] = round((statistics.median(small[name]) - straight) * 1000, 3)
    return found


@contextlib.contextmanager
def _proxy(code: Path, control: Path, upstream: str) -> Iterator[str]:
    """An HTTP proxy of the code in a folder; where its clients connect."""
    command = [sys.executable, "-m", "chaosday.mechanisms.http_proxy", str(control), "--lifeline"]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    process = subprocess.Popen(command, cwd=code, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdout.readline()
        yield str(tell(control, {"do": "add_route", "route": "r", "upstream": f"http://{upstream}"})["listen"])
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def _before(folder: Path) -> Path | None:
    """The code as it was before the proxy relayed both ways at once; None outside a checkout."""
    relay = "chaosday/mechanisms/http_proxy/strand.py"
    added = _git("log", "--diff-filter=A", "--format=%H", "--", relay).decode().split()
    if not added:
        return None
    with tarfile.open(fileobj=io.BytesIO(_git("archive", f"{added[-1]}^", "chaosday"))) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _git(*words: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, check=False).stdout
