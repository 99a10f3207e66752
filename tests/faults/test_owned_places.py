"""Faults in a place that is somebody's: whoever owns it can neither lead root elsewhere nor hide what it left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.clock import SystemClock
from chaosday.errors import ChaosdayError
from chaosday.faults.data.files import Damage, DataFiles
from chaosday.faults.host.disk_fill import HostDiskFill
from chaosday.mechanisms.hosts.scratch import SCRATCH
from chaosday.model.fault import Fault, FaultPlan, PlanContext
from chaosday.model.lease import LeaseHolder
from chaosday.targets.local_host import LocalHost
from tests.attackers import STRANGER, needs_root, stranger

pytestmark = [pytest.mark.lab, needs_root]
ODD = ("plain", "new\nline", "$(touch canary)", "`touch canary`", "-rf", "quo'te\"s", "sub/deep", "..data")
KINDS: tuple[Damage, ...] = ("flip", "zero", "truncate", "delete", "swap")


@pytest.fixture
def place() -> Iterator[Path]:
    """A scratch directory of somebody's."""
    with tempfile.TemporaryDirectory(prefix="cd-place-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / SCRATCH).touch()
        os.chown(folder, STRANGER, STRANGER)
        yield folder


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    """A file of root's that nobody else may read, and that is the same in the end."""
    file = tmp_path / "secret"
    file.write_text("precious")
    file.chmod(0o600)
    before = file.stat()
    yield file
    after = file.stat()
    assert (file.read_text(), after.st_mode, after.st_uid, after.st_mtime_ns) == (
        "precious", before.st_mode, 0, before.st_mtime_ns,
    )  # fmt: skip


def planned(fault: Fault, target: LocalHost) -> FaultPlan:
    name = f"cd-{os.urandom(4).hex()}-00"
    plan = fault.plan(target, PlanContext(run="r", lease_id=name, seed=1, clock=SystemClock()))
    target.capability(LeaseHolder).arm(plan.lease)
    return plan


def filled(place: Path) -> dict[str, bytes]:
    """Files of the owner's with the oddest names that there are."""
    (place / "sub").mkdir()
    for name in ODD:
        (place / name).write_bytes(os.urandom(5000))
    for path in (place, *place.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    (place / os.fsdecode(b"\xff")).touch()
    return {name: (place / name).read_bytes() for name in ODD}


@pytest.mark.parametrize("damage", KINDS)
def test_any_name_is_a_name(tmp_path: Path, place: Path, damage: Damage) -> None:
    """Newlines, quotes, commands and options in names: those files are hurt and put back, and nothing else happens."""
    before, target = filled(place), LocalHost(state_dir=str(tmp_path / "leases"))
    fault = DataFiles(target="t", path=str(place), damage=damage, count=len(ODD) // 2 if damage == "swap" else len(ODD))
    plan = planned(fault, target)
    fault.inject(target, plan)
    assert fault.attest(target, plan).during.value == len(ODD)
    target.capability(LeaseHolder).heal(plan.lease.id)
    assert {name: (place / name).read_bytes() for name in ODD} == before
    assert {(place / name).stat().st_uid for name in ODD} == {STRANGER}
    assert fault.residue(target, plan.lease) == []
    assert fault.snapshot(target, plan) == plan.snapshot
    assert not list(place.rglob("canary"))
    assert not Path("canary").exists()


@pytest.mark.parametrize("when", ["before", "during"])
@pytest.mark.parametrize("what", ["file", "folder", "all"])
def test_what_is_exchanged_is_not_followed(tmp_path: Path, place: Path, secret: Path, when: str, what: str) -> None:
    """A link in place of a file, of a folder on the way, or of the whole directory: root's file is not touched."""
    filled(place)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep").symlink_to(secret)
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    fault = DataFiles(target="t", path=str(place), damage="flip", match="deep" if what != "all" else "plain")
    plan = planned(fault, target)
    name = plan.affected[0].removeprefix(f"{place}/")
    swaps = {
        "file": f'rm "$1/{name}" && ln -s "$2" "$1/{name}"',
        "folder": f'mv "$1/sub" "$1/away" && ln -s "{tmp_path}/sub" "$1/sub"',
        "all": 'mv "$1/plain" "$1/away" && ln -s "$2" "$1/plain"',
    }
    if when == "before":
        assert stranger(swaps[what], place, secret).returncode == 0
        with pytest.raises(ChaosdayError):
            fault.inject(target, plan)
    else:
        fault.inject(target, plan)
        assert stranger(swaps[what], place, secret).returncode == 0
    try:
        target.capability(LeaseHolder).heal(plan.lease.id)
    except ChaosdayError:
        # A folder that is no more: said, the originals are kept, and it can be put right and healed again.
        assert what == "folder"
        assert stranger('rm "$1/sub" && mv "$1/away" "$1/sub"', place).returncode == 0
        target.capability(LeaseHolder).heal(plan.lease.id)
    assert fault.residue(target, plan.lease) == []


def test_a_fill_goes_into_nothing_that_was_there(tmp_path: Path, place: Path, secret: Path) -> None:
    """Whoever guesses the name of ours and lays a link there has the fault refused, not root's file filled."""
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    fault = HostDiskFill(target="t", path=str(place), size_mb=1)
    for link in (str(secret), str(secret.parent)):
        plan = planned(fault, target)
        assert stranger('ln -s "$2" "$1"', place / f".chaosday-{plan.lease.id}", link).returncode == 0
        with pytest.raises(ChaosdayError):
            fault.inject(target, plan)
        (place / f".chaosday-{plan.lease.id}").unlink()
        target.capability(LeaseHolder).heal(plan.lease.id)
    assert {path.name for path in secret.parent.iterdir()} <= {"secret", "leases", "chaosday"}


def test_a_fill_that_was_renamed_is_found_and_taken_away(tmp_path: Path, place: Path) -> None:
    """Its owner calls the directory otherwise and puts one of their own in its place: residue says it, heal ends it."""
    target = LocalHost(state_dir=str(tmp_path / "leases"))
    fault = HostDiskFill(target="t", path=str(place), size_mb=1)
    plan = planned(fault, target)
    fault.inject(target, plan)
    name = f".chaosday-{plan.lease.id}"
    assert stranger('cd "$1" && mv "./$2" hidden && mkdir decoy', place, name).returncode == 0
    assert any("hidden" in line for line in fault.residue(target, plan.lease))
    target.capability(LeaseHolder).heal(plan.lease.id)
    assert sorted(path.name for path in place.iterdir()) == [SCRATCH, "decoy"]
    assert fault.residue(target, plan.lease) == []
