"""A bench with a shop of two tables, for all tests of this folder that need no whole run."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chaosday.drills.pipelines.bench import Bench
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.servers.postgres import binaries

SHOP = """
create table orders (id bigserial primary key, n int unique check (n >= 0),
    double int generated always as (n * 2) stored, at timestamptz);
create table notes (said text);
insert into orders (n) select n from generate_series(1, 20) n;
"""


def psql(*lines: str) -> list[str]:
    """A pipeline that asks these things, each in a transaction of its own."""
    return [
        str(binaries() / "psql"),
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        *(word for line in lines for word in ("-c", line)),
    ]


@pytest.fixture(scope="module")
def bench(server_directory: Path) -> Iterator[Bench]:
    """Started, and kept as ``origin``."""
    folder = Path(tempfile.mkdtemp(dir=server_directory))
    folder.chmod(0o711)
    script = folder / "shop.sql"
    script.write_text(SHOP)
    value = drill({"shop": {"from": str(script)}}, command=psql("select 1"))
    scratch = folder / "scratch"
    made = Bench(value, scratch, f"test{folder.name}")
    made.start()
    made.keep("origin")
    yield made
    assert made.close() == []


def drill(stores: dict[str, Any], **fields: Any) -> PipelineDrill:
    return PipelineDrill.model_validate({"stores": stores, "timeout_s": 120} | fields, extra="forbid")
