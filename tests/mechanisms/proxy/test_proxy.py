"""The fault proxy: transparent without a toxic, exact with one, and gone with its owner."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.errors import AccessDenied, LeaseError, UsageError
from chaosday.mechanisms.proxy.client import ProxyClient, ProxyGone, ProxyProcess
from chaosday.model.lease import Lease, LeaseHolder, Undo
from chaosday.processes.process_table import identity
from chaosday.targets.proxy_route import ProxyRoute
from tests.conformance.benches import Echo, echo_s

pytestmark = pytest.mark.lab

PATIENCE_S = 120.0


class Rig:
    """An echo server behind a route of a proxy of its own."""

    def __init__(self, directory: Path) -> None:
        self.echo = Echo()
        self.proxy = ProxyProcess.start(directory / "proxy.json")
        self.route = ProxyRoute(
            route="r", upstream=f"127.0.0.1:{self.echo.port}", control=str(directory / "proxy.json")
        )
        self.leases = self.route.capability(LeaseHolder)
        self._number = 0

    def inject(self, **toxic: Any) -> Callable[[], None]:
        """Put a toxic in force; what is returned heals it."""
        self._number += 1
        mark = f"cd-test-{self._number}"
        self.leases.arm(Lease(id=mark, run="r", fault="f", target="t", undo=Undo(), ttl_s=60))
        self.route.inject(mark, toxic)
        return lambda: self.leases.heal(mark)

    def connect(self) -> socket.socket:
        connection = socket.create_connection(self.route.address(), 5)
        connection.sendall(b".")
        assert connection.recv(1) == b"."
        return connection

    def close(self) -> None:
        self.route.close()
        self.proxy.close()
        self.echo.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.01)


def _exchange(address: tuple[str, int], payload: bytes) -> str:
    """The digest of what comes back for ``payload``, the end of which is said by half-closing."""
    with socket.create_connection(address, PATIENCE_S) as connection:
        thread = threading.Thread(target=lambda: (connection.sendall(payload), connection.shutdown(socket.SHUT_WR)))
        thread.start()
        digest = hashlib.sha256()
        while data := connection.recv(65536):
            digest.update(data)
        thread.join()
    return digest.hexdigest()


@pytest.mark.parametrize(
    "toxics",
    [
        [],
        [{"kind": "latency", "delay_ms": 3, "jitter_ms": 3}],
        [{"kind": "bandwidth", "rate_kb_per_s": 20_000}],
        [{"kind": "latency", "delay_ms": 2}, {"kind": "bandwidth", "rate_kb_per_s": 20_000}],
    ],
)
def test_every_byte_arrives_once_and_in_order(rig: Rig, toxics: list[dict[str, Any]]) -> None:
    """Megabytes of noise each way over several connections, with or without a toxic that only slows."""
    for toxic in toxics:
        rig.inject(**toxic)
    payload = random.Random(7).randbytes(1_000_003)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(_exchange(rig.route.address(), payload))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [hashlib.sha256(payload).hexdigest()] * 4
    # The last connection's end may still be on its way through the proxy.
    _until(lambda: rig.route.counters()["connections"] == 0)
    assert rig.route.counters()["bytes"]["upstream_passed"] == 4 * len(payload)


def test_toxics_that_come_and_go_keep_the_order(rig: Rig) -> None:
    """Latency and bandwidth put in and taken out twenty times under a transfer: not a byte moves."""
    payload = random.Random(8).randbytes(8_000_000)
    found: list[str] = []
    transfer = threading.Thread(target=lambda: found.append(_exchange(rig.route.address(), payload)))
    transfer.start()
    for number in range(20):
        kind = {"kind": "latency", "delay_ms": 5, "jitter_ms": 4} if number % 2 else {"kind": "partition"}
        heal = rig.inject(**kind)
        time.sleep(0.02)
        heal()
    transfer.join()
    assert found == [hashlib.sha256(payload).hexdigest()]


def test_an_urgent_byte_stays_one(rig: Rig) -> None:
    """Whatever a toxic does to it: among the others the server would take it for data, and send it back."""
    for toxic in ("corrupt", "limit_data", "latency", "slicer", "bandwidth"):
        heal = rig.inject(kind=toxic, direction="upstream")
        with socket.create_connection(rig.route.address(), 60) as connection:
            connection.sendall(b"a")
            assert len(connection.recv(1)) == 1
            connection.send(b"!", socket.MSG_OOB)
            connection.sendall(b"b")
            connection.shutdown(socket.SHUT_WR)
            came = b""
            while piece := connection.recv(10):
                came += piece
        heal()
        assert len(came) == 1, toxic


def test_a_blackhole_delivers_nothing_late(rig: Rig) -> None:
    """What was cut never arrives: the connection that lost bytes is reset, the one that lost none goes on."""
    talking, silent = rig.connect(), rig.connect()
    heal = rig.inject(kind="blackhole", direction="upstream")
    talking.sendall(b"lost")
    _until(lambda: rig.route.counters()["bytes"]["upstream_discarded"] == 4)
    heal()
    with pytest.raises(ConnectionResetError):
        talking.recv(1)
    silent.sendall(b"kept")
    assert silent.recv(4) == b"kept"
    assert echo_s(rig.route.address(), timeout_s=5) is not None


def test_a_connection_made_in_a_blackhole_is_reset_at_its_end(rig: Rig) -> None:
    """It was accepted and led nowhere; it must not begin in the middle of a conversation."""
    heal = rig.inject(kind="blackhole")
    with socket.create_connection(rig.route.address(), 5) as connection:
        connection.sendall(b"hello")
        _until(lambda: rig.route.counters()["bytes"].get("upstream_discarded") == 5)
        heal()
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_partition_delivers_everything_late(rig: Rig) -> None:
    """Held on both sides, for old connections and new ones, and delivered when it ends."""
    old = rig.connect()
    heal = rig.inject(kind="partition")
    new = socket.create_connection(rig.route.address(), 5)
    for connection in (old, new):
        connection.sendall(b"held")
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(4)
    heal()
    for connection in (old, new):
        connection.settimeout(PATIENCE_S)
        assert connection.recv(4) == b"held"
        connection.close()


def test_repointing_moves_new_connections_and_resets_old_ones(rig: Rig) -> None:
    """After a promotion clients find the new primary, and none goes on talking to the old one."""
    other = Echo()
    old = rig.connect()
    rig.route.repoint("127.0.0.1", other.port)
    with pytest.raises(ConnectionResetError):
        old.recv(1)
    rig.echo.close()
    assert echo_s(rig.route.address(), timeout_s=5) is not None
    assert rig.route.counters()["upstream"] == f"127.0.0.1:{other.port}"
    other.close()


def test_probability_hits_the_same_share_again(rig: Rig) -> None:
    """Half of the connections are reset, and the others untouched."""
    heal = rig.inject(kind="reset", new=True, probability=0.5, seed=3)
    first = [echo_s(rig.route.address(), timeout_s=5) is None for _ in range(40)]
    heal()
    assert 8 < sum(first) < 32
    assert all(echo_s(rig.route.address(), timeout_s=5) is not None for _ in range(5))


def test_a_dead_server_is_a_reset_and_not_a_silence(rig: Rig) -> None:
    """Where nothing listens behind the route, clients learn of it at once."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    rig.route.repoint("127.0.0.1", port)
    # The reset can come so soon that it ends the connect.
    with pytest.raises(ConnectionResetError), socket.create_connection(rig.route.address(), 5) as connection:
        connection.recv(1)


def test_a_route_that_is_down_refuses_and_comes_back_on_its_port(rig: Rig) -> None:
    """Connections there were are reset, new ones refused by the kernel; after two toxics it listens where it did."""
    standing, address = rig.connect(), rig.route.address()
    heals = [rig.inject(kind="down"), rig.inject(kind="down")]
    with pytest.raises(ConnectionResetError):
        standing.recv(1)
    for heal in heals:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, 5)
        heal()
    assert rig.route.address() == address
    assert echo_s(address, timeout_s=PATIENCE_S) is not None


def test_a_slow_close_delays_only_the_end(rig: Rig) -> None:
    """The bytes come at once, the end of the stream when its delay is over, or the toxic."""
    heal = rig.inject(kind="slow_close", delay_ms=60_000)
    with rig.connect() as connection:
        connection.sendall(b"last words")
        assert connection.recv(10) == b"last words"
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(PATIENCE_S)
        heal()
        assert connection.recv(1) == b""


@pytest.mark.parametrize("toxic", [{"kind": "slicer", "size_bytes": 7, "variation_bytes": 5, "delay_ms": 0.01}])
def test_slices_add_up(rig: Rig, toxic: dict[str, Any]) -> None:
    """Whatever the pieces are, together they are what was sent."""
    rig.inject(**toxic)
    payload = random.Random(9).randbytes(20_000)
    assert _exchange(rig.route.address(), payload) == hashlib.sha256(payload).hexdigest()


def test_no_more_than_the_limit_passes(rig: Rig) -> None:
    """A connection is reset at the limit, and what is over it never arrives; each connection has its own."""
    rig.inject(kind="limit_data", limit_bytes=100, direction="upstream")
    for _ in range(2):
        with socket.create_connection(rig.route.address(), PATIENCE_S) as connection:
            connection.sendall(bytes(150))
            came = b""
            with pytest.raises(ConnectionResetError):
                while data := connection.recv(4096):
                    came += data
            assert len(came) <= 100


@pytest.mark.parametrize(("kind", "length"), [("corrupt", 8), ("duplicate", 16)])
def test_bytes_altered_on_the_way_arrive_as_if_nothing_were(rig: Rig, kind: str, length: int) -> None:
    """One bit turned, or the piece twice; after heal the same connection is honest again."""
    heal = rig.inject(kind=kind, share=1, direction="downstream")
    with socket.create_connection(rig.route.address(), PATIENCE_S) as connection:
        connection.sendall(b"abcdefgh")
        came = b""
        while len(came) < length:
            came += connection.recv(64)
        turned = sum((a ^ b).bit_count() for a, b in zip(came, b"abcdefgh" * 2, strict=False))
        assert (len(came), turned) == (length, 1 if kind == "corrupt" else 0)
        heal()
        connection.sendall(b"12345678")
        assert connection.recv(8) == b"12345678"


def test_only_the_chosen_share_of_connections_is_hurt(rig: Rig) -> None:
    """With a probability of a half some connections are altered, and the others not at all."""
    rig.inject(kind="corrupt", share=1, probability=0.5, seed=3)
    payload = b"x" * 64
    hurt = [_exchange(rig.route.address(), payload) != hashlib.sha256(payload).hexdigest() for _ in range(24)]
    assert 0 < sum(hurt) < 24


def test_a_toxic_needs_a_lease_and_ends_with_it(rig: Rig) -> None:
    """No lease, no toxic; at its deadline the proxy takes the toxic away by itself, and a renewal is refused."""
    with pytest.raises(LeaseError):
        rig.route.inject("cd-never-armed", {"kind": "blackhole"})
    rig.leases.arm(Lease(id="cd-short", run="r", fault="f", target="t", undo=Undo(), ttl_s=600))
    rig.route.inject("cd-short", {"kind": "blackhole"})
    assert rig.leases.residue("cd-short") == ["lease cd-short is still armed in the proxy", "a toxic on route r"]
    rig.leases.renew("cd-short", 0.1)
    _until(lambda: rig.leases.residue("cd-short") == [])
    with pytest.raises(LeaseError):
        rig.leases.renew("cd-short", 1)


@pytest.mark.parametrize(
    ("toxic", "says"),
    [
        ({"kind": "nonesuch"}, "there are bandwidth, blackhole"),
        ({"kind": "latency", "dealy_ms": 3}, "has no dealy_ms"),
        ({"kind": "latency", "direction": "sideways"}, "direction is one of"),
    ],
)
def test_a_wrong_toxic_is_refused_in_words(rig: Rig, toxic: dict[str, Any], says: str) -> None:
    """A name, a field or a direction that is none; nothing is in force afterwards."""
    rig.leases.arm(Lease(id="cd-wrong", run="r", fault="f", target="t", undo=Undo(), ttl_s=60))
    with pytest.raises(UsageError, match=says):
        rig.route.inject("cd-wrong", toxic)
    assert rig.route.counters()["toxics"] == []


def test_without_the_token_nothing_is_done(rig: Rig, tmp_path: Path) -> None:
    """The state file is for its owner only, and a wrong token is refused."""
    state = tmp_path / "proxy.json"
    assert state.stat().st_mode & 0o777 == 0o600
    forged = tmp_path / "forged.json"
    forged.write_text(state.read_text().replace('"token": "', '"token": "0'))
    with pytest.raises(AccessDenied):
        ProxyClient(forged).call("routes")


def test_it_ends_with_its_owner(tmp_path: Path) -> None:
    """SIGKILL of the owner, a forked child of which lives on: the proxy, its port and its state file go."""
    program = (
        "import os, sys, time; from pathlib import Path; from chaosday.targets.proxy_route import ProxyRoute\n"
        "route = ProxyRoute(upstream='127.0.0.1:1'); control = route.public()['control']\n"
        "forked = os.fork()\n"
        "if forked == 0: time.sleep(600)\n"
        "print(route._own[0].pid, forked, control, flush=True); time.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid, forked, control = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    try:
        _until(lambda: not identity(int(pid)).started)
        _until(lambda: not Path(control).parent.exists())
        with pytest.raises(ProxyGone):
            ProxyClient(control).call("ping")
    finally:
        os.kill(int(forked), 9)
        owner.stdout.close()


def test_its_own_lease_ends_it(tmp_path: Path) -> None:
    """A proxy that nobody speaks to for as long as it was told ends by itself."""
    proxy = ProxyProcess.start(tmp_path / "proxy.json", own_lease_s=0.3)
    _until(lambda: not identity(proxy.pid).started)
    proxy.close()
