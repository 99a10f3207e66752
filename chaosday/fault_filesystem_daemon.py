"""A directory as it is, except for the harm that is wished. Runs on the target, by itself.

This file is put on the target as it stands and run by its python3 (3.7 or later), with mfusepy beside it
and libfuse on the system. Its only argument is a JSON object: ``path`` (backing directory and mount point
in one: the directory is opened before it is covered), ``name`` of the mount, ``control`` (while that file
is there the harm is done; without it everything passes), ``damage_log``, ``probe`` (a file name that is
always meant), ``match``, ``effect``, ``calls``, ``percent``, ``errno``, ``delay_ms``, ``cut_bytes``, ``seed``.
"""

from __future__ import annotations

import base64
import errno
import fnmatch
import json
import os
import random
import sys
import threading
import time
from typing import Any

import mfusepy as fuse

SECTOR, BLOCK = 512, 4096
STAT_FIELDS = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
STATFS_FIELDS = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_namemax")


class Harm:
    """Decides which call is hurt, from one seed, and writes down what it damaged before it does."""

    def __init__(self, wish: dict[str, Any]) -> None:
        self.wish, self.random, self.lock = wish, random.Random(wish["seed"]), threading.Lock()
        self.before: dict[tuple[str, int], bytes] = {}

    def meant(self, call: str, path: str) -> bool:
        """Whether this call on this file is one of those to hurt."""
        wish = self.wish
        name = os.path.basename(path)
        if call not in wish["calls"] or not (name == wish["probe"] or fnmatch.fnmatch(path[1:], wish["match"])):
            return False
        if name == ".chaosday-scratch" or not os.path.exists(wish["control"]):
            return False
        with self.lock:
            return bool(self.random.random() * 100 < wish["percent"])

    def log(self, path: str, handle: int, offset: int, meant: bytes) -> None:
        """The pre-image and what should have been written, on disk before the damage is done."""
        if os.path.basename(path) == self.wish["probe"]:
            return
        entry = {
            "effect": self.wish["effect"],
            "file": path[1:],
            "offset": offset,
            "meant": base64.b64encode(meant).decode(),
            "before": base64.b64encode(os.pread(handle, len(meant), offset)).decode(),
        }
        with self.lock, open(self.wish["damage_log"], "a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def flip(self, data: bytes) -> bytes:
        """The same with one bit turned."""
        changed = bytearray(data)
        with self.lock:
            changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
        return bytes(changed)


class Passthrough(fuse.Operations):  # type: ignore[misc]  # mfusepy has no types
    """Every call is made on the backing directory; ``call`` is where those meant are failed or made late."""

    use_ns = True

    def __init__(self, wish: dict[str, Any]) -> None:
        self.wish, self.harm = wish, Harm(wish)
        self.root = f"/proc/self/fd/{os.open(wish['path'], os.O_RDONLY | os.O_DIRECTORY)}"
        self.written: set[int] = set()

    def init_with_config(self, conn_info: Any, config_3: Any) -> None:
        # Reads are hurt one by one: with read-ahead the kernel asks for 128 KiB and draws the odds for all of it.
        if conn_info and "read" in self.wish["calls"]:
            conn_info.max_readahead = 0

    def real(self, path: str) -> str:
        """Where the file is."""
        return self.root + path

    def call(self, name: str, path: str) -> None:
        """Fail or hold up a call that is meant."""
        effect = self.wish["effect"]
        if effect not in ("errno", "latency") or not self.harm.meant(name, path):
            return
        if effect == "latency":
            time.sleep(self.wish["delay_ms"] / 1000)
        else:
            raise fuse.FuseOSError(getattr(errno, self.wish["errno"]))

    def getattr(self, path: str, fh: Any = None) -> dict[str, Any]:
        found = os.lstat(self.real(path))
        times = {"st_atime": found.st_atime_ns, "st_mtime": found.st_mtime_ns, "st_ctime": found.st_ctime_ns}
        return {name: getattr(found, name) for name in STAT_FIELDS} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self.real(path))]

    def readlink(self, path: str) -> str:
        return os.readlink(self.real(path))

    def mknod(self, path: str, mode: int, dev: int) -> None:
        os.mknod(self.real(path), mode, dev)

    def mkdir(self, path: str, mode: int) -> None:
        self.call("create", path)
        os.mkdir(self.real(path), mode)

    def rmdir(self, path: str) -> None:
        os.rmdir(self.real(path))

    def unlink(self, path: str) -> None:
        os.unlink(self.real(path))

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        os.rename(self.real(old), self.real(new))

    def symlink(self, target: str, source: str) -> None:
        os.symlink(source, self.real(target))

    def link(self, target: str, source: str) -> None:
        os.link(self.real(source), self.real(target))

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(self.real(path), mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self.real(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: Any = None) -> None:
        os.utime(self.real(path), ns=times) if times else os.utime(self.real(path))

    def truncate(self, path: str, length: int, fh: Any = None) -> None:
        os.truncate(self.real(path), length)

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self.real(path))
        return {name: getattr(found, name) for name in STATFS_FIELDS}

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self.call("create", path)
        return os.open(self.real(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        self.call("open", path)
        # The kernel has already placed appended bytes; direct I/O would need aligned buffers here.
        wanted = os.O_RDWR if flags & os.O_ACCMODE == os.O_WRONLY else flags & os.O_ACCMODE
        return os.open(self.real(path), wanted)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self.call("read", path)
        data = os.pread(fh, size, offset)
        flips = self.wish["effect"] == "bit_flip" and bool(data)
        return self.harm.flip(data) if flips and self.harm.meant("read", path) else data

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self.call("write", path)
        self.written.add(fh)
        effect = self.wish["effect"]
        if effect in ("torn_write", "bit_flip", "stale_chunk", "misdirected_write") and self.harm.meant("write", path):
            self.damage(effect, path, data, offset, fh)
        else:
            os.pwrite(fh, data, offset)
        return len(data)

    def damage(self, effect: str, path: str, data: bytes, offset: int, fh: int) -> None:
        """Write something else than what was asked, after the pre-image is safe."""
        where = offset + BLOCK if effect == "misdirected_write" else offset
        self.harm.log(path, fh, where, data)
        if effect == "torn_write":
            os.pwrite(fh, data[: len(data) // 2 // SECTOR * SECTOR], offset)
        elif effect == "bit_flip":
            os.pwrite(fh, self.harm.flip(data), offset)
        elif effect == "misdirected_write":
            os.pwrite(fh, data, where)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self.call("fsync", path)
        if self.wish["effect"] == "lost_fsync" and self.harm.meant("fsync", path):
            return 0
        (os.fdatasync if datasync else os.fsync)(fh)
        return 0

    def flush(self, path: str, fh: int) -> int:
        # close() waits for flush and not for release: whoever reads the file after it was closed sees the cut.
        if self.wish["effect"] == "truncate" and fh in self.written and self.harm.meant("release", path):
            size = os.fstat(fh).st_size
            keep = max(0, size - self.wish["cut_bytes"])
            self.harm.log(path, fh, keep, os.pread(fh, size - keep, keep))
            os.ftruncate(fh, keep)
            self.written.discard(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        self.written.discard(fh)
        os.close(fh)
        return 0


def main() -> None:
    """Cover the directory and serve until it is uncovered and the last file is closed."""
    wish = json.loads(sys.argv[1])
    fuse.FUSE(
        Passthrough(wish),
        wish["path"],
        foreground=True,
        nothreads=False,
        fsname=wish["name"],
        default_permissions=True,
        allow_other=True,
        use_ino=True,
        attr_timeout=0,
        entry_timeout=0,
    )


if __name__ == "__main__":
    main()
