"""Hosts that are really reached over SSH and really hurt: one network namespace each, on a bridge of their own.

A lab takes one of 16 slots of 198.18.0.0/24 (RFC 2544's range for benchmarks) by a file lock. The kernel
lets go of the lock when a test run is killed, so that its sweeper, or whoever takes the slot next, may clear away
what is left in it: everything a lab makes carries the slot in its name. ``python -m tests.lab.hosts SLOT`` does that.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from tests.lab import machine, registry

SLOTS = 16
PLACE = Path("/tmp")
"""The same for all runs, whatever folder each of them has for its temporary files: the slots are the machine's."""
CGROUPS = ("cpu", "cpuacct", "cpuset", "memory", "blkio", "pids", "freezer")
INSIDE = Path(__file__).with_name("host.sh")
SSHD_CONFIG = """\
{extra}
Port 22
ListenAddress {address}
HostKey /srv/lab/host_key
PidFile none
AuthorizedKeysFile /srv/lab/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
"""


@dataclass
class LabHost:
    """One host: ``address`` answers SSH on port 22 for root with the lab's key; its disk is at /srv/data."""

    name: str
    address: str
    directory: Path
    process: subprocess.Popen[bytes]
    known_hosts: Path
    key: Path

    def alive(self) -> bool:
        """Whether its first process still runs."""
        return self.process.poll() is None

    def run(self, script: str, *, check: bool = True) -> str:
        """Run a script inside the host without SSH, as its console would; what it printed."""
        done = subprocess.run(self._command(script), capture_output=True, text=True, timeout=200, check=False)
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {script!r} ended with {done.returncode}: {done.stderr or done.stdout}")
        return done.stdout

    def spawn(self, script: str) -> subprocess.Popen[str]:
        """Start a script inside the host; the caller ends it, or the host's own end does."""
        return subprocess.Popen(
            self._command(script), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def _command(self, script: str) -> list[str]:
        # Entering namespaces does not enter the capability bounds: without setpriv, "date -s" typed here
        # would set the clock of the whole machine.
        join = "; ".join(f"echo $$ > {group}/cgroup.procs" for group in machine.groups_of(self.name)) or ":"
        inside = f"exec env -i PATH={machine.PATH} HOME=/root sh -c {shlex.quote(script)}"
        outside = f"{join}; exec nsenter --target {self.init_pid()} --all {machine.DROP} sh -c {shlex.quote(inside)}"
        return ["sh", "-c", outside]

    def init_pid(self) -> int:
        """The pid, seen from outside, of the host's first process."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        if not children:
            raise RuntimeError(f"{self.name} is down: {self.log()}")
        return int(children[0])

    def log(self) -> str:
        """What its sshd said."""
        return (self.directory / "log").read_text(errors="replace")[-2000:]


@dataclass
class Lab:
    """Hosts on one bridge; a context manager, so that they are always taken down."""

    hosts: dict[str, LabHost] = field(default_factory=dict)
    slot: int = -1
    _lock: int = -1
    _entry: Path | None = None

    def __enter__(self) -> Lab:
        self.slot, self._lock = _take_slot()
        try:
            self._entry = registry.enter(
                f"hosts of {self.prefix}", sys.executable, "-m", "tests.lab.hosts", str(self.slot)
            )
            _clear(self.prefix, self.base)
            self.base.mkdir(mode=0o755)
            _sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
            _sh("ip", "link", "add", self.bridge, "type", "bridge")
            _sh("ip", "addr", "add", f"{self.address(1)}/28", "dev", self.bridge)
            _sh("ip", "link", "set", self.bridge, "up")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for host in self.hosts.values():
            host.process.kill()
            host.process.wait()
        _clear(self.prefix, self.base)
        self.hosts.clear()
        if self._entry is not None:
            self._entry.unlink(missing_ok=True)
        os.close(self._lock)

    @property
    def prefix(self) -> str:
        return _prefix(self.slot)

    @property
    def bridge(self) -> str:
        return f"{self.prefix}br"

    @property
    def base(self) -> Path:
        return _base(self.slot)

    @property
    def key(self) -> Path:
        return self.base / "client_key"

    @property
    def known_hosts(self) -> Path:
        return self.base / "known_hosts"

    def address(self, number: int) -> str:
        """The ``number``-th address of the slot, 1 (this machine) to 14."""
        return f"198.18.0.{self.slot * 16 + number}"

    def start(self, *, disk_mb: int = 64, setup: str = "", sshd: str = "") -> LabHost:
        """Start the next host and wait until it answers; ``setup`` is a script run inside before its sshd."""
        number = len(self.hosts) + 2
        if number > 14:
            raise RuntimeError("a lab slot has 13 addresses for hosts")
        name = f"{self.prefix}h{number}"
        directory = self.base / name
        directory.mkdir()
        address = self.address(number)
        self._write_files(directory, address, disk_mb, setup, sshd)
        _sh("ip", "netns", "add", name)
        _sh("ip", "link", "add", f"{name}v", "type", "veth", "peer", "name", "eth0", "netns", name)
        _sh("ip", "link", "set", f"{name}v", "master", self.bridge, "up")
        _sh("ip", "-n", name, "addr", "add", f"{address}/28", "dev", "eth0")
        _sh("ip", "-n", name, "link", "set", "eth0", "up")
        _sh("ip", "-n", name, "link", "set", "lo", "up")
        host = LabHost(name, address, directory, self._launch(name, directory, disk_mb), self.known_hosts, self.key)
        self.hosts[name] = host
        _wait(host)
        return host

    def stop(self, host: LabHost) -> None:
        """End a host at once, as a power cut would; what it had on disk stays until the lab ends."""
        host.process.kill()
        host.process.wait()

    def cut_control(self) -> None:
        """Drop everything between this machine and the hosts; among themselves they go on talking."""
        rules = (
            f"table inet {self.prefix}-cut {{\n"
            f'chain in {{ type filter hook input priority -500; iifname "{self.bridge}" drop\n }}\n'
            f'chain out {{ type filter hook output priority -500; oifname "{self.bridge}" drop\n }}\n}}\n'
        )
        subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True)

    def restore_control(self) -> None:
        """The end of ``cut_control``; safe where nothing was cut."""
        subprocess.run(["nft", "delete", "table", "inet", f"{self.prefix}-cut"], capture_output=True, check=False)

    def _write_files(self, directory: Path, address: str, disk_mb: int, setup: str, sshd: str) -> None:
        _sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / "host_key"))
        public = (directory / "host_key.pub").read_text().split()
        with self.known_hosts.open("a") as file:
            file.write(f"{address} {public[0]} {public[1]}\n")
        shutil.copy(f"{self.key}.pub", directory / "authorized_keys")
        (directory / "sshd_config").write_text(SSHD_CONFIG.format(address=address, extra=sshd))
        if setup:
            (directory / "setup.sh").write_text(f"#!/bin/sh\nset -e\n{setup}\n")
            (directory / "setup.sh").chmod(0o755)
        if disk_mb:
            # Without a reserve for root: root would write on into it when the disk is "full".
            with (directory / "data.img").open("wb") as image:
                image.truncate(disk_mb << 20)
            _sh("mkfs.ext4", "-q", "-F", "-m", "0", str(directory / "data.img"))

    def _launch(self, name: str, directory: Path, disk_mb: int) -> subprocess.Popen[bytes]:
        groups = [path for path in (Path("/sys/fs/cgroup", c) for c in CGROUPS) if path.is_dir()]
        for group in groups:
            _make_group(group / self.prefix / name)
        join = "; ".join(f"echo $$ > {group}/{self.prefix}/{name}/cgroup.procs" for group in groups) or ":"
        inside = f"sh {INSIDE} {directory} {name} {'disk' if disk_mb else 'nodisk'} '{machine.DROP}'"
        script = (
            f"{join}; exec nsenter --net=/run/netns/{name} "
            f"unshare --mount --uts --ipc --cgroup --pid --fork --kill-child --propagation private {inside}"
        )
        with (directory / "log").open("wb") as log:
            return subprocess.Popen(
                ["sh", "-c", script],
                env={"PATH": machine.PATH, "HOME": "/root"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _make_group(path: Path) -> None:
    for part in (path.parent, path):
        part.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # empty in a new group, and then nothing may join
            if (part / name).exists():
                (part / name).write_text((part.parent / name).read_text())


def _wait(host: LabHost, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not host.alive():
            raise RuntimeError(f"{host.name} did not start: {host.log()}")
        with contextlib.suppress(OSError):
            if machine.ssh_banner(host.address):
                return
        time.sleep(0.01)
    raise RuntimeError(f"{host.name} did not answer within {seconds} s: {host.log()}")


def _take_slot() -> tuple[int, int]:
    for slot in range(SLOTS):
        if (lock := _locked(slot)) is not None:
            return slot, lock
    raise RuntimeError(f"all {SLOTS} slots of the lab are taken by other test runs")


def _locked(slot: int) -> int | None:
    lock = os.open(PLACE / f"chaosday-lab-{slot:x}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        return None
    return lock


def clear_abandoned(slot: int) -> None:
    """Clear what is left in the slot; nothing where somebody has it, who has cleared it already."""
    if (lock := _locked(slot)) is not None:
        _clear(_prefix(slot), _base(slot))
        os.close(lock)


def taken(slot: int) -> bool:
    """Whether somebody on this machine has the slot."""
    if (lock := _locked(slot)) is not None:
        os.close(lock)
    return lock is None


def left_in(slot: int) -> list[Path]:
    """Cgroups and files of the slot, if nobody has it."""
    if (lock := _locked(slot)) is None:
        return []
    found = [path for controller in CGROUPS for path in Path("/sys/fs/cgroup", controller).glob(_prefix(slot))]
    found += [_base(slot)] if _base(slot).exists() else []
    os.close(lock)
    return found


def _prefix(slot: int) -> str:
    return f"cdl{slot:x}"


def _base(slot: int) -> Path:
    return PLACE / f"chaosday-lab-{_prefix(slot)}"


def links(prefix: str) -> list[str]:
    """Names of the interfaces of this network namespace that begin so; /sys may show another namespace's."""
    listed = subprocess.run(["ip", "-j", "link"], capture_output=True, check=False).stdout
    return [each["ifname"] for each in json.loads(listed or "[]") if each["ifname"].startswith(prefix)]


def _clear(prefix: str, base: Path) -> None:
    """Take away everything that carries the slot's prefix, whoever left it."""
    _end_processes(prefix, base)
    subprocess.run(["nft", "delete", "table", "inet", f"{prefix}-cut"], capture_output=True, check=False)
    for namespace in Path("/run/netns").glob(f"{prefix}h*"):
        subprocess.run(["ip", "netns", "del", namespace.name], capture_output=True, check=False)
    for link in links(prefix):
        subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
    for controller in CGROUPS:
        top = Path("/sys/fs/cgroup") / controller / prefix
        for group in sorted(top.glob("**/"), reverse=True):
            _retry(group.rmdir)
    if base.exists():
        shutil.rmtree(base, ignore_errors=True)


def _end_processes(prefix: str, base: Path) -> None:
    end = time.monotonic() + 20
    while (pids := machine.pids_in_groups(prefix) | machine.pids_naming(str(base))) and time.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _retry(act: Callable[[], None], seconds: float = 3) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            act()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return


def _sh(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


if __name__ == "__main__":
    clear_abandoned(int(sys.argv[1]))
