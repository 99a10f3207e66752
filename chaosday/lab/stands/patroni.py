"""PostgreSQL kept available by Patroni on an etcd of its own, and HAProxy, which leads clients to who leads."""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, TargetUnreachable
from chaosday.mechanisms.proxy.client import ProxyProcess
from chaosday.model.failover import Failover
from chaosday.model.target import Route
from chaosday.servers import postgres, shared_memory
from chaosday.servers.account import Account, unprivileged
from chaosday.servers.ports import free_port
from chaosday.servers.server import START_S, Server, program
from chaosday.targets.etcd import Etcd
from chaosday.targets.patroni import Patroni
from chaosday.targets.postgresql import PostgreSQL
from chaosday.targets.proxy_route import ProxyRoute

NAMES = ("a", "b", "c")
TTL_S = 8
"""After so long without a word of its leader a cluster elects another; Patroni's own default is 30."""
SETTINGS = {
    "unix_socket_directories": "",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",
    "max_connections": 60,
    "wal_log_hints": "on",
    "wal_keep_size": "256MB",
    "wal_sender_timeout": "10s",
    "wal_retrieve_retry_interval": "200ms",
    "checkpoint_timeout": "15min",
}


@dataclass
class Member:
    """One PostgreSQL and the Patroni beside it; ``door`` is where the others find its database."""

    name: str
    folder: Path
    account: Account
    binaries: Path
    door: int
    port: int
    api: int = field(default_factory=free_port)

    @property
    def data(self) -> Path:
        return self.folder / self.name

    def server(self, configuration: dict[str, Any]) -> Server:
        """Its Patroni, with a file of its own account's."""
        file = self.folder / f"{self.name}.yml"
        file.touch(0o600)
        # JSON is YAML, and quotes what has to be.
        file.write_text(json.dumps(configuration))
        self.account.own(file)
        words = [program("patroni", "patroni python3-etcd3"), str(file)]
        if self.account.uid is not None:
            groups = ["--reuid", str(self.account.uid), "--regid", str(self.account.gid), "--clear-groups"]
            words = [program("setpriv", "util-linux"), *groups, *words]
        # What else is in this environment is for another Python than Debian's.
        return Server(f"patroni-{self.name}", words, self.folder, {"PYTHONPATH": "", "PYTHONHOME": ""} | {"HOME": "/"})

    def stop(self) -> None:
        """End its database, which outlives its Patroni."""
        node = postgres.Node(self.name, self.data, self.port, "", self.binaries, self.account)
        node.stop()
        shared_memory.release(self.data)


@contextmanager
def stand(
    folder: Path,
    *,
    members: int = 2,
    synchronous: bool = False,
    maximum_lag_bytes: int = 1 << 30,
    rewind: bool = True,
    keep_sessions: bool = False,
) -> Iterator[dict[str, Any]]:
    """Facts: ``cluster`` (a ``patroni`` target), ``service`` (by HAProxy), ``a``, ``b`` and, of three, ``c`` (each
    directly), ``daemon_a``, ``server_a`` and so on (processes), ``control`` and ``to_a`` and so on: where the others
    are led to for its database. ``a`` leads at first.

    ``synchronous`` is Patroni's ``synchronous_mode``, ``maximum_lag_bytes`` its ``maximum_lag_on_failover``, ``rewind``
    its ``use_pg_rewind``; with ``keep_sessions`` HAProxy leaves the sessions that a former leader has.
    """
    if not 2 <= members <= len(NAMES):
        raise CapabilityMissing(f"members: the lab starts two or three of them, not {members}")
    with ExitStack() as undo:
        folder.mkdir(parents=True, exist_ok=True)
        scratch = undo.enter_context(postgres.scratch(folder / "lab"))
        etcd = _etcd(undo, folder)
        proxy = ProxyProcess.start(folder / "proxy.json")
        undo.callback(proxy.close)
        made = [_member(name, scratch, proxy) for name in NAMES[:members]]
        common = {
            "loop_wait": 1, "ttl": TTL_S, "retry_timeout": 3, "maximum_lag_on_failover": maximum_lag_bytes,
            "synchronous_mode": synchronous,
            "postgresql": {"use_pg_rewind": rewind, "use_slots": False, "parameters": SETTINGS},
        }  # fmt: skip
        password = secrets.token_hex(12)
        facts: dict[str, Any] = {"control": str(proxy.state_file)}
        for each in made:
            facts |= _started(undo, each, _configuration(each, etcd, common, password), folder, password)
        cluster = {"kind": "patroni", "members": [f"127.0.0.1:{each.api}" for each in made]}
        _until_all(Patroni.model_validate(cluster), synchronous=synchronous, members=members)
        front = _balanced(undo, folder, made, password, keep_sessions=keep_sessions)
        yield {**facts, "cluster": cluster, "service": {"kind": "postgresql", "port": front, "password": password}}


def _etcd(undo: ExitStack, folder: Path) -> int:
    clients, peers = free_port(), free_port()
    own = f"http://127.0.0.1:{peers}"
    command = [
        program("etcd", "etcd-server"), "--name=only", f"--data-dir={folder}/etcd", f"--initial-cluster=only={own}",
        f"--initial-advertise-peer-urls={own}", f"--listen-peer-urls={own}", "--log-level=error",
        f"--listen-client-urls=http://127.0.0.1:{clients}", f"--advertise-client-urls=http://127.0.0.1:{clients}",
    ]  # fmt: skip
    server = Server("etcd", command, folder, {"ETCD_UNSUPPORTED_ARCH": ""})
    undo.callback(server.stop)
    server.start(Etcd(port=clients).reach)
    return clients


def _member(name: str, scratch: Path, proxy: ProxyProcess) -> Member:
    port = free_port()
    way = ProxyRoute(route=f"to_{name}", upstream=f"127.0.0.1:{port}", control=str(proxy.state_file))
    account = unprivileged()
    account.own(scratch)
    return Member(name, scratch, account, postgres.usable_binaries(scratch), way.capability(Route).address()[1], port)


def _configuration(member: Member, etcd: int, common: dict[str, Any], password: str) -> dict[str, Any]:
    login = {"username": "postgres", "password": password}
    return {
        "scope": "lab",
        "name": member.name,
        "restapi": {"listen": f"127.0.0.1:{member.api}", "connect_address": f"127.0.0.1:{member.api}"},
        "etcd3": {"hosts": [f"127.0.0.1:{etcd}"]},
        "bootstrap": {
            "dcs": common,
            "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, {"auth": "scram-sha-256"}, "data-checksums", "no-sync"],
            "pg_hba": ["host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"],
        },
        "postgresql": {
            "listen": f"127.0.0.1:{member.port}",
            "connect_address": f"127.0.0.1:{member.door}",
            "data_dir": str(member.data),
            "bin_dir": str(member.binaries),
            "pgpass": str(member.folder / f"{member.name}.pgpass"),
            "authentication": {"superuser": login, "replication": {"username": "replicator", "password": password}},
        },
    }


def _started(
    undo: ExitStack, member: Member, configuration: dict[str, Any], folder: Path, password: str
) -> dict[str, Any]:
    daemon = member.server(configuration)
    undo.callback(member.stop)
    undo.callback(daemon.stop)
    target = {"kind": "postgresql", "port": member.port, "password": password}
    daemon.start(PostgreSQL.model_validate(target).reach)
    files = {"data_directory": str(member.data), "bin_directory": str(member.binaries)}
    leases = folder / "leases"
    return {
        member.name: target | files,
        f"to_{member.name}": f"127.0.0.1:{member.port}",
        f"daemon_{member.name}": daemon.process(leases),
        f"server_{member.name}": {
            "kind": "local_process", "pid_file": str(member.data / "postmaster.pid"), "tree": True,
            "restart": _restart(daemon, member), "state_dir": str(leases),
        },
    }  # fmt: skip


def _restart(daemon: Server, member: Member) -> str:
    """POSIX ``sh``: its Patroni, where that does not run, starts it; until it runs, which may be after a rewind."""
    pid_file = shlex.quote(str(member.data / "postmaster.pid"))
    # A killed child that nobody has waited for yet is a zombie, and kill -0 takes that for running.
    running = f'case $(ps -o stat= -p "$(head -n 1 {pid_file} 2>/dev/null)" 2>/dev/null) in "" | Z*) false ;; esac'
    wait = f"n=0; until {running}; do n=$((n + 1)); [ $n -lt {10 * START_S} ] || break; sleep 0.1; done"
    return f"{daemon.start_script()}{wait}\n"


def _until_all(cluster: Patroni, *, synchronous: bool, members: int) -> None:
    """Until one leads and the others stream from it, and commits wait for one of them where they should."""
    until = time.monotonic() + START_S
    while True:
        seen = cluster.capability(Failover).members()
        followers = [each for each in seen if each.follows]
        waited_for = not synchronous or any(each.synchronous for each in followers)
        if len(followers) == members - 1 and waited_for:
            return
        if time.monotonic() > until:
            said = ", ".join(each.words for each in seen)
            raise TargetUnreachable(f"Patroni's members did not come together within {START_S} s: {said}")
        time.sleep(0.2)


def _balanced(undo: ExitStack, folder: Path, made: list[Member], password: str, *, keep_sessions: bool) -> int:
    """HAProxy as Patroni's manual has it: to whoever says of itself that it leads."""
    port = free_port()
    down = "" if keep_sessions else " on-marked-down shutdown-sessions"
    lines = [
        "defaults", "  mode tcp", "  timeout connect 2s", "  timeout client 1h", "  timeout server 1h",
        "  timeout check 2s", "listen leader", f"  bind 127.0.0.1:{port}", "  option httpchk OPTIONS /primary",
        "  http-check expect status 200", f"  default-server inter 500ms fall 2 rise 1{down}",
        *(f"  server {each.name} 127.0.0.1:{each.port} check port {each.api}" for each in made),
    ]  # fmt: skip
    configuration = folder / "haproxy.cfg"
    configuration.write_text("\n".join(lines) + "\n")
    server = Server("haproxy", [program("haproxy", "haproxy"), "-db", "-f", str(configuration)], folder)
    undo.callback(server.stop)
    server.start(PostgreSQL.model_validate({"port": port, "password": password}).reach)
    return port
