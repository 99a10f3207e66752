"""The cache of a disk that forgets: writes that were not synced, in memory. Runs beside fault_filesystem_daemon."""

from __future__ import annotations

import os
import random
import threading
from typing import Any

SECTOR, BLOCK = 512, 4096


class Dirty:
    """What of one file has been written and not synced: whole blocks, the file's length, and the last write."""

    def __init__(self, handle: int) -> None:
        # A handle of our own: it is written back after whoever wrote it has closed the file.
        self.file = os.open(f"/proc/self/fd/{handle}", os.O_RDWR)
        self.size = os.fstat(self.file).st_size
        self.blocks: dict[int, bytearray] = {}
        self.last = (0, b"")

    def block(self, number: int) -> bytearray:
        """One block, read from below where it is not here yet."""
        if number not in self.blocks:
            self.blocks[number] = bytearray(os.pread(self.file, BLOCK, number * BLOCK).ljust(BLOCK, b"\0"))
        return self.blocks[number]

    def write(self, data: bytes, offset: int) -> None:
        """Keep it here."""
        at = 0
        while at < len(data):
            number, start = divmod(offset + at, BLOCK)
            part = data[at : at + BLOCK - start]
            self.block(number)[start : start + len(part)] = part
            at += len(part)
        self.size, self.last = max(self.size, offset + len(data)), (offset, data)

    def read(self, size: int, offset: int) -> bytes:
        """What is here over what is below."""
        size = max(0, min(size, self.size - offset))
        found = bytearray(os.pread(self.file, size, offset).ljust(size, b"\0"))
        for number in range(offset // BLOCK, (offset + size + BLOCK - 1) // BLOCK):
            if number in self.blocks:
                begin, end = max(offset, number * BLOCK), min(offset + size, (number + 1) * BLOCK)
                found[begin - offset : end - offset] = self.blocks[number][begin % BLOCK :][: end - begin]
        return bytes(found)

    def truncate(self, length: int) -> None:
        """As below: what is beyond is gone, and zero if the file grows again."""
        self.size = length
        self.blocks = {number: data for number, data in self.blocks.items() if number * BLOCK < length}
        if length // BLOCK in self.blocks:
            self.blocks[length // BLOCK][length % BLOCK :] = bytes(BLOCK - length % BLOCK)

    def write_back(self, numbers: Any = None) -> None:
        """Put the blocks below; only these of them, where they are given."""
        for number in sorted(self.blocks if numbers is None else numbers):
            data = self.blocks[number][: max(0, self.size - number * BLOCK)]
            os.pwrite(self.file, data, number * BLOCK)


class Volatile:
    """The writes that no sync has promised to keep, in memory alone, by file."""

    def __init__(self) -> None:
        self.files: dict[tuple[int, int], Dirty] = {}
        self.lock = threading.RLock()

    def of(self, found: os.stat_result) -> Any:
        """What is dirty of a file, or None."""
        return self.files.get((found.st_dev, found.st_ino)) if self.files else None

    def held(self, handle: int) -> Any:
        """The same of an open file, which is not looked at while nothing is dirty."""
        return self.of(os.fstat(handle)) if self.files else None

    def made(self, handle: int) -> Dirty:
        """The same, from now on kept here."""
        found = os.fstat(handle)
        key = (found.st_dev, found.st_ino)
        if key not in self.files:
            self.files[key] = Dirty(handle)
        return self.files[key]

    def settle(self, handle: Any = None) -> None:
        """Put a file below, or all of them, and forget that it was dirty."""
        with self.lock:
            found = os.fstat(handle) if handle is not None else None
            keys = [*self.files] if found is None else [(found.st_dev, found.st_ino)]
            for key in keys:
                dirty = self.files.pop(key, None)
                if dirty is not None:
                    dirty.write_back()
                    os.close(dirty.file)

    def lose(self, tear: bool, keep_percent: float, seed: int) -> dict[str, int]:
        """The power goes: forget it all, but for ``keep_percent`` of the blocks, which had been written back by
        themselves, and with ``tear`` the first half (whole sectors) of each file's last write."""
        draw = random.Random(seed)
        with self.lock:
            said = {"files": 0, "bytes": 0, "kept": 0, "torn": 0}
            for key in sorted(self.files):
                dirty = self.files.pop(key)
                if not os.fstat(dirty.file).st_nlink:  # deleted meanwhile: nobody will miss it
                    os.close(dirty.file)
                    continue
                said["files"] += 1
                kept = [number for number in sorted(dirty.blocks) if draw.random() * 100 < keep_percent]
                dirty.write_back(kept)
                offset, data = dirty.last
                half = len(data) // 2 // SECTOR * SECTOR if tear else 0
                os.pwrite(dirty.file, data[:half], offset)
                said["bytes"] += (len(dirty.blocks) - len(kept)) * BLOCK - half
                said["kept"] += len(kept) * BLOCK + half
                said["torn"] += half > 0
                os.close(dirty.file)
        return said
