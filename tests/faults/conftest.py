"""A host of the lab, lent to one test, and the target that it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chaosday.targets.ssh_host import SshHost
from tests.lab.hosts import LabHost
from tests.lab.pool import pool


@pytest.fixture
def host() -> Iterator[LabHost]:
    with pool().victim() as lent:
        yield lent


@pytest.fixture
def target(host: LabHost) -> Iterator[SshHost]:
    made = pool().target(host)
    yield made
    made.close()
