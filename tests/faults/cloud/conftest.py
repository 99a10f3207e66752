"""Real parts, started once: moto for AWS' APIs, SeaweedFS for S3, the fault proxy before both."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.targets.s3_store import S3Store
from tests.lab.moto import moto_server
from tests.lab.seaweedfs import ACCESS_KEY, SECRET_KEY, SeaweedFS, seaweedfs


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server."""
    with moto_server(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """A running SeaweedFS."""
    with seaweedfs(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpProxyProcess]:
    """One proxy for all tests; each adds its own route."""
    with HttpProxyProcess.start(tmp_path_factory.mktemp("proxy") / "proxy.sock") as process:
        yield process


def store_at(url: str, bucket: str, **fields: object) -> S3Store:
    """An S3 store of its own bucket, made on the way."""
    store = S3Store.model_validate(
        {"endpoint_url": url, "bucket": bucket, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, **fields}
    )
    store.s3().create_bucket(Bucket=bucket)
    return store


@pytest.fixture(params=["moto", "seaweedfs"])
def store(request: pytest.FixtureRequest) -> S3Store:
    """A store with a bucket of the test's own, once on each backend."""
    url = request.getfixturevalue("moto") if request.param == "moto" else request.getfixturevalue("weed").url
    return store_at(url, bucket_name(request.node.name))


def bucket_name(test: str) -> str:
    """A bucket name that no other test has."""
    import hashlib

    return f"lab-{hashlib.sha256(test.encode()).hexdigest()[:20]}"
