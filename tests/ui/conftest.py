"""``chaosday serve`` with everything it starts, a database to hurt, hands on its runs, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from chaosday.servers.postgres import Node
from tests.lab.browser import browser
from tests.ui.hands import Hands
from tests.ui.serving import Served, serving


@pytest.fixture(scope="session")
def served(pair: tuple[Node, Node], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One for all the tests of a worker process; its worker knows the database's password, and no parameter does."""
    with serving(tmp_path_factory.mktemp("served"), {"PGPASSWORD": pair[0].password}) as started:
        yield started


@pytest.fixture(scope="session")
def hands(served: Served, pair: tuple[Node, Node]) -> Hands:
    """On runs that aim at a real PostgreSQL."""
    return Hands(served, pair[0])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for a module; while it is open an event loop runs, and asyncio in other modules would refuse."""
    with browser() as started:
        yield started


@pytest.fixture(scope="session")
def database_block(served: Served, pair: tuple[Node, Node]) -> str:
    """The name of a block for a real PostgreSQL."""
    primary = pair[0]
    fields = {"port": primary.port, "user": "postgres", "password": primary.password}
    served.python(f"from blocks import PostgreSQLDatabase; PostgreSQLDatabase(**{fields!r}).save('orders')")
    return "orders"
