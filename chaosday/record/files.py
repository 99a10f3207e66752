"""Files as rows of evidence: what each one was when it was written, and what it is now.

The rows ``files`` hold ``path``, ``size_bytes`` and ``digest`` (SHA-256) as they were recorded; the
rows ``files.now`` the same as read back, and ``content`` for those small enough to keep a copy of. The
check ``replica_rows`` compares the two by path, leaving ``content`` out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

SCHEMA = pa.schema([("path", pa.string()), ("size_bytes", pa.int64()), ("digest", pa.string())])
CONTENT = pa.field("content", pa.large_binary())
KEPT_BYTES = 4 << 20


def files_table(contents: Mapping[str, bytes], *, keep: bool) -> pa.Table:
    """Rows for these files; with ``keep``, the content of those up to ``KEPT_BYTES``."""
    columns = [
        list(contents),
        [len(content) for content in contents.values()],
        [hashlib.sha256(content).hexdigest() for content in contents.values()],
    ]
    table = pa.Table.from_arrays([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    if not keep:
        return table
    kept = [content if len(content) <= KEPT_BYTES else None for content in contents.values()]
    return table.append_column(CONTENT, pa.array(kept, CONTENT.type))


def read_files(directory: Path) -> dict[str, bytes]:
    """Every regular file below a directory by its path within it; meant for the few files of a sample."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
