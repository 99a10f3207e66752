"""The lab's hosts are hosts of their own, cannot reach the machine they run on, and leave nothing."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.hosts import CGROUPS, PLACE, Lab, links
from tests.lab.machine import need_lab, pids_naming
from tests.lab.pool import pool
from tests.lab.registry import VARIABLE

pytestmark = pytest.mark.lab
FORBIDDEN = {"sys_time": 25, "sys_module": 16, "sys_boot": 22, "sys_rawio": 17, "mknod": 27}


def _traces(prefix: str, base: Path) -> list[str]:
    """Everything that carries a slot's name."""
    loops = subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=True).stdout
    tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
    found = [str(path) for path in Path("/run/netns").glob(f"{prefix}h*")] + links(prefix)
    found += [str(path) for controller in CGROUPS for path in Path("/sys/fs/cgroup", controller).glob(prefix)]
    found += [line for line in loops.splitlines() if str(base) in line]
    found += [line for line in tables.splitlines() if f" {prefix}" in line]
    return found + [str(pid) for pid in pids_naming(str(base))] + [str(path) for path in [base] if path.exists()]


def _left(prefix: str, base: Path, key: str) -> list[str]:
    """What is left of the lab with this key. Tests beside this one start labs too: they clear slots, or have this
    one already, which they cleared before they made a key of their own."""
    end = time.monotonic() + 200
    while (traces := _traces(prefix, base)) and time.monotonic() < end:
        with contextlib.suppress(FileNotFoundError):
            if (base / "client_key").read_text() not in ("", key):
                return []
        time.sleep(0.1)
    return traces


@pytest.mark.parametrize("way", ["console", "ssh"])
def test_no_fault_can_reach_the_machine(way: str) -> None:
    """Neither at the console nor over SSH has root the capabilities that name the real clock, kernel or disks."""
    with pool().victim() as host:
        target = pool().target(host)
        script = "grep -E '^Cap(Eff|Bnd|Prm|Inh):' /proc/self/status"
        said = host.run(script) if way == "console" else target.capabilities()[_shell()].run(script).out
        target.close()
    masks = [int(line.split()[1], 16) for line in said.splitlines()]
    assert len(masks) == 4
    assert [name for name, bit in FORBIDDEN.items() if any(mask >> bit & 1 for mask in masks)] == []


def test_a_host_has_its_own_things() -> None:
    """Name, processes, files below /etc, disk and cgroup are the host's own."""
    with pool().victim() as host:
        assert host.run("hostname").strip() == host.name
        assert host.run("tr '\\0' ' ' < /proc/1/cmdline").startswith("sshd: /usr/sbin/sshd")
        host.run("touch /etc/only-here")
        assert not Path("/etc/only-here").exists()
        assert host.run("stat -f -c %T /srv/data").strip() == "ext2/ext3"
        assert host.run("echo 3 > /proc/sys/vm/drop_caches || echo denied", check=False).strip() == "denied"
        group = Path(f"/sys/fs/cgroup/cpu/{host.name[:4]}/{host.name}")
        assert host.run("echo $$ > /sys/fs/cgroup/cpu/cgroup.procs && cat /proc/self/cgroup").count(":/\n") >= len(
            CGROUPS
        )
        assert not group.parent.exists() or group.exists()
        host.run("rm /etc/only-here")


def test_nothing_is_left_after_the_end() -> None:
    """Names, links, groups, loop devices, processes and files of a lab go with it."""
    need_lab()
    with Lab() as lab:
        host = lab.start(disk_mb=16)
        host.run("setsid sleep 600 >/dev/null 2>&1 &")
        prefix, base, key = lab.prefix, lab.base, lab.key.read_text()
        lab.cut_control()
        assert _traces(prefix, base)
    assert _left(prefix, base, key) == []


def test_a_killed_run_leaves_no_lab() -> None:
    """SIGKILL to whoever holds a lab: its sweeper takes away the hosts, with all that carries their slot's name."""
    need_lab()
    program = (
        "from tests.lab.hosts import Lab\nimport time\n"
        "with Lab() as lab:\n lab.start(disk_mb=16)\n print(lab.slot, flush=True)\n time.sleep(600)"
    )
    of_its_own = {name: value for name, value in os.environ.items() if name != VARIABLE}
    holder = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=of_its_own)
    assert holder.stdout is not None
    slot = int(holder.stdout.readline())
    prefix, base = f"cdl{slot:x}", PLACE / f"chaosday-lab-cdl{slot:x}"
    key = (base / "client_key").read_text()
    assert _traces(prefix, base)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert _left(prefix, base, key) == []


def test_cutting_the_control_network_leaves_the_hosts_talking() -> None:
    """We no longer reach the hosts; they still reach each other; and back again."""
    need_lab()
    with Lab() as lab:
        one, other = (lab.start(disk_mb=0) for _ in range(2))
        ping = ["ping", "-c", "1", "-W", "1", "-q"]
        lab.cut_control()
        assert subprocess.run([*ping, one.address], capture_output=True, check=False).returncode != 0
        assert "1 received" in one.run(f"{' '.join(ping)} {other.address}")
        lab.restore_control()
        assert subprocess.run([*ping, one.address], capture_output=True, check=False).returncode == 0


def _shell() -> type:
    from chaosday.model.target import Shell

    return Shell
