"""What this machine allows, and what runs on it: the questions the lab asks before and after its hosts."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from functools import cache
from pathlib import Path

import pytest

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
DROPPED = "-sys_time,-sys_module,-sys_boot,-sys_rawio,-mknod"
DROP = f"setpriv --bounding-set {DROPPED} --inh-caps {DROPPED}"
"""Before every command that runs inside a host: CLOCK_REALTIME is not virtual."""
REQUIRED = "CHAOSDAY_REQUIRE_LAB"
TOOLS = {
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mkfs.ext4": "e2fsprogs",
    "ssh-keygen": "openssh-client",
    "sshd": "openssh-server",
    "nft": "nftables",
    "ping": "iputils-ping",
}


@cache
def why_no_lab() -> str:
    """Why hosts cannot be started here, in words; empty where they can."""
    missing = [f"{tool} ({package})" for tool, package in TOOLS.items() if shutil.which(tool, path=PATH) is None]
    if missing:
        return f"not installed: {', '.join(missing)}; see tests/lab/apt-packages.txt"
    if os.geteuid() != 0:
        return "hosts need root: their data disks are loop mounts and their limits are cgroups"
    tried = subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"],
        capture_output=True,
        check=False,
    )
    if tried.returncode:
        return f"no network namespaces here: {tried.stderr.decode().strip()}"
    return ""


def need_lab() -> None:
    """Skip with the reason where the lab cannot run; fail where it was declared to be required."""
    if why := why_no_lab():
        absent(why)


def absent(why: str) -> None:
    """Skip a test for want of something real; fail where everything was declared to be there."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"the lab is required ({REQUIRED}=1) but cannot run: {why}")
    pytest.skip(f"no lab: {why}")


def ssh_banner(address: str, port: int = 22) -> bool:
    """Whether something there speaks SSH; raises ``OSError`` where nothing listens."""
    with socket.create_connection((address, port), 0.5) as connection:
        connection.settimeout(5)
        return connection.recv(4) == b"SSH-"


def groups_of(host: str) -> list[Path]:
    """The cgroups of a host, one for each controller, seen from outside."""
    return sorted(Path("/sys/fs/cgroup").glob(f"*/*/{host}"))


def pids_in_groups(prefix: str) -> set[int]:
    """Every process in the lab's cgroups."""
    return {
        int(pid)
        for procs in Path("/sys/fs/cgroup/pids").glob(f"{prefix}/**/cgroup.procs")
        for pid in procs.read_text().split()
    }


def pids_naming(text: str) -> set[int]:
    """Every process but this one that has ``text`` on its command line."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except OSError:
            continue
        if text.encode() in line and int(path.parent.name) != os.getpid():
            found.add(int(path.parent.name))
    return found
