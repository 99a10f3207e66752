"""Statements that somebody wrote, on databases that are a file."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chaosday.actions.general.sql import SqlAction
from chaosday.errors import TargetUnreachable
from chaosday.model.sql import Sql
from chaosday.probes.sql.query import SqlQuery
from chaosday.registry import member

pytestmark = pytest.mark.kernel
ENDLESS = {
    "sqlite_file": "select count(*) as n from (with recursive n(x) as (select 1 union all select x + 1 from n) "
    "select x from n)",
    "duckdb_file": "select count(*) as n from range(1000000000000) a, range(1000000) b "
    "where (a.range * b.range) % 7 = 1",
}


@pytest.fixture(params=ENDLESS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return member("targets", request.param)(path=tmp_path / "file")


def test_a_statement_that_nobody_waits_for_any_longer_is_ended(target: Any) -> None:
    """It would be committed after its undo: after its time-out nothing of it is there, and nothing comes."""
    statement = f"create table made as {ENDLESS[target.kind]}"
    action = SqlAction(target="db", statement=statement, irreversible=True, timeout_s=0.1)
    began_s = time.monotonic()
    with pytest.raises(TargetUnreachable, match=r"ended after 0\.1 s"):
        action.act({"db": target})
    seen = SqlQuery(target="db", query=ENDLESS[target.kind], timeout_ms=100).read(target)
    assert seen.healthy is None and "ended after 0.1 s" in seen.words
    assert time.monotonic() - began_s < 60
    with closing(target.capability(Sql).open()) as connection:
        with pytest.raises(connection.dialect.errors) as gone:
            connection.execute("select * from made")
        assert connection.dialect.absent(gone.value)
