"""A directory as it is, except for the harm that is wished. Runs on the target, by itself.

This file is put on the target as it stands and run by its python3 (3.7 or later), isolated (``-I``), with mfusepy,
fault_filesystem_cache and fault_filesystem_paths in ``control`` and libfuse on the system. Its only argument is a JSON
object: ``path`` (backing directory and mount point in one: the directory is opened before it is covered), ``directory``
(its device and inode, as planned), ``name`` of the mount, ``control`` (a directory of root's), ``direct`` (no page
cache: every read comes here), ``readahead``, and ``parent`` (a pid with which it ends, 0 for none).

``control/wishes/*.json`` is the harm to be done, for as long as a file is there: ``effect``, ``calls``, ``match``,
``percent``, ``probe`` (a file name that is always meant), ``damage_log``, ``errno``, ``delay_ms``, ``cut_bytes``,
``at_least_bytes``, ``seed``. Without one everything passes. ``control/backing`` is where the directory can be read past
all of this. While a wish is ``volatile_cache``, ``control/holding`` exists, and ``control/cut`` (``tear``,
``keep_percent``, ``seed``) is answered by ``control/cut.done``.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fnmatch
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from typing import Any

sys.path.insert(0, json.loads(sys.argv[1])["control"])
import mfusepy as fuse
from fault_filesystem_cache import Volatile  # type: ignore[import-not-found]  # it lies in control
from fault_filesystem_paths import Beneath  # type: ignore[import-not-found]

SECTOR, BLOCK = 512, 4096
POLL_S = 0.01
STAT_FIELDS = ("st_mode", "st_nlink", "st_uid", "st_gid", "st_size", "st_ino", "st_blocks")
STATFS_FIELDS = ("f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_namemax")


class Harm:
    """Decides which call is hurt, from one seed, and writes down what it damaged before it does."""

    def __init__(self, wish: dict[str, Any]) -> None:
        self.wish, self.random, self.lock = wish, random.Random(wish["seed"]), threading.Lock()
        self.effect: str = wish["effect"]

    def meant(self, call: str, path: str, size: int) -> bool:
        """Whether this call on this file, of that many bytes, is one of those to hurt."""
        wish = self.wish
        if size < wish.get("at_least_bytes", 0):
            return False
        name = os.path.basename(path)
        if call not in wish["calls"] or not (name == wish["probe"] or fnmatch.fnmatch(path[1:], wish["match"])):
            return False
        if name == ".chaosday-scratch":
            return False
        with self.lock:
            return bool(self.random.random() * 100 < wish["percent"])

    def log(self, path: str, handle: int, offset: int, meant: bytes) -> None:
        """The pre-image and what should have been written, on disk before the damage is done."""
        if os.path.basename(path) == self.wish["probe"]:
            return
        entry = {
            "effect": self.effect,
            "file": path[1:],
            "offset": offset,
            "meant": base64.b64encode(meant).decode(),
            "before": base64.b64encode(os.pread(handle, len(meant), offset)).decode(),
        }
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with self.lock, open(os.open(self.wish["damage_log"], flags, 0o600), "a") as file:
            file.write(json.dumps(entry) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def flip(self, data: bytes) -> bytes:
        """The same with one bit turned."""
        changed = bytearray(data)
        with self.lock:
            changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
        return bytes(changed)


class Wishes:
    """The harm that is wished at this moment: read again whenever the directory of wishes has changed."""

    def __init__(self, control: str) -> None:
        self.folder, self.seen, self.lock = os.path.join(control, "wishes"), (0, -1), threading.Lock()
        self.harms: tuple[Harm, ...] = ()
        self.by_name: dict[str, Harm] = {}

    def now(self) -> tuple[Harm, ...]:
        """All that is wished."""
        try:
            found = os.stat(self.folder)
        except OSError:
            return ()
        state = (found.st_mtime_ns, found.st_size)
        if state != self.seen:
            with self.lock:
                names = [name for name in sorted(os.listdir(self.folder)) if name.endswith(".json")]
                kept = {name: self.by_name.get(name) or self.read(name) for name in names}
                self.by_name = {name: harm for name, harm in kept.items() if harm is not None}
                self.harms, self.seen = tuple(self.by_name.values()), state
        return self.harms

    def read(self, name: str) -> Any:
        """One wish; None where it is gone by now."""
        try:
            with open(os.path.join(self.folder, name)) as file:
                return Harm(json.load(file))
        except OSError:
            return None

    def meant(self, call: str, path: str, *effects: str, size: int = 0) -> Any:
        """The first harm of one of these effects that means this call, or None."""
        return next((each for each in self.now() if each.effect in effects and each.meant(call, path, size)), None)


class Passthrough(fuse.Operations):  # type: ignore[misc]  # mfusepy has no types
    """Every call is made on the backing directory; ``call`` is where those meant are failed or made late."""

    use_ns = True

    def __init__(self, told: dict[str, Any]) -> None:
        self.told, self.wishes, self.volatile = told, Wishes(told["control"]), Volatile()
        handle = os.open(told["path"], os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        found = os.fstat(handle)
        if f"{found.st_dev}:{found.st_ino}" != told["directory"]:
            sys.exit(f"{told['path']} is not the directory that it was at the plan")
        self.below = Beneath(handle, fuse.fuse_get_context)
        self.written: set[int] = set()
        with open(os.path.join(told["control"], "backing"), "w") as file:
            file.write(f"/proc/{os.getpid()}/fd/{handle}")

    def init_with_config(self, conn_info: Any, config_3: Any) -> None:
        # Reads are hurt one by one: with read-ahead the kernel asks for 128 KiB and draws the odds for all of it.
        if conn_info and not self.told["readahead"]:
            conn_info.max_readahead = 0
        if config_3 and self.told["direct"]:
            config_3.direct_io = 1
        threading.Thread(target=self.attend, daemon=True).start()

    def attend(self) -> None:
        """Look after what no call of a client's does: the end of a wish, and the power."""
        control = self.told["control"]
        holding, cut, done = (os.path.join(control, name) for name in ("holding", "cut", "cut.done"))
        while True:
            time.sleep(POLL_S)
            if self.told["parent"] and os.getppid() != self.told["parent"]:
                subprocess.call(["umount", "-l", self.told["path"]])
                return
            wished = any(harm.effect == "volatile_cache" for harm in self.wishes.now())
            with contextlib.suppress(OSError):
                if os.path.exists(cut):
                    with open(cut) as file:
                        said = self.volatile.lose(**json.load(file))
                    with open(done + ".new", "w") as file:
                        json.dump(said, file)
                    os.unlink(cut)
                    os.rename(done + ".new", done)
                if wished:
                    open(holding, "a").close()
                elif os.path.exists(holding):
                    self.volatile.settle()
                    os.unlink(holding)

    def destroy(self, path: str) -> None:
        self.volatile.settle()

    def call(self, name: str, path: str) -> None:
        """Fail or hold up a call that is meant."""
        for harm in self.wishes.now():
            if harm.effect == "latency" and harm.meant(name, path, 0):
                time.sleep(harm.wish["delay_ms"] / 1000)
            elif harm.effect == "errno" and harm.meant(name, path, 0):
                raise fuse.FuseOSError(getattr(errno, harm.wish["errno"]))

    def getattr(self, path: str, fh: Any = None) -> dict[str, Any]:
        with self.below.looked(path) as handle:
            found = os.fstat(handle)
        times = {"st_atime": found.st_atime_ns, "st_mtime": found.st_mtime_ns, "st_ctime": found.st_ctime_ns}
        said = {name: getattr(found, name) for name in STAT_FIELDS} | times
        dirty = self.volatile.of(found)
        return said if dirty is None else {**said, "st_size": dirty.size}

    def readdir(self, path: str, fh: int) -> list[tuple[str, dict[str, int], int]]:
        # An entry without its number is one that readers skip as deleted.
        entries = []
        folder = self.below.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in (".", "..", *os.listdir(folder)):
                with contextlib.suppress(OSError):
                    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                    entries.append((name, {"st_mode": found.st_mode, "st_ino": found.st_ino}, 0))
        finally:
            os.close(folder)
        return entries

    def readlink(self, path: str) -> str:
        with self.below.above(path) as (folder, name):
            return str(os.readlink(name, dir_fd=folder))

    def mknod(self, path: str, mode: int, dev: int) -> None:
        with self.below.above(path) as (folder, name), self.below.as_caller():
            os.mknod(name, mode, dev, dir_fd=folder)

    def mkdir(self, path: str, mode: int) -> None:
        self.call("create", path)
        with self.below.above(path) as (folder, name), self.below.as_caller():
            os.mkdir(name, mode, dir_fd=folder)

    def rmdir(self, path: str) -> None:
        with self.below.above(path) as (folder, name):
            os.rmdir(name, dir_fd=folder)

    def unlink(self, path: str) -> None:
        with self.below.above(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, old: str, new: str, flags: int = 0) -> None:
        with self.below.above(old) as (of, name), self.below.above(new) as (to, other):
            os.rename(name, other, src_dir_fd=of, dst_dir_fd=to)

    def symlink(self, target: str, source: str) -> None:
        with self.below.above(target) as (folder, name), self.below.as_caller():
            os.symlink(source, name, dir_fd=folder)

    def link(self, target: str, source: str) -> None:
        with self.below.above(source) as (of, name), self.below.above(target) as (to, other):
            os.link(name, other, src_dir_fd=of, dst_dir_fd=to, follow_symlinks=False)

    def chmod(self, path: str, mode: int) -> None:
        with self.below.looked(path) as handle:
            self.below.owned(handle)
            os.chmod(f"/proc/self/fd/{handle}", mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        with self.below.looked(path) as handle:
            self.below.owned(handle)
            os.chown(f"/proc/self/fd/{handle}", uid, gid)

    def utimens(self, path: str, times: Any = None) -> None:
        with self.below.above(path) as (folder, name):
            os.utime(name, ns=times, dir_fd=folder, follow_symlinks=False)

    def truncate(self, path: str, length: int, fh: Any = None) -> None:
        handle = self.below.regular(path, os.O_WRONLY, os.O_WRONLY) if fh is None else os.dup(fh)
        try:
            with self.volatile.lock:
                os.ftruncate(handle, length)
                dirty = self.volatile.of(os.fstat(handle))
                if dirty is not None:
                    dirty.truncate(length)
        finally:
            os.close(handle)

    def statfs(self, path: str) -> dict[str, int]:
        with self.below.looked(path) as handle:
            found = os.fstatvfs(handle)
        return {name: getattr(found, name) for name in STATFS_FIELDS}

    def create(self, path: str, mode: int, fi: Any = None) -> int:
        self.call("create", path)
        with self.below.as_caller(), contextlib.suppress(FileExistsError):
            return int(self.below.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode))
        return int(self.below.regular(path, os.O_RDWR, os.O_RDWR))

    def open(self, path: str, flags: int) -> int:
        self.call("open", path)
        # The kernel has already placed appended bytes; direct I/O would need aligned buffers here.
        wanted = os.O_RDWR if flags & os.O_ACCMODE == os.O_WRONLY else flags & os.O_ACCMODE
        return int(self.below.regular(path, wanted, flags))

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self.call("read", path)
        if self.volatile.files:
            with self.volatile.lock:
                dirty = self.volatile.held(fh)
                data = os.pread(fh, size, offset) if dirty is None else dirty.read(size, offset)
        else:
            data = os.pread(fh, size, offset)
        harm = self.wishes.meant("read", path, "bit_flip", size=len(data)) if data else None
        return data if harm is None else harm.flip(data)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self.call("write", path)
        self.written.add(fh)
        effects = ("torn_write", "bit_flip", "stale_chunk", "misdirected_write")
        harm = self.wishes.meant("write", path, *effects, size=len(data))
        if harm is None:
            self.put(path, data, offset, fh)
        else:
            self.damage(harm, path, data, offset, fh)
        return len(data)

    def put(self, path: str, data: bytes, offset: int, fh: int) -> None:
        """Write it below, or keep it where no sync has asked for it yet."""
        with self.volatile.lock:
            if self.wishes.meant("write", path, "volatile_cache") or self.volatile.held(fh) is not None:
                self.volatile.made(fh).write(data, offset)
                return
        os.pwrite(fh, data, offset)

    def damage(self, harm: Harm, path: str, data: bytes, offset: int, fh: int) -> None:
        """Write something else than what was asked, after the pre-image is safe."""
        where = offset + BLOCK if harm.effect == "misdirected_write" else offset
        harm.log(path, fh, where, data)
        if harm.effect == "torn_write":
            self.put(path, data[: len(data) // 2 // SECTOR * SECTOR], offset, fh)
        elif harm.effect == "bit_flip":
            self.put(path, harm.flip(data), offset, fh)
        elif harm.effect == "misdirected_write":
            self.put(path, data, where, fh)

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self.call("fsync", path)
        if self.wishes.meant("fsync", path, "lost_fsync"):
            return 0
        self.volatile.settle(fh)
        (os.fdatasync if datasync else os.fsync)(fh)
        return 0

    def flush(self, path: str, fh: int) -> int:
        # close() waits for flush and not for release: whoever reads the file after it was closed sees the cut.
        harm = self.wishes.meant("release", path, "truncate") if fh in self.written else None
        if harm is not None:
            self.volatile.settle(fh)
            size = os.fstat(fh).st_size
            keep = max(0, size - harm.wish["cut_bytes"])
            harm.log(path, fh, keep, os.pread(fh, size - keep, keep))
            os.ftruncate(fh, keep)
            self.written.discard(fh)
        return 0

    def release(self, path: str, fh: int) -> int:
        self.written.discard(fh)
        os.close(fh)
        return 0


def main() -> None:
    """Cover the directory and serve until it is uncovered and the last file is closed."""
    told = json.loads(sys.argv[1])
    # What callers ask for has been masked by their own.
    os.umask(0)
    fuse.FUSE(
        Passthrough(told),
        told["path"],
        foreground=True,
        nothreads=False,
        fsname=told["name"],
        default_permissions=True,
        allow_other=True,
        use_ino=True,
        attr_timeout=0,
        entry_timeout=0,
    )
    if told["parent"] and os.getppid() != told["parent"]:
        # Whoever would have cleared this away is gone.
        shutil.rmtree(told["control"], ignore_errors=True)


if __name__ == "__main__":
    main()
