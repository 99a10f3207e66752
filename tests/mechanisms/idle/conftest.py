"""One idle proxy of each kind for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.mechanisms.idle.compare import Leads
from tests.mechanisms.idle.routes import http_proxy, tcp_proxy


@pytest.fixture(scope="session")
def through_http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leads]:
    """Routes of the HTTP proxy."""
    with http_proxy(tmp_path_factory.mktemp("idle-http")) as leads:
        yield leads


@pytest.fixture(scope="session")
def through_tcp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leads]:
    """Routes of the TCP proxy."""
    with tcp_proxy(tmp_path_factory.mktemp("idle-tcp")) as leads:
        yield leads
