"""A disk is filled up to the reserve and no further, whatever else fills it, and memory is never filled as a disk."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chaosday.clock import SystemClock
from chaosday.errors import Refused
from chaosday.faults.host.disk_fill import HostDiskFill
from chaosday.mechanisms.hosts.filling import fill, free_bytes
from chaosday.model.fault import FaultPlan, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.targets.local_host import LocalHost
from tests.attackers import needs_root

pytestmark = [pytest.mark.lab, needs_root]
MB = 2**20


@pytest.fixture
def disk() -> Iterator[Path]:
    """A file system of 96 MB of its own; tmpfs stands for a disk here, far smaller than the memory."""
    with tempfile.TemporaryDirectory(prefix="cd-disk-") as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,nr_inodes=1000", "none", name], check=True)
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


def free_mb(disk: Path) -> float:
    state = os.statvfs(disk)
    return state.f_bavail * state.f_frsize / MB


def planned(target: LocalHost, disk: Path, **fields: Any) -> tuple[HostDiskFill, FaultPlan]:
    fault = HostDiskFill.model_validate({"target": "t", "path": str(disk), "ttl_s": 600, **fields})
    context = PlanContext(run="r", lease_id=f"cd-{os.urandom(4).hex()}-00", seed=1, clock=SystemClock())
    plan = fault.plan(target, context)
    target.capability(LeaseHolder).arm(plan.lease)
    return fault, plan


def healed(target: LocalHost, disk: Path, *plans: FaultPlan) -> None:
    for plan in plans:
        target.capability(LeaseHolder).heal(plan.lease.id)
        assert target.capability(LeaseHolder).residue(plan.lease.id) == []
    assert [path.name for path in disk.iterdir()] in ([], ["others"])


@pytest.mark.parametrize(
    ("fields", "left_mb"),
    [
        ({"percent": 100, "reserve_mb": 8}, 8),
        ({"percent": 100, "reserve_mb": 0}, 0),
        ({"percent": 50, "reserve_mb": 16}, 56),
        ({"size_mb": 80, "reserve_mb": 16}, 16),
    ],
)
def test_what_was_asked_is_taken_and_the_reserve_stays(
    tmp_path: Path, disk: Path, fields: dict[str, Any], left_mb: int
) -> None:
    """A hundred per cent is all but the reserve, and no failure."""
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    fault, plan = planned(target, disk, **fields)
    fault.inject(target, plan)
    bite = fault.attest(target, plan)
    assert bite.bit, bite.why
    assert left_mb <= free_mb(disk) < left_mb + 4
    healed(target, disk, plan)


def test_every_inode_can_be_taken(tmp_path: Path, disk: Path) -> None:
    """The directory that the files lie in takes one as well."""
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    fault, plan = planned(target, disk, what="inodes", percent=100)
    fault.inject(target, plan)
    bite = fault.attest(target, plan)
    assert bite.bit and os.statvfs(disk).f_favail == 0, bite.why
    healed(target, disk, plan)


def test_what_others_wrote_since_the_plan_counts(tmp_path: Path, disk: Path) -> None:
    """Half the disk is written between plan and inject: the reserve stays, and the bite says that less was taken."""
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    fault, plan = planned(target, disk, percent=100, reserve_mb=16)
    (disk / "others").write_bytes(bytes(48 * MB))
    fault.inject(target, plan)
    assert 16 <= free_mb(disk) < 20
    assert fault.attest(target, plan).bit
    healed(target, disk, plan)


def test_two_runs_together_leave_the_reserve(tmp_path: Path, disk: Path) -> None:
    """Both planned on the empty disk, both fill at once: each stops at the reserve, or finds nothing left above it."""
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    pairs = [planned(target, disk, percent=90, reserve_mb=16) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        begun = [pool.submit(fault.inject, target, plan) for fault, plan in pairs]
    ends = [each.exception() for each in begun]
    late = [str(end) for end in ends if end is not None]
    assert len(late) <= 1 and all("nothing above the reserve" in words for words in late), late
    assert 16 <= free_mb(disk) < 20
    healed(target, disk, *(plan for _, plan in pairs))


def test_a_step_that_met_anothers_is_tried_again_by_half(tmp_path: Path, disk: Path) -> None:
    """Another run's step comes with ours each time ours is large, and is given back as ours is: nobody stops for it."""
    (tmp_path / "truncate").write_text(f'#!/bin/sh\nrm -f {disk}/other\nexec /usr/bin/truncate "$@"\n')
    (tmp_path / "fallocate").write_text(
        f"""#!/bin/sh
        rm -f {disk}/other
        /usr/bin/fallocate "$@" || exit 1
        [ "$4" -lt {4 * MB} ] || /usr/bin/fallocate -l {41 * MB} {disk}/other || true
        """
    )
    for each in ("truncate", "fallocate"):
        (tmp_path / each).chmod(0o755)
    script = fill(str(disk), 72 * MB, 16 * MB)
    environment = {"PATH": f"{tmp_path}:/usr/sbin:/usr/bin:/sbin:/bin"}
    subprocess.run(["sh", "-ec", script], cwd=disk, env=environment, check=True, timeout=300)
    assert (disk / "fill").stat().st_size == 72 * MB


def test_a_disk_in_memory_ends_where_the_memory_does(tmp_path: Path) -> None:
    """A tmpfs that calls itself a terabyte has no more free than the host, and filling beyond that is refused."""
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    with tempfile.TemporaryDirectory(prefix="cd-disk-") as name:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1t", "none", name], check=True)
        try:
            said = subprocess.run(["sh", "-c", free_bytes(name)], capture_output=True, text=True, check=True).stdout
            total_kb = int(Path("/proc/meminfo").read_text().split()[1])
            assert 0 < int(said) <= total_kb * 1024
            with pytest.raises(Refused, match="reserve_mb"):
                planned(target, Path(name), size_mb=total_kb / 1024)
        finally:
            subprocess.run(["umount", name], check=True)
