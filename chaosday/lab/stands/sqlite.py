"""A SQLite file on a disk of its own whose power can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chaosday.mechanisms.disks.disk import disk


@contextmanager
def stand(folder: Path) -> Iterator[dict[str, Any]]:
    """Facts: ``server`` (a target), ``disk``."""
    with disk(folder / "power") as made:
        yield {
            "server": {"kind": "sqlite_file", "path": str(made.path / "db.sqlite")},
            "disk": {"image": str(made.image), "path": str(made.path)},
        }
