"""What decides whether a database in a file of this machine keeps what it acknowledged: its file, and what is below."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from chaosday.drills.advice.rule import Rule, Settings
from chaosday.errors import TargetUnreachable
from chaosday.targets.duckdb_file import DuckDBFile
from chaosday.targets.sqlite_file import SQLiteFile

MOUNTINFO = Path("/proc/self/mountinfo")
_SQLITE_HEADER = b"SQLite format 3\x00"
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"})
_MEMORY = frozenset({"tmpfs", "ramfs"})
_NO_BARRIER = frozenset({"nobarrier", "barrier=0"})
_PER_CONNECTION = (
    "each connection chooses it for itself and the file does not say; look for PRAGMA synchronous in the program that "
    "writes: with WAL, NORMAL loses the last commits in a power cut, and OFF loses and corrupts in either mode"
)
_ESCAPED = re.compile(r"\\(\d{3})")


def read_sqlite(target: SQLiteFile) -> Settings:
    """From the file's header: it is not opened as a database, so that nothing of it is locked, made or recovered."""
    try:
        with target.path.open("rb") as file:
            header = file.read(20)
    except OSError as error:
        raise TargetUnreachable(f"{target.path} cannot be read: {error.strerror}") from None
    if not header.startswith(_SQLITE_HEADER) or len(header) < 20:
        raise TargetUnreachable(f"{target.path} is no SQLite database")
    below = mount_of(target.path)
    journal = {1: "rollback", 2: "wal"}.get(header[18], str(header[18]))
    return Settings({**below.values, "journal": journal}, {**below.unread, "synchronous": _PER_CONNECTION})


def read_duckdb(target: DuckDBFile) -> Settings:
    """What is below the file; DuckDB has no setting that gives up durability."""
    if not target.path.is_file():
        raise TargetUnreachable(f"there is no {target.path}")
    return mount_of(target.path)


def mount_of(path: Path, mountinfo: Path = MOUNTINFO) -> Settings:
    """The file system that holds a path: ``fstype``, ``options``, ``mount``; proc(5), /proc/pid/mountinfo."""
    names = ("fstype", "options", "mount")
    try:
        lines = mountinfo.read_text().splitlines()
        place = os.path.realpath(path)
    except OSError as error:
        return Settings({}, dict.fromkeys(names, f"{mountinfo} cannot be read: {error.strerror}"))
    best: dict[str, str] = {}
    for line in lines:
        fields = line.split()
        if "-" not in fields[6:]:
            continue
        point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[4])
        own = fields[fields.index("-", 6) + 1 :]
        inside = point in ("/", place) or place.startswith(f"{point}/")
        # The last of several mounts on one point is the one that is seen.
        if inside and len(own) > 2 and len(point) >= len(best.get("mount", "")):
            best = {"mount": point, "fstype": own[0], "options": f"{fields[5]},{own[2]}"}
    unread = {} if best else dict.fromkeys(names, "no file system is known to hold it")
    return Settings(best, unread)


def _in_memory(values: Mapping[str, str]) -> str:
    if values["fstype"] not in _MEMORY:
        return ""
    return (
        f"{values['mount']} is in memory ({values['fstype']}): a power cut or a restart of the machine loses all of it"
    )


def _in_a_layer(values: Mapping[str, str]) -> str:
    if values["fstype"] not in ("overlay", "aufs"):
        return ""
    return f"{values['mount']} is the layer of a container ({values['fstype']}): its data goes when the container does"


def _barriers(values: Mapping[str, str]) -> str:
    if not _NO_BARRIER & set(values["options"].split(",")):
        return ""
    return (
        f"{values['mount']} is mounted without barriers: a sync does not reach the disk: a power cut loses what "
        "was acknowledged and can break the file system"
    )


def _network(values: Mapping[str, str]) -> str:
    if values["fstype"] not in _NETWORK:
        return ""
    words = "locks of network file systems are often broken: two writers at once corrupt the database"
    return f"{values['mount']} is a network file system ({values['fstype']}): {words}"


MOUNT_RULES = (
    Rule("in memory", ("fstype", "mount"), _in_memory, 3, "tmpfs(5)"),
    Rule("barriers", ("options", "mount"), _barriers, 3, "ext4(5) barrier, xfs(5) nobarrier"),
    Rule("container layer", ("fstype", "mount"), _in_a_layer, 2,
         "Docker manual, Storage drivers: https://docs.docker.com/engine/storage/drivers/"),
)  # fmt: skip
SQLITE_RULES = (
    *MOUNT_RULES,
    Rule("network file system", ("fstype", "mount"), _network, 3,
         "SQLite manual, How To Corrupt An SQLite Database File, 2.1: https://www.sqlite.org/howtocorrupt.html"),
    Rule("synchronous", ("synchronous",), lambda values: "", 3,
         "SQLite manual, PRAGMA synchronous: https://www.sqlite.org/pragma.html#pragma_synchronous", "power",
         "sqlite-lost-fsync"),
)  # fmt: skip
