"""A Parquet file as a Store: a set that is read, changed and written anew as a whole, as a small data lake does."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from chaosday.model.store import NoEffect, Options, Session
from chaosday.stores.numbers import number


class ParquetSession:
    """``add`` and ``read`` of one file. Options: ``checksums``: write them for each page, and look at them; ``width``:
    how many digits a value has."""

    def __init__(self, path: Path, lock: threading.Lock, options: Options) -> None:
        self._path, self._lock = path, lock
        self._checksums = bool(options.get("checksums", False))
        self._width = int(options.get("width", 20))

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """A file that cannot be read is not written either."""
        if f not in ("add", "read") or key is not None:
            raise NoEffect(f"a file does no {f}")
        with self._lock:
            found = self._read()
            if f == "add":
                self._write([*found, value])
        return found if f == "read" else None

    def close(self) -> None:
        """Nothing is open between operations."""

    def _read(self) -> list[int | str]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.read_table(self._path, page_checksum_verification=self._checksums, memory_map=False)
            found = [number(each.decode("latin-1")) for each in table["v"].to_pylist()]
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            raise NoEffect(f"{type(error).__name__} {str(error).splitlines()[0]}") from None
        return found

    def _write(self, values: list[int | str]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        new = self._path.with_name(f"{self._path.name}.new")
        # Plain and of a fixed width, so that almost every byte of the file is a byte of somebody's data.
        padded = [str(each).zfill(self._width).encode("latin-1") for each in values]
        pq.write_table(
            pa.table({"v": pa.array(padded, pa.binary(self._width))}), new, write_page_checksum=self._checksums,
            compression="none", use_dictionary=False, write_statistics=False, store_schema=False,
        )  # fmt: skip
        _sync(new)
        new.replace(self._path)
        _sync(self._path.parent)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


class ParquetStore:
    """A file for each space in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()

    def make(self, space: str, options: Options) -> None:
        """A file without rows, where there is none."""
        if not self._path(space).exists():
            ParquetSession(self._path(space), self._lock, options)._write([])

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """One reader and writer."""
        return ParquetSession(self._path(space), self._lock, options)

    def drop(self, space: str) -> None:
        """The file."""
        self._path(space).unlink(missing_ok=True)

    def _path(self, space: str) -> Path:
        return self._folder / f"{space}.parquet"
