"""A host that has busybox and nothing else, as Alpine does: what needs no more works, and what does says so."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.errors import CapabilityMissing
from chaosday.faults.host.cpu import HostCpu
from chaosday.faults.host.io import HostIo
from chaosday.mechanisms.hosts.filling import free_bytes
from chaosday.mechanisms.hosts.round_trip import Probe
from chaosday.mechanisms.hosts.tools import need
from chaosday.model.lease import Lease, Undo
from chaosday.model.target import ShellResult
from chaosday.processes import mark
from chaosday.processes.local_shell import LocalShell
from chaosday.processes.process_table import read_table
from chaosday.undo.lease import ShellLeases
from tests.attackers import needs_root

pytestmark = [needs_root, pytest.mark.lab, pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox here")]


class BusyboxShell:
    """``sh`` in a root directory of its own, where every tool is busybox, with a /proc unless it has none."""

    def __init__(self, root: Path, *, proc: bool = True) -> None:
        self.root, self.proc = root, proc
        for name in ("bin", "dev", "proc", "var", "run"):
            (root / name).mkdir()
        busybox = shutil.which("busybox") or ""
        shutil.copy(busybox, root / "bin" / "busybox")
        for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            if applet != "busybox":
                (root / "bin" / applet).symlink_to("busybox")
        (root / "bin" / "apk").symlink_to("busybox")

    def run(self, script: str, *, timeout_s: float = 30, stdin: str = "", sudo: bool = False) -> ShellResult:
        mounted = f"mount --bind /dev {self.root}/dev && "
        mounted += f"mount -t proc proc {self.root}/proc && " if self.proc else ""
        inside = f"{mounted}exec chroot {self.root} /bin/env -i PATH=/bin /bin/sh -c {shlex.quote(script)}"
        return LocalShell().run(f"exec unshare -m sh -c {shlex.quote(inside)}", timeout_s=timeout_s, stdin=stdin)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[BusyboxShell]:
    yield BusyboxShell(tmp_path)


def test_processes_of_ours_are_found_by_their_mark(shell: BusyboxShell) -> None:
    """With what they started, and nobody else's of a mark that begins alike; ended, none is left."""
    assert shell.run(mark.visible()).out == "yes\n"
    for lease_id in ("cd-b-1", "cd-b-12"):
        assert shell.run(mark.start(lease_id, "sleep 601 & exec sleep 602")).code == 0
    try:
        assert shell.run(mark.residue("cd-b-1")).out.count("sleep 60") == 2
        assert shell.run(mark.end("cd-b-1")).code == 0
        assert shell.run(mark.residue("cd-b-1")).out == ""
        assert len(shell.run(mark.find("cd-b-12")).out.split()) == 2
    finally:
        assert shell.run(mark.end("cd-b-12")).code == 0


def test_what_is_missing_is_named_with_its_packages(shell: BusyboxShell, tmp_path: Path) -> None:
    """By the names of the system that it is; and a host on which marks cannot be read takes no processes of ours."""
    need(shell, "setsid")
    with pytest.raises(
        CapabilityMissing, match=r"lacks nft, python3, strace, tc; install: apk add iproute2-tc nftables p"
    ):
        need(shell, "nft", "python3", "setsid", "strace", "tc")
    with pytest.raises(CapabilityMissing, match="lacks date; install: apk add coreutils"):
        need(shell, *Probe("198.18.0.9", 80).tools()[1:])
    (tmp_path / "bare").mkdir()
    with pytest.raises(CapabilityMissing, match="cannot be read on the target"):
        need(BusyboxShell(tmp_path / "bare", proc=False), "setsid")


def test_what_faults_read_needs_no_clock_that_is_not_there(shell: BusyboxShell) -> None:
    """Work of a processor and traffic of a disk over a time that is measured by what every Linux has."""
    disk = shell.run("awk 'NR == 1 { print $3 }' /proc/diskstats").out.strip()
    for fault, data in ((HostCpu(), {}), (HostIo(), {"device": disk})):
        assert 0 <= fault.measure(shell, "cd-busybox-9", data, hurt=False).value < 1e6


def test_leases_and_readings_need_no_more(shell: BusyboxShell) -> None:
    """A lease is armed, listed, renewed and healed; processes and free bytes are read."""
    leases = ShellLeases(shell, "/var/chaosday/leases")
    undo = Undo(script="rm -f /run/thing", residue_script="[ ! -e /run/thing ] || echo thing")
    leases.arm(Lease(id="cd-busybox-3", run="r", fault="test.thing", target="t", undo=undo, ttl_s=600))
    (shell.root / "run" / "thing").touch()
    leases.renew("cd-busybox-3", 600)
    assert [(each.id, "no watcher" in each.detail) for each in leases.leases()] == [("cd-busybox-3", False)]
    leases.heal("cd-busybox-3")
    assert leases.residue("cd-busybox-3", undo) == [] and leases.leases() == []
    assert read_table(shell).rows
    assert int(shell.run(free_bytes("/var")).out) > 0
    until = time.monotonic() + 120
    while read_table(shell).matching("watch cd-busybox-3"):
        assert time.monotonic() < until
        time.sleep(0.1)
