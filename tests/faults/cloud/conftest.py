"""The fault proxy, started once, and stores on the two servers of objects that all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chaosday.mechanisms.http_proxy.client import HttpProxyProcess
from chaosday.targets.s3_store import S3Store
from tests.lab.seaweedfs import ACCESS_KEY, SECRET_KEY


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
