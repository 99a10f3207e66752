"""Real servers for the tests, started once; and the end of a test run, after which nothing of it is left."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from chaosday.servers import postgres
from tests.lab import registry
from tests.lab.moto import moto_server
from tests.lab.prefect_server import prefect_server
from tests.lab.seaweedfs import SeaweedFS, seaweedfs
from tests.selection import ByPlace, begun, drawn

if TYPE_CHECKING:
    from xdist.remote import Producer

# An example may take as long as the machine takes, which has other things to do.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")

# A server that a user's commands share stays for ten minutes; tests end with nothing left.
os.environ.setdefault("CHAOSDAY_SERVER_IDLE_S", "0")

RUN = pytest.StashKey[registry.TestRun]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--all``: every case of the tests that are there for breadth."""
    parser.addoption("--all", action="store_true", help="every case of the tests marked breadth, not a seeded share")


def pytest_configure(config: pytest.Config) -> None:
    """Begin the run's registry, once: xdist's workers inherit it."""
    if not hasattr(config, "workerinput"):
        config.stash[RUN] = registry.begin()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest; of the tests for breadth that are asked for take a share, or all."""
    items.sort(key=begun)
    if not config.getoption("--all"):
        items[:], left = drawn(items)
        config.hook.pytest_deselected(items=left)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByPlace:
    """Workers get whole files."""
    return ByPlace(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what this process shares among its tests; in the process that began, see to it that nothing is left."""
    registry.close_shared()
    run = session.config.stash.get(RUN, None)
    if run is not None and (left := run.close()):
        print("\nleft by the tests, and taken away now:", *left, sep="\n  ")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import only the modules that have kernel tests where only those are asked for: the rest costs seconds."""
    if config.option.markexpr != "kernel":
        return None
    modules = sorted(collection_path.rglob("test_*.py")) if collection_path.is_dir() else [collection_path]
    marked = any("pytest.mark.kernel" in module.read_text() for module in modules)
    return None if marked else True


@pytest.fixture(scope="session")
def server_directory() -> Path:
    """A folder that an unprivileged server may enter, whoever runs the tests."""
    folder = Path(tempfile.mkdtemp(prefix="servers-"))
    folder.chmod(0o711)
    return folder


@pytest.fixture(scope="session")
def pair(server_directory: Path) -> Iterator[tuple[postgres.Node, postgres.Node]]:
    """A real PostgreSQL primary and its streaming standby."""
    primary = postgres.primary(server_directory)
    standby = postgres.standby(primary, server_directory, upstream_port=primary.port)
    yield primary, standby
    standby.stop()
    primary.stop()


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server: AWS' APIs, and nothing is kept."""
    with moto_server(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A running SeaweedFS: nobody kills this one."""
    with seaweedfs(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture(scope="session")
def prefect_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The API of a Prefect server with a database of its own."""
    with prefect_server(tmp_path_factory.mktemp("prefect")) as url:
        yield url


@pytest.fixture
def with_prefect(prefect_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Commands that a test starts find that server, and start none of their own."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_url)
    return prefect_url


@pytest.fixture(scope="session")
def kafka_lab() -> Iterator[dict[str, Any]]:
    """The facts of a Kafka of one broker."""
    from chaosday.errors import CapabilityMissing
    from chaosday.lab.stands import stand
    from tests.lab.machine import absent

    with tempfile.TemporaryDirectory(prefix="chaosday-kafka-") as directory:
        folder = Path(directory)
        folder.chmod(0o711)
        try:
            with stand("kafka", folder, {}) as facts:
                yield facts
        except CapabilityMissing as error:
            absent(str(error))
