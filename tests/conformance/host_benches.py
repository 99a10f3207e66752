"""Victims for the faults on hosts: hosts of the lab, looked at from their console and not over SSH."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chaosday import registry
from tests.conformance.benches import Bench
from tests.lab.hosts import LabHost
from tests.lab.pool import Pool, pool

TTL_S = 6.0
FOREIGN = """
nft add table inet foreign
nft add chain inet foreign input '{ type filter hook input priority 10; }'
nft add rule inet foreign input ip saddr 198.18.200.1 drop
ip link add other type veth peer name another
tc qdisc add dev other root handle 7: tbf rate 1mbit burst 16kb latency 50ms
mkdir -p /srv/foreign && mount -t tmpfs -o size=1m tmpfs /srv/foreign
"""
FOREIGN_DUMP = "nft -s list table inet foreign; tc qdisc show dev other; grep /srv/foreign /proc/mounts; hostname"
FOREIGN_GONE = "nft delete table inet foreign; ip link del other; umount /srv/foreign; rmdir /srv/foreign\n"

Hurt = Callable[[LabHost, Pool], bool]


@contextlib.contextmanager
def _host(
    kind: str, fields: Mapping[str, Any], hurt: Hurt, stays: bool = False, before: str = "", after: str = ""
) -> Iterator[Bench]:
    lab = pool()
    with lab.victim() as victim:
        target = lab.target(victim)
        made = {
            key: value.replace("@PEER", lab.peer.address) if isinstance(value, str) else value
            for key, value in fields.items()
        }
        if "peers" in made:
            made["peers"] = [lab.peer.address]
        fault = registry.member("faults", kind).model_validate(
            {"kind": kind, "target": "victim", "ttl_s": TTL_S, **made}
        )
        victim.run(FOREIGN + before)
        try:
            yield Bench(
                fault,
                target,
                hurt=lambda: hurt(victim, lab),
                stays=stays,
                foreign=lambda: victim.run(FOREIGN_DUMP),
            )
        finally:
            target.close()
            victim.run(FOREIGN_GONE + after)


def _says(script: str) -> Hurt:
    """Whether a script, run on the victim's console, succeeds; @PEER is the peer's address."""
    return lambda victim, lab: bool(
        victim.run(f"{script.replace('@PEER', lab.peer.address)} && echo yes", check=False).strip()
    )


def _talk(expression: str) -> Hurt:
    """Whether what happens to a TCP conversation with the peer is what ``expression`` says about ``end``."""
    program = (
        "import socket, time\n"
        "try:\n"
        "    with socket.create_connection(('@PEER', 8000), 1) as c:\n"
        "        c.settimeout(1); end = 'talked'\n"
        "        for _ in range(3): c.sendall(b'x'); c.recv(1)\n"
        "except OSError as error: end = type(error).__name__\n"
        f"print('yes' if {expression} else '')\n"
    )
    return lambda victim, lab: (
        victim.run(f'/usr/bin/python3 -c "{program.replace("@PEER", lab.peer.address)}"').strip() == "yes"
    )


FILES = """
import os, time
def sectors(device):
    rows = [line.split() for line in open('/proc/diskstats')]
    return sum(int(row[9]) for row in rows if (int(row[0]), int(row[1])) == (os.major(device), os.minor(device)))
disk = int(open('/srv/disk').read())
wrote, error, began, before = os.urandom(1 << 16), 0, time.monotonic(), sectors(disk)
try:
    with open('/srv/data/looked-at', 'wb') as file:
        file.write(wrote); file.flush(); @SYNC
    took, flushed = time.monotonic() - began, sectors(disk) - before
    with open('/srv/data/looked-at', 'rb') as file: read = file.read()
except OSError as failed: error = failed.errno
else: os.unlink('/srv/data/looked-at')
print('yes' if @TEST else '')
"""


def _files(test: str, sync: str = "os.fsync(file.fileno())") -> Hurt:
    """Whether ``test`` is true of a file written to the victim's data disk, synced, and read again."""
    program = FILES.replace("@TEST", test).replace("@SYNC", sync)
    return lambda victim, lab: victim.run(f'/usr/bin/python3 -c "{program}"').strip() == "yes"


def _rate(file: str, per_second: float) -> Hurt:
    """Whether a counter of the host's cgroup, read from outside, grows faster than that."""

    def hurt(victim: LabHost, lab: Pool) -> bool:
        controller, _, name = file.partition(":")
        path = next(Path("/sys/fs/cgroup").glob(f"{controller}/*/{victim.name}")) / name
        first, began = int(path.read_text()), time.monotonic()
        time.sleep(0.4)
        return (int(path.read_text()) - first) / (time.monotonic() - began) > per_second

    return hurt


def _worker(test: Callable[[dict[str, Any]], bool]) -> Hurt:
    """Whether the worker on the victim met it lately: its own words about its last steps."""

    def hurt(victim: LabHost, lab: Pool) -> bool:
        victim.run("rm -f /srv/tail; sleep 0.3")
        lines = victim.run("tail -n 8 /srv/worker.log").splitlines()
        return any(test(json.loads(line)) for line in lines if line.endswith("}"))

    return hurt


def _throttled(victim: LabHost, lab: Pool) -> bool:
    """Whether a busy loop put into the worker's group gets less than half a processor."""
    script = (
        "echo $$ > /sys/fs/cgroup/cpu/work/cgroup.procs; echo $$ > /sys/fs/cgroup/cpuacct/work/cgroup.procs; "
        "a=$(cat /sys/fs/cgroup/cpu/work/cpu.stat | sed -n 's/nr_throttled //p'); "
        "timeout 0.5 sh -c 'while :; do :; done'; "
        "b=$(cat /sys/fs/cgroup/cpu/work/cpu.stat | sed -n 's/nr_throttled //p'); [ $b -gt $a ] && echo yes"
    )
    return victim.run(script, check=False).strip() == "yes"


@contextlib.contextmanager
def _busy_group() -> Iterator[Bench]:
    with _host("host.cgroup_limit", {"pattern": "lab-burner", "cpu_percent": 20}, _throttled) as bench:
        victim = pool().host_at(str(bench.target.public()["host"]))
        assert victim is not None
        burner = victim.spawn(
            "echo $$ > /sys/fs/cgroup/cpu/work/cgroup.procs; echo $$ > /sys/fs/cgroup/cpuacct/work/cgroup.procs; "
            "exec sh -c 'while :; do :; done' lab-burner"
        )
        try:
            yield bench
        finally:
            victim.run("kill -9 $(pgrep -f '[l]ab-burner')", check=False)
            burner.wait()
            if burner.stdout:
                burner.stdout.close()


@contextlib.contextmanager
def _machine_of_its_own(kind: str) -> Iterator[Bench]:
    pytest.skip(f"{kind} needs a machine of its own: tests/lab/test_vm.py has it")
    yield  # type: ignore[unreachable]


NEEDS_A_MACHINE = {"host.reboot", "storage.device_delay", "storage.device_error", "storage.device_flakey"}
PEER: dict[str, Any] = {"peers": True}
ALL: dict[str, Any] = {"percent": 100}
FAKED = "LD_PRELOAD=$(ls /usr/lib/*/faketime/libfaketime.so.1) FAKETIME_TIMESTAMP_FILE=/etc/chaosday-lab/faketime"
PING = "ping -n -U -q -c 20 -i 0.005 -W 0.3"

_HOSTS: dict[str, tuple[dict[str, Any], Hurt]] = {
    "network.partition": (PEER, _says("! ping -n -q -c 2 -i 0.05 -W 0.5 @PEER >/dev/null")),
    "network.blackhole": (PEER | {"ports": [8000]}, _talk("end == 'TimeoutError'")),
    "network.reject": (PEER | {"ports": [8000]}, _talk("end == 'ConnectionRefusedError'")),
    "network.reset": (PEER | {"ports": [8000]}, _talk("end == 'ConnectionResetError'")),
    "network.loss": (PEER | {"percent": 60}, _says(f"! {PING} @PEER | grep -q ' 0% packet loss'")),
    "network.latency": (PEER, _says(f"{PING} @PEER | grep -q '= [1-9][0-9][0-9]*[.]'")),
    "network.duplicate": (PEER | {"percent": 50}, _says(f"{PING} @PEER | grep -q duplicates")),
    "network.reorder": (
        PEER | {"percent": 40},
        _says(
            "ping -n -U -c 40 -i 0.002 -W 0.3 @PEER | sed -n 's/.*icmp_seq=\\([0-9]*\\).*/\\1/p' | "
            "sort -nc 2>&1 | grep -q disorder"
        ),
    ),
    "network.corrupt": (
        PEER | {"percent": 60},
        _says("ping -n -c 20 -i 0.005 -W 0.3 -s 500 @PEER | grep -qE 'BAD|wrong'"),
    ),
    "network.bandwidth": (
        PEER | {"rate_mbit": 2},
        _says("ping -n -q -f -l 40 -w 1 -s 1400 @PEER | awk '/received/ { exit !($4 < 600) }'"),
    ),
    "network.dns": ({"name": "db.lab"}, _says("! timeout 5 getent ahostsv4 db.lab >/dev/null")),
    "host.cpu": ({}, _rate("cpuacct:cpuacct.usage", 0.25e9)),
    "host.memory": (
        {"size_mb": 120, "ramp_s": 0.3},
        _says("ps -eo rss= -o comm= | awk '$2 == \"tail\" && $1 > 90000' | grep -q ."),
    ),
    "host.disk_fill": (
        {"path": "/srv/data", "reserve_mb": 2},
        _says("[ $(df -m --output=avail /srv/data | tail -n 1) -lt 20 ]"),
    ),
    "host.io": (
        {"path": "/srv/data", "file_mb": 2},
        _says(
            "d=$(basename $(findmnt -no SOURCE /srv/data)); a=$(grep \" $d \" /proc/diskstats | awk '{ print $10 }'); "
            "sleep 0.3; b=$(grep \" $d \" /proc/diskstats | awk '{ print $10 }'); [ $((b - a)) -gt 1000 ]"
        ),
    ),
    "host.file_descriptors": ({"pattern": "worker.py"}, _worker(lambda said: said.get("error") == 24)),
    "host.service": ({"name": "labd"}, _says("! pgrep -f '^sleep 98765[4]' >/dev/null")),
    "host.clock_skew": (
        {"faketime_file": "/etc/chaosday-lab/faketime"},
        _says(f"[ $(env {FAKED} date +%s) -gt $(($(date +%s) + 1800)) ]"),
    ),
    "storage.readonly": ({}, _files("error == 30")),
    "storage.errno": ({}, _files("error == 5")),
    "storage.latency": ({"delay_ms": 150}, _files("not error and took > 0.12")),
    "storage.lost_fsync": ({}, _files("not error and flushed < 128")),
    # What the file system above holds back is not the kernel's to write.
    "storage.volatile_cache": ({}, _files("not error and flushed < 128", "os.sync()")),
    "storage.torn_write": (ALL, _files("not error and read != wrote")),
    "storage.bit_flip": (ALL, _files("not error and read != wrote")),
    "storage.stale_chunk": (ALL, _files("not error and read != wrote")),
    "storage.misdirected_write": (ALL, _files("not error and read != wrote")),
    "storage.truncate": (ALL, _files("not error and len(read) < len(wrote)")),
    "process.syscall": ({"pattern": "worker.py"}, _worker(lambda said: said.get("error") == 5)),
}


def _bench(kind: str) -> Callable[[Path], contextlib.AbstractContextManager[Bench]]:
    fields, hurt = _HOSTS[kind]
    return lambda _: _host(kind, fields, hurt)


HOST_BENCHES: dict[str, Callable[[Path], contextlib.AbstractContextManager[Bench]]] = {
    **{kind: _bench(kind) for kind in _HOSTS},
    "host.cgroup_limit": lambda _: _busy_group(),
    **{kind: lambda _, kind=kind: _machine_of_its_own(kind) for kind in sorted(NEEDS_A_MACHINE)},
    "data.files": lambda _: _host(
        "data.files",
        {"match": "at-rest-*"},
        _says("! { cd /srv/data && sha256sum -c /srv/at-rest.sums; } >/dev/null 2>&1"),
        before="cd /srv/data; for n in 1 2 3; do head -c 9000 /dev/urandom > at-rest-$n; done; "
        "sha256sum at-rest-* > /srv/at-rest.sums\n",
        after="rm -f /srv/data/at-rest-* /srv/at-rest.sums\n",
    ),
}
