"""Which errors of a database say for certain that nothing was done; all others leave it open."""

from __future__ import annotations

import psycopg
import pytest

from chaosday.clients.sqlstates import DEFINITE
from chaosday.stores import duckdb, postgresql

pytestmark = pytest.mark.kernel
FAILED = "TransactionContext Error: Failed to commit: "


@pytest.mark.parametrize(
    ("words", "definite"),
    [
        ('PRIMARY KEY or UNIQUE constraint violation: duplicate key "1"', True),
        ("write-write conflict on key: 1", True),
        ('Could not write file "/srv/conflicts/constraint.duckdb.wal": No space left on device', False),
        ("Could not sync the log of a Conflict on a disk", False),
    ],
)
def test_why_a_commit_of_duckdb_failed_is_in_its_first_words(words: str, definite: bool) -> None:
    """What comes after them is a path or a value of somebody's."""
    engine = pytest.importorskip("duckdb")
    assert duckdb.dialect().definite(engine.TransactionException(FAILED + words)) is definite


@pytest.mark.parametrize("code", ["40001", "40002", "40003", "40P01"])
def test_a_statement_of_which_the_server_does_not_know_how_it_ended_is_unknown(code: str) -> None:
    """Of the class of what was rolled back one code says that it may have been completed."""
    assert postgresql.dialect().definite(psycopg.errors.lookup(code)()) is (code != "40003")
    assert code.startswith(DEFINITE) is (code != "40003")
