"""What is forgotten when the power goes, and what is not: the cache against a model, and the whole through a mount."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaosday.actions.storage.power_cut import StoragePowerCut
from chaosday.errors import ForeignState, ScratchMarkMissing, UsageError
from chaosday.mechanisms.disks.cover import covered
from chaosday.mechanisms.disks.fault_filesystem_cache import SECTOR, Volatile
from chaosday.model.fault import Fault
from chaosday.record.journal import Journal
from chaosday.registry import member
from chaosday.running.lifecycle import Lifecycle
from chaosday.targets.local_host import LocalHost
from tests.lab.machine import absent

LONGEST = 20_000
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, LONGEST), st.binary(min_size=1, max_size=9000)),
        st.tuples(st.just("truncate"), st.integers(0, LONGEST), st.just(b"")),
        st.tuples(st.just("sync"), st.just(0), st.just(b"")),
    ),
    max_size=12,
)


def put(content: bytes, offset: int, data: bytes) -> bytes:
    """What pwrite makes of it."""
    return content.ljust(offset, b"\0")[:offset] + data + content[offset + len(data) :]


@given(STEPS, st.booleans())
def test_it_is_read_as_written_and_found_as_synced(steps: list[tuple[str, int, bytes]], tear: bool) -> None:
    """Any writes, truncations and syncs: readers see all of it; after the loss there is what was synced, and half a
    write where it tears."""
    cache, seen, safe, last = Volatile(), b"", b"", (0, b"")
    with tempfile.NamedTemporaryFile() as file:
        handle = file.fileno()
        for act, number, data in steps:
            if act == "write":
                cache.made(handle).write(data, number)
                seen, last = put(seen, number, data), (number, data)
            elif act == "truncate":
                os.ftruncate(handle, number)
                if (dirty := cache.of(os.fstat(handle))) is not None:
                    dirty.truncate(number)
                seen, safe = seen[:number].ljust(number, b"\0"), safe[:number].ljust(number, b"\0")
            else:
                cache.settle(handle)
                safe, last = seen, (0, b"")
            dirty = cache.of(os.fstat(handle))
            assert (dirty.read(2 * LONGEST, 0) if dirty else os.pread(handle, 2 * LONGEST, 0)) == seen
        said = cache.lose(tear, 0, 0)
        half = last[1][: len(last[1]) // 2 // SECTOR * SECTOR] if tear else b""
        assert os.pread(handle, 2 * LONGEST, 0) == (put(safe, last[0], half) if half else safe)
        assert said["torn"] == bool(half)
        assert not cache.files


@given(st.integers(0, 99))
def test_some_blocks_may_have_been_written_back_in_time(seed: int) -> None:
    """Each block is then as it was or as it was written, never something else; the seed decides which."""
    found = []
    for _ in range(2):
        cache = Volatile()
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"a" * 65536)
            file.flush()
            cache.made(file.fileno()).write(b"b" * 65536, 0)
            cache.lose(tear=False, keep_percent=50, seed=seed)
            found.append(os.pread(file.fileno(), 65536, 0))
    assert found[0] == found[1]
    blocks = [found[0][at : at + 4096] for at in range(0, 65536, 4096)]
    assert {bytes(set(block)) for block in blocks} <= {b"a", b"b"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A scratch directory that another account could enter too."""
    if os.geteuid() != 0:
        absent("covering a directory needs root")
    with tempfile.TemporaryDirectory(prefix="cd-cover-") as name:
        path = Path(name)
        path.chmod(0o711)
        (path / ".chaosday-scratch").touch()
        yield path


@contextmanager
def hurt(folder: Path, place: Path, **fields: Any) -> Iterator[None]:
    """One fault at the directory, shown to bite, and healed cleanly."""
    host = LocalHost(state_dir=str(folder / "leases"))
    fault = member("faults", fields.pop("kind")).model_validate({"target": "host", "path": str(place), **fields})
    assert isinstance(fault, Fault)
    with Lifecycle("run", Journal.create(folder / "journal.jsonl", "run"), {"host": host}) as life:
        plan = life.plan(fault)
        life.arm(plan)
        life.inject(plan)
        bite = life.attest(plan)
        assert bite.bit, bite.words
        yield
        (clean,) = life.heal_all()
        assert clean.clean, clean.words


@pytest.mark.lab
def test_below_a_cover_faults_come_and_go(tmp_path: Path, place: Path) -> None:
    """A file that was opened before the fault is hurt by it, and not any more after it; in the end nothing is there."""
    with covered(place), (place / "open").open("w+b", buffering=0) as file:
        with hurt(tmp_path, place, kind="storage.errno", errno="ENOSPC", calls=["write"]), pytest.raises(OSError):
            file.write(b"no room")
        file.write(b"room")
    assert (place / "open").read_bytes() == b"room"
    assert not place.is_mount()
    assert not [each for each in Path("/run").glob("chaosday-cover-*") if str(place) in each.name]


@pytest.mark.lab
def test_a_covered_directory_is_as_it_was(place: Path) -> None:
    """What is in it is listed, with its numbers; what another account makes there is that account's; locks, links and
    renames work."""
    (place / "old").write_text("x")
    nobody = pwd.getpwnam("nobody")
    with covered(place):
        place.chmod(0o777)
        assert {entry.name: entry.inode() for entry in os.scandir(place)} == {
            each.name: each.stat().st_ino for each in place.iterdir()
        }
        script = f"cd {place} && mkdir -p sub/deep && echo x > sub/file && ln -s old link && ln sub/file sub/other"
        subprocess.run(["sh", "-c", script], user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[], check=True)
        (place / "sub" / "file").rename(place / "sub" / "renamed")
        with (place / "old").open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert sorted(each.name for each in place.iterdir()) == [".chaosday-scratch", "link", "old", "sub"]
    assert sorted(each.name for each in (place / "sub").iterdir()) == ["deep", "other", "renamed"]
    made = (place / "sub", place / "sub" / "deep", place / "sub" / "renamed", place / "link")
    assert {each.lstat().st_uid for each in made} == {nobody.pw_uid}
    assert (place / "sub" / "renamed").stat().st_nlink == 2


@pytest.mark.lab
def test_the_power_takes_what_was_not_synced(tmp_path: Path, place: Path) -> None:
    """Through the mount and the action: synced bytes stay, others go, a last write is torn; held bytes are written
    back where the power stays."""
    cut = StoragePowerCut(path=str(place))
    with covered(place, direct=True):
        with pytest.raises(UsageError, match="nothing holds back"):
            cut.act({})
        with hurt(tmp_path, place, kind="storage.volatile_cache"), (place / "log").open("w+b", buffering=0) as file:
            file.write(b"s" * 4096)
            os.fsync(file.fileno())
            file.write(b"u" * 8192)
            assert (place / "log").stat().st_size == 12288
            assert "1 last writes torn" in cut.act({})
            file.seek(0)
            assert file.read() == b"s" * 4096 + b"u" * 4096
            file.write(b"later")
        assert (place / "log").read_bytes().endswith(b"ulater")
    assert (place / "log").stat().st_size == 8192 + 5


@pytest.mark.lab
def test_only_scratch_loses_anything(tmp_path: Path, place: Path) -> None:
    """Without the mark in the directory the power stays on, and nobody covers a directory twice."""
    (place / ".chaosday-scratch").unlink()
    with covered(place):
        with pytest.raises(ForeignState, match="covered already"), covered(place):
            pass
        with hurt(tmp_path, place, kind="storage.volatile_cache"):
            (place / "log").write_bytes(b"u" * 4096)
            with pytest.raises(ScratchMarkMissing, match="touch"):
                StoragePowerCut(path=str(place)).act({})
    assert (place / "log").read_bytes() == b"u" * 4096
    assert json.dumps(sorted(each.name for each in place.iterdir())) == '["log"]'
