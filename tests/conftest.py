"""Real servers for the tests, started once and ended by pid."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.lab import postgres


@pytest.fixture(scope="session")
def server_directory() -> Iterator[Path]:
    """A folder that an unprivileged server may enter, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="chaosday-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def pair(server_directory: Path) -> Iterator[tuple[postgres.Node, postgres.Node]]:
    """A real PostgreSQL primary and its streaming standby."""
    primary = postgres.primary(server_directory)
    standby = postgres.standby(primary, server_directory, upstream_port=primary.port)
    yield primary, standby
    standby.stop()
    primary.stop()
