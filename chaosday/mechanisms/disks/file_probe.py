"""Writes, syncs and reads back a file of its own, and says what came of it. Runs on a target's python3.

``python3 -I - PATH DISK CONTROL`` (the device number of its disk; where our file system is told what to do) prints one
JSON object: ``writes``, ``errors`` (of any call), ``damaged`` (blocks that read back other than written), ``missing``
(bytes short at the end), ``held`` (bytes of one more write, not synced, that are not below our file system), and median
milliseconds of a write, an fsync and a read (``write_ms``), and the least of each (``write_least_ms``).
``flushed`` is how many sectors the disk below took meanwhile, -1 where no disk can be told. The file is
taken away again whatever happens. Whoever owns the directory could put a link
in the file's place: none is followed, and what was there before is not touched.
"""

from __future__ import annotations

import json
import operator
import os
import sys
import time
from typing import Any

BLOCK, BLOCKS = 4096, 128


def sectors(device: int) -> int:
    """Sectors written so far by the disk of that number; field 10 of /proc/diskstats."""
    with open("/proc/diskstats") as table:
        for line in table:
            words = line.split()
            if (int(words[0]), int(words[1])) == (os.major(device), os.minor(device)):
                return int(words[9])
    return -1


def timed(act: Any, *arguments: Any) -> tuple[float, Any]:
    """Milliseconds and result; the result is None where the call failed."""
    began = time.monotonic()
    try:
        result = act(*arguments)
    except OSError:
        result = None
    return (time.monotonic() - began) * 1000, result


def synchronised(handle: int) -> bool:
    """fsync, with an answer."""
    os.fsync(handle)
    return True


def median(values: list[float]) -> float:
    """The middle one."""
    return round(sorted(values)[len(values) // 2], 3) if values else 0.0


def took_each(**calls: list[float]) -> dict[str, float]:
    """Of each kind of call the median and the least."""
    least = {f"{call}_least_ms": round(min(took, default=0.0), 3) for call, took in calls.items()}
    return {**{f"{call}_ms": median(took) for call, took in calls.items()}, **least}


def held(path: str, control: str) -> int:
    """How much of a write that was not synced is not in the directory below; the file is there already."""
    below = path
    if os.path.exists(control + "/backing"):
        with open(control + "/backing") as file:
            below = os.path.join(file.read(), os.path.basename(path))
    written = b"\xff" * BLOCK
    handle = timed(os.open, path, os.O_RDWR | os.O_NOFOLLOW)[1]
    if handle is None:
        return 0
    timed(os.pwrite, handle, written, 0)
    with open(os.open(below, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
        found = file.read(BLOCK)
    os.close(handle)
    return BLOCK - len(found) + int(sum(map(operator.ne, written, found)))


def probe(path: str, disk: int, control: str) -> dict[str, Any]:
    """One round over one file."""
    blocks = [bytes([n % 251 + 1]) * BLOCK for n in range(BLOCKS)]
    # The read comes after the file was closed and opened anew, so that it is not the cache that answers.
    said: dict[str, Any] = {"writes": BLOCKS, "errors": 0, "damaged": 0, "missing": 0}
    written, synced, seen = [], [], []
    before = sectors(disk)
    handle = timed(os.open, path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)[1]
    if handle is None:
        return {**said, "errors": BLOCKS, "flushed": -1, "held": 0, **took_each(write=[], fsync=[], read=[])}
    for number, block in enumerate(blocks):
        took, done = timed(os.pwrite, handle, block, number * BLOCK)
        written.append(took)
        said["errors"] += done is None
        if number % 16 == 15:
            took, done = timed(synchronised, handle)
            synced.append(took)
            said["errors"] += done is None
    said["flushed"] = sectors(disk) - before if before >= 0 else -1
    os.close(handle)
    handle = timed(os.open, path, os.O_RDONLY | os.O_NOFOLLOW)[1]
    if handle is not None:
        for number, block in enumerate(blocks):
            took, data = timed(os.pread, handle, BLOCK, number * BLOCK)
            seen.append(took)
            said["errors"] += data is None
            if data is not None:
                said["missing"] += BLOCK - len(data)
                said["damaged"] += len(data) == BLOCK and data != block
        os.close(handle)
    said["held"] = held(path, control)
    return {**said, **took_each(write=written, fsync=synced, read=seen)}


if __name__ == "__main__":
    try:
        print(json.dumps(probe(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
    finally:
        if os.path.lexists(sys.argv[1]):
            os.unlink(sys.argv[1])
