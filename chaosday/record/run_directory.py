"""The run directory: where evidence is written before anybody judges it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from chaosday.clock import Clock
from chaosday.errors import EvidenceMissing
from chaosday.model.document import known_format
from chaosday.model.evidence import Evidence
from chaosday.record.outputs import unwritable

_UNSEALED = ("hashes.json", "journal.jsonl", "leases")
RUNS_VARIABLE = "CHAOSDAY_RUNS"
PARTS = ("history", "rows", "observations")
"""Folders that each run has."""
FORMAT, FORMAT_FILE = 1, "format.json"
"""The version of what stands in a run directory, and where it says so; before there were versions nothing did."""


def runs_root() -> Path:
    """Where runs are kept: ``$CHAOSDAY_RUNS``, else ``chaosday-runs`` in the current folder."""
    return Path(os.environ.get(RUNS_VARIABLE) or "chaosday-runs")


class RunDirectory:
    """One run's folder; everything in it is written whole or not at all, and hashed at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def run(self) -> str:
        """The run's id: the folder's name."""
        return self.path.name

    @property
    def token(self) -> str:
        """The random part of the id, short enough for a table's or a lease's name."""
        return self.run.rsplit("-", 1)[-1]

    @classmethod
    def create(cls, root: Path, title: str, clock: Clock) -> RunDirectory:
        """A new folder ``TIME-TITLE-TOKEN`` under ``root``."""
        moment = datetime.fromtimestamp(clock.wall_ns() / 1e9, UTC).strftime("%Y%m%dT%H%M%S")
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "run"
        path = root / f"{moment}-{slug}-{secrets.token_hex(3)}"
        try:
            # Whatever the umask: rows are somebody's data, and where others may write nothing of ours is believed.
            path.mkdir(mode=0o700, parents=True)
            for part in PARTS:
                (path / part).mkdir(mode=0o700)
        except OSError as error:
            raise unwritable(path, error) from None
        made = cls(path)
        made.write_json(FORMAT_FILE, {"format": FORMAT})
        return made

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """An existing run; ``EvidenceMissing`` if that is none, ``UsageError`` if a later chaosday wrote it."""
        if not (path / "journal.jsonl").is_file():
            raise EvidenceMissing(f"{path} is not a run directory: it has no journal.jsonl")
        found = cls(path)
        if (path / FORMAT_FILE).is_file():
            said = found.read_json(FORMAT_FILE)
            known_format(said.get("format") if isinstance(said, dict) else said, FORMAT, str(path))
        return found

    @property
    def journal_path(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def history_directory(self) -> Path:
        return self.path / "history"

    def evidence(self) -> Evidence:
        """The same folder as checks see it."""
        return Evidence(self.path)

    def write_json(self, name: str, data: Any) -> Path:
        """Write ``data`` as JSON, atomically and durably."""
        options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
        return self.write_bytes(name, orjson.dumps(data, option=options))

    def write_bytes(self, name: str, data: bytes) -> Path:
        """Write ``data``, atomically and durably."""
        path = self.path / name
        partial = path.with_suffix(path.suffix + ".partial")
        with open(partial, "wb", opener=_ours_alone) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        return path

    def read_json(self, name: str) -> Any:
        """Read a piece back; ``EvidenceMissing`` where it was never written."""
        path = self.path / name
        if not path.is_file():
            raise EvidenceMissing(f"{self.run} holds no {name}: the run ended before that")
        try:
            return orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise EvidenceMissing(f"{self.run}: {name} cannot be read, it is cut or damaged: {error}") from None

    def write_rows(self, name: str, table: pa.Table) -> None:
        """Keep what a store was found to hold."""
        import pyarrow.parquet as pq

        pq.write_table(table, self.path / "rows" / f"{name}.parquet", compression="zstd", write_page_checksum=True)

    def altered(self) -> list[str]:
        """The files of a sealed run that are gone or hold something else than when it was sealed; the report may.

        A run that ended before its seal has nothing to be compared with.
        """
        if not (self.path / "hashes.json").exists():
            return []
        sealed = self.read_json("hashes.json")
        if not isinstance(sealed, dict):
            return ["hashes.json"]
        return [name for name, told in sealed.items() if name != "report.html" and _digest(self.path / name) != told]

    def seal(self) -> dict[str, str]:
        """SHA-256 of every file there is, written to ``hashes.json``."""
        hashes = {
            str(path.relative_to(self.path)): _digest(path)
            for path in sorted(self.path.rglob("*"))
            if path.is_file() and not path.is_symlink() and path.relative_to(self.path).parts[0] not in _UNSEALED
        }
        self.write_json("hashes.json", hashes)
        return hashes


def _ours_alone(path: str, flags: int) -> int:
    """Whoever runs us may write before the run itself begins, and after its end."""
    return os.open(path, flags, 0o600)


def _digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal; nothing where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
