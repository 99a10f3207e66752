"""A real victim for every fault: a server behind a fault proxy, a process that can be hurt.

A fault without an entry in ``BENCHES`` fails the conformance suite.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chaosday.faults.network.proxy_bandwidth import ProxyBandwidth
from chaosday.faults.network.proxy_blackhole import ProxyBlackhole
from chaosday.faults.network.proxy_corrupt import ProxyCorrupt
from chaosday.faults.network.proxy_down import ProxyDown
from chaosday.faults.network.proxy_duplicate import ProxyDuplicate
from chaosday.faults.network.proxy_latency import ProxyLatency
from chaosday.faults.network.proxy_limit_data import ProxyLimitData
from chaosday.faults.network.proxy_partition import ProxyPartition
from chaosday.faults.network.proxy_reset import ProxyReset
from chaosday.faults.network.proxy_slicer import ProxySlicer
from chaosday.faults.network.proxy_slow_close import ProxySlowClose
from chaosday.faults.network.proxy_timeout import ProxyTimeout
from chaosday.faults.process.kill import ProcessKill
from chaosday.faults.process.pause import ProcessPause
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.fault import Fault
from chaosday.model.target import Target
from chaosday.targets.local_process import LocalProcess
from chaosday.targets.proxy_route import ProxyRoute

SPINNER = "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.005)"


@dataclass
class Bench:
    """``hurt`` says, by means of its own, whether the effect is there; ``stays`` that it lasts by design."""

    fault: Fault
    target: Target
    hurt: Callable[[], bool]
    stays: bool = False
    foreign: Callable[[], object] = lambda: None
    """State of somebody else that is there throughout; what it says must never change."""
    targets: dict[str, Target] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.targets = {self.fault.target: self.target}


class Echo:
    """A TCP server that sends back what it gets, until it gets no more."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := connection.recv(65536):
                connection.sendall(data)


def echo_s(address: tuple[str, int], size: int = 1, timeout_s: float = 0.4) -> float | None:
    """Seconds until ``size`` bytes came back; None where they did not."""
    began = time.perf_counter()
    try:
        with socket.create_connection(address, timeout_s) as connection:
            connection.sendall(b"x" * size)
            left = size
            while left:
                got = len(connection.recv(65536))
                if not got:
                    return None
                left -= got
    except OSError:
        return None
    return time.perf_counter() - began


def echoed(address: tuple[str, int], payload: bytes, timeout_s: float = 5) -> bytes:
    """All that comes back for these bytes and the end."""
    with contextlib.suppress(OSError), socket.create_connection(address, timeout_s) as connection:
        connection.sendall(payload)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))
    return b""


def end_s(address: tuple[str, int]) -> float | None:
    """Seconds from our end of a connection to the server's; None where there is none."""
    began = time.perf_counter()
    return time.perf_counter() - began if echoed(address, b"x") else None


@contextlib.contextmanager
def _route(fault: Fault, directory: Path, hurt: Callable[[tuple[str, int]], bool]) -> Iterator[Bench]:
    echo = Echo()
    proxy = ProxyProcess.start(directory / "proxy.json")
    upstream = f"127.0.0.1:{echo.port}"
    target = ProxyRoute(route="victim", upstream=upstream, control=str(proxy.state_file))
    bystander = ProxyRoute(route="bystander", upstream=upstream, control=str(proxy.state_file))
    arm = {"lease_id": "cd-foreign", "run": "other", "fault": "network.proxy.latency", "ttl_s": 600}
    address = bystander.address()
    proxy.client.call("arm", **arm)
    bystander.inject("cd-foreign", {"kind": "latency", "delay_ms": 1})
    try:
        yield Bench(
            fault.model_copy(update={"target": "victim", "ttl_s": 1.0}),
            target,
            hurt=lambda: hurt(target.address()),
            foreign=lambda: (bystander.counters()["toxics"], echo_s(address, timeout_s=10) is not None),
        )
    finally:
        target.close()
        bystander.close()
        proxy.close()
        echo.close()


@contextlib.contextmanager
def _process(fault: Fault, directory: Path, hurt: Callable[[psutil.Process], bool], stays: bool) -> Iterator[Bench]:
    victim, bystander = (
        subprocess.Popen([sys.executable, "-c", SPINNER], stdout=subprocess.PIPE, text=True) for _ in range(2)
    )
    for process in (victim, bystander):
        assert process.stdout is not None
        process.stdout.readline()
    target = LocalProcess(pid=victim.pid, tree=True, state_dir=str(directory / "state" / "leases"))
    seen, other = psutil.Process(victim.pid), psutil.Process(bystander.pid)
    try:
        yield Bench(
            fault.model_copy(update={"target": "victim", "ttl_s": 1.0}),
            target,
            hurt=lambda: hurt(seen),
            stays=stays,
            foreign=lambda: (other.is_running(), other.status() != psutil.STATUS_STOPPED),
        )
    finally:
        for process in (victim, bystander):
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _silent(address: tuple[str, int]) -> bool:
    return echo_s(address) is None


BENCHES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Bench]]] = {
    "network.proxy.latency": lambda path: _route(
        ProxyLatency(delay_ms=150), path, lambda address: (echo_s(address, timeout_s=5) or 0) >= 0.3
    ),
    "network.proxy.bandwidth": lambda path: _route(
        ProxyBandwidth(rate_kb_per_s=50), path, lambda address: (echo_s(address, 30_000, 5) or 9) >= 0.4
    ),
    "network.proxy.reset": lambda path: _route(ProxyReset(new=True), path, _silent),
    "network.proxy.blackhole": lambda path: _route(ProxyBlackhole(patience_s=0.4), path, _silent),
    "network.proxy.partition": lambda path: _route(ProxyPartition(patience_s=0.4), path, _silent),
    "network.proxy.down": lambda path: _route(ProxyDown(), path, _silent),
    "network.proxy.timeout": lambda path: _route(ProxyTimeout(after_ms=100, patience_s=0.4), path, _silent),
    "network.proxy.limit_data": lambda path: _route(
        ProxyLimitData(limit_bytes=1000), path, lambda address: echo_s(address, 5_000, 5) is None
    ),
    "network.proxy.slicer": lambda path: _route(
        ProxySlicer(size_bytes=100, delay_ms=10), path, lambda address: (echo_s(address, 3_000, 5) or 0) >= 0.25
    ),
    "network.proxy.slow_close": lambda path: _route(
        ProxySlowClose(delay_ms=300), path, lambda address: (end_s(address) or 0) >= 0.25
    ),
    "network.proxy.corrupt": lambda path: _route(
        ProxyCorrupt(share=1), path, lambda address: echoed(address, b"abcdefgh") not in (b"abcdefgh", b"")
    ),
    "network.proxy.duplicate": lambda path: _route(
        ProxyDuplicate(share=1, direction="downstream"),
        path,
        lambda address: echoed(address, b"abcdefgh") == b"abcdefgh" * 2,
    ),
    "process.kill": lambda path: _process(ProcessKill(), path, _gone, stays=True),
    "process.pause": lambda path: _process(
        ProcessPause(), path, lambda process: process.status() == psutil.STATUS_STOPPED, stays=False
    ),
}


def _on_hosts() -> dict[str, Callable[[Path], contextlib.AbstractContextManager[Bench]]]:
    from tests.conformance.container_benches import CONTAINER_BENCHES
    from tests.conformance.host_benches import HOST_BENCHES

    return {**HOST_BENCHES, **CONTAINER_BENCHES}


BENCHES |= _on_hosts()

# Those whose victims are servers of their own (an AWS API, a cluster, an HTTP service, a database): their lives are
# gone through in tests/faults/cloud, tests/faults/kubernetes, tests/mechanisms/application and tests/faults/data.
WITH_SERVERS_OF_THEIR_OWN = ("cloud.", "kubernetes.", "application.", "data.rows")
