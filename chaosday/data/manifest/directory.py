"""The manifest of a directory: every file under it, hashed as fast as it can be read."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson
import xxhash

from chaosday.clock import Clock, SystemClock, iso
from chaosday.data.manifest.tree import Header, Manifest, Piece, with_past
from chaosday.errors import AccessDenied, Refused, TargetUnreachable
from chaosday.record.outputs import unwritable

# Small enough for a processor's second-level cache: the hash then reads what the kernel has just copied.
BUFFER_BYTES = 256 << 10
WORKERS = max(2, min(8, os.cpu_count() or 2))
Progress = Callable[[int, int], None]
_BEGINNING = b'["'


@dataclass(frozen=True)
class Seen:
    """A file as it was when it was hashed: enough to know that it need not be read again."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int


def of_directory(
    path: Path,
    *,
    previous: Manifest | None = None,
    resume: Path | None = None,
    progress: Progress | None = None,
    clock: Clock | None = None,
) -> Manifest:
    """Hash every file under ``path``.

    ``previous`` gives the past contents by which a stale piece is known. ``resume`` is a file that
    remembers what has been hashed: a second call after a crash reads only what is new or changed
    since. ``progress`` is called with bytes done and bytes in all. A file that cannot be read or
    changes while it is read is listed as unread, and a comparison says so. A FIFO, a socket or a device is
    described by what it is, and never opened.
    """
    if not path.is_dir():
        raise TargetUnreachable(f"there is no directory {path}")
    files, unread = _files(path)
    known = _remembered(resume)
    total = sum(entry.size for _, entry in files)
    done = 0
    pieces = []
    memory = _opened(resume) if resume else None
    try:
        with ThreadPoolExecutor(WORKERS) as pool:
            jobs = ((n, s, known.get(n) == s and known.digest(n)) for n, s in files)
            for name, seen, digest in pool.map(lambda job: _hashed(path, *job), jobs):
                done += seen.size
                if isinstance(digest, str):
                    unread[name] = digest
                else:
                    pieces.append(with_past(Piece(name, seen.size, digest), previous))
                    if memory and known.get(name) != seen:
                        _remember(memory, name, seen, digest)
                if progress:
                    progress(done, total)
    finally:
        if memory:
            memory.close()
    made_at = iso((clock or SystemClock()).wall_ns())
    return Manifest.build(Header("directory", path.name, made_at, unread=unread), pieces)


def digest_of(path: Path) -> bytes:
    """XXH3-128 of a regular file's bytes; an ``OSError`` where something else has taken its place."""
    state = xxhash.xxh3_128()
    buffer = bytearray(BUFFER_BYTES)
    view = memoryview(buffer)
    # Without O_NONBLOCK a FIFO put here since the listing would hold us until somebody writes to it.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(handle, "rb", buffering=0) as file:  # noqa: PTH123 - a descriptor
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it changed while it was read")
        while length := file.readinto(buffer):
            state.update(view[:length])
    return state.digest()


def _opened(resume: Path) -> BinaryIO:
    try:
        # Unbuffered: what a full disk refused is not tried, and refused, a second time when it is closed.
        return resume.open("ab", buffering=0)
    except OSError as error:
        raise unwritable(resume, error) from None


def _hashed(root: Path, name: str, seen: Seen, known: bytes | bool) -> tuple[str, Seen, bytes | str]:
    if isinstance(known, bytes):
        return name, seen, known
    path = root / name
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return name, seen, xxhash.xxh3_128_digest(b"link\0" + os.fsencode(path.readlink()))
        if not stat.S_ISREG(status.st_mode):
            return name, seen, xxhash.xxh3_128_digest(_special(status))
        digest = digest_of(path)
        if _seen(path.lstat()) != seen:
            return name, seen, "it changed while it was read"
    except OSError as error:
        return name, seen, error.strerror or "it could not be read"
    return name, seen, digest


def _special(status: os.stat_result) -> bytes:
    """What a file is that holds no bytes of its own: nothing is in a FIFO at rest."""
    return b"special\0%d\0%d" % (stat.S_IFMT(status.st_mode), status.st_rdev)


def _files(root: Path) -> tuple[list[tuple[str, Seen]], dict[str, str]]:
    found: list[tuple[str, Seen]] = []
    unread: dict[str, str] = {}

    def failed(error: OSError) -> None:
        if Path(error.filename) == root:
            raise AccessDenied(f"{root} cannot be listed: {error.strerror}")
        unread[str(Path(error.filename).relative_to(root))] = error.strerror or "it could not be listed"

    for folder, folders, names in os.walk(root, onerror=failed):
        folders.sort()
        for name in sorted([*names, *(f for f in folders if Path(folder, f).is_symlink())]):
            path = Path(folder, name)
            try:
                status = path.lstat()
            except OSError as error:
                unread[str(path.relative_to(root))] = error.strerror or "it could not be read"
                continue
            found.append((str(path.relative_to(root)), _seen(status)))
    return found, unread


def _seen(status: os.stat_result) -> Seen:
    return Seen(status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns)


class _Memory:
    """What an interrupted run had hashed already."""

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.digests: dict[str, bytes] = {}

    def get(self, name: str) -> Seen | None:
        return self.seen.get(name)

    def digest(self, name: str) -> bytes:
        return self.digests[name]


def _remembered(path: Path | None) -> _Memory:
    memory = _Memory()
    if path is None or not path.exists():
        return memory
    for line in _whole_lines(path):
        # A line that was damaged says nothing: its file is hashed again.
        body, _, check = line.rpartition(b" ")
        if check != xxhash.xxh3_64_hexdigest(body).encode():
            continue
        name, size, mtime_ns, inode, ctime_ns, digest = orjson.loads(body)
        memory.seen[_fs_name(name)] = Seen(size, mtime_ns, inode, ctime_ns)
        memory.digests[_fs_name(name)] = bytes.fromhex(digest)
    return memory


def _remember(memory: BinaryIO, name: str, seen: Seen, digest: bytes) -> None:
    body = orjson.dumps([_json_name(name), *seen.__dict__.values(), digest.hex()])
    line = body + b" " + xxhash.xxh3_64_hexdigest(body).encode() + b"\n"
    try:
        # A disk that becomes full takes a part, and refuses the rest.
        while line:
            line = line[memory.write(line) :]
    except OSError as error:
        raise unwritable(Path(memory.name), error) from None


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Every line but one that the crash cut off; that one is removed, so that the next joins no torn one.

    ``Refused`` for a file that is not one of ours: nothing is cut off from it.
    """
    data = path.read_bytes() if path.is_file() else b"no file"
    if data and not data.startswith(_BEGINNING[: len(data)]):
        raise Refused(f"{path} is where the progress would be kept, and is not ours: move it away")
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        os.truncate(path, len(whole))
    yield from whole.splitlines()


def _json_name(name: str) -> str:
    return os.fsencode(name).hex()


def _fs_name(text: str) -> str:
    return os.fsdecode(bytes.fromhex(text))
