"""The file of a catalogue: columns for whoever asks with SQL, and the entries that the next look is spared.

It is believed with the worker's MAC alone, and named after the key, so that workers with different keys that share a
folder do not take each other's away. Anybody may read it: ``duckdb -c "select * from 'catalogue-*.parquet'"``.

Runs of one experiment are alike in all but a few words. What they share is kept, validated and held once (a shape), so
that ten thousand of them are read in a tenth of a second.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from chaosday.campaign.reading import Entry
from chaosday.campaign.summary import RunSummary
from chaosday.errors import ChaosdayError
from chaosday.record.key import is_mac, mac
from chaosday.record.outputs import replacing
from chaosday.record.owned import read_owned

_PURPOSE = "catalogue of runs"
_FORMAT = b"chaosday-catalogue-2"
_ABANDONED_S = 3_600
# For whoever asks with SQL; what we believe is in the column ``entry`` and the metadata, under the MAC.
_SHOWN: dict[str, pa.DataType] = {
    "run": pa.string(), "id": pa.string(), "title": pa.string(), "kind": pa.string(), "outcome": pa.string(),
    "placebo": pa.bool_(), "began": pa.string(), "seconds": pa.float64(), "lost": pa.int64(), "of": pa.int64(),
    "operations": pa.int64(), "systems": pa.list_(pa.string()), "faults": pa.list_(pa.string()),
    "checks": pa.list_(pa.string()), "host": pa.string(), "asked_by": pa.string(), "pruned": pa.bool_(),
}  # fmt: skip
_OWN = ("run", "id", "words", "began", "seconds", "lost", "of", "operations", "doses")
"""What two runs of one experiment do not share."""


def catalogue_path(folder: Path) -> Path:
    """Where the catalogue of a folder of runs lies, for this worker's key."""
    return folder / f"catalogue-{mac('name of a catalogue')[:8]}.parquet"


def read_entries(folder: Path) -> list[Entry]:
    """The entries of the file; empty where it cannot be believed, which costs time and nothing else."""
    try:
        # A file of Python's would be let go of by a thread of Arrow's, which ends the program where that is ending.
        table = pq.ParquetFile(pa.BufferReader(read_owned(catalogue_path(folder)))).read(columns=["entry"])
        body = ",".join(table["entry"].to_pylist()).encode()
        said = table.schema.metadata or {}
        shapes = said.get(b"shapes", b"")
        if not is_mac(said.get(b"mac", b"").decode(), _PURPOSE, _FORMAT, shapes, body):
            return []
        known = [RunSummary.model_validate(each).__getstate__() for each in orjson.loads(shapes)]
        return [_entry(each, known) for each in orjson.loads(b"[%b]" % body)]
    except (ChaosdayError, OSError, pa.ArrowException, KeyError, ValueError, TypeError, IndexError, ValidationError):
        return []


def write_entries(folder: Path, entries: list[Entry]) -> None:
    """Replace the file whole; ``OSError`` or a ``ChaosdayError`` where the folder is only lent or we have no key."""
    shapes: dict[bytes, int] = {}
    lines = [_line(each, shapes) for each in entries]
    summaries = [each.summary.model_dump() if each.summary else {} for each in entries]
    columns = {name: pa.array([each.get(name) for each in summaries], kind) for name, kind in _SHOWN.items()}
    table = pa.table({**columns, "entry": pa.array([line.decode() for line in lines], pa.large_string())})
    shared = b"[%b]" % b",".join(shapes)
    signed = mac(_PURPOSE, _FORMAT, shared, b",".join(lines)).encode()
    table = table.replace_schema_metadata({b"mac": signed, b"shapes": shared})
    path = catalogue_path(folder)
    with replacing(path) as file:
        pq.write_table(table, file, compression="zstd")
    _tidy(folder.glob(f".{path.name}.*"))


def _entry(line: list[Any], shapes: list[dict[Any, Any]]) -> Entry:
    place, signature, signed, why, shape, *own = line
    if shape is None:
        return Entry(place, signature, None, signed, why)
    # As pickle goes about it: what is under our MAC was validated before, and to do it again takes ten times longer.
    summary = RunSummary.__new__(RunSummary)
    state = shapes[shape]
    summary.__setstate__({**state, "__dict__": {**state["__dict__"], **dict(zip(_OWN, own, strict=True))}})
    return Entry(place, signature, summary, signed, why)


def _line(entry: Entry, shapes: dict[bytes, int]) -> bytes:
    """The entry with the number of its shape; a shape that is new is put in its place among them."""
    said: list[Any] = [entry.place, entry.signature, entry.signed, entry.why, None]
    if (summary := entry.summary) is not None:
        shape = summary.model_dump(mode="json") | dict.fromkeys(("run", "id", "began"), "")
        plain = orjson.dumps({name: value for name, value in shape.items() if name not in _OWN or value == ""})
        said[-1] = shapes.setdefault(plain, len(shapes))
        said += [getattr(summary, name) for name in _OWN]
    return orjson.dumps(said)


def _tidy(left: Iterable[Path]) -> None:
    """Take away what a worker that was killed as it wrote has left."""
    for old in left:
        with contextlib.suppress(OSError):
            if time.time() - old.lstat().st_mtime > _ABANDONED_S:
                old.unlink()
