"""A password for PostgreSQL's programs in a file of theirs alone, and not in their environment.

https://www.postgresql.org/docs/current/libpq-pgpass.html: a plain file that neither group nor others may read.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "PGPASSFILE"


@contextmanager
def password_file(password: str, run_as: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """For one program: what it needs in its environment, and the descriptors that it is to inherit.

    ``run_as`` is ``subprocess``'s ``user`` and ``group``. The file has no name where the system can do without one: a
    temporary folder may be closed to that account.
    """
    if not password:
        yield {}, ()
        return
    named = not hasattr(os, "memfd_create")
    handle, path = tempfile.mkstemp() if named else (os.memfd_create("password"), "")
    try:
        os.fchmod(handle, 0o600)
        os.fchown(handle, run_as.get("user", -1), run_as.get("group", -1))
        os.write(handle, f"*:*:*:*:{_escaped(password)}\n".encode())
        yield ({VARIABLE: path}, ()) if named else ({VARIABLE: f"/proc/self/fd/{handle}"}, (handle,))
    finally:
        os.close(handle)
        if named:
            Path(path).unlink(missing_ok=True)


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")
