"""Real servers for the tests, started once and ended by pid."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaosday.servers import postgres


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import only the modules that have kernel tests where only those are asked for: the rest costs seconds."""
    if config.option.markexpr != "kernel":
        return None
    modules = sorted(collection_path.rglob("test_*.py")) if collection_path.is_dir() else [collection_path]
    marked = any("pytest.mark.kernel" in module.read_text() for module in modules)
    return None if marked else True


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
