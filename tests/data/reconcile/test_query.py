from __future__ import annotations

import pytest

from chaosday.data.reconcile.query import bare_query, is_query
from chaosday.errors import UsageError


@pytest.mark.parametrize(
    ("text", "query"),
    [("select 1", True), ("-- a note\nselect 1", True), ("/* a\nnote */ (SELECT 1)", True), ("with a as (x) y", True),
     ("values (1)", True), ("table", False), ("values", False), ("selected", False), ("s.t", False), ("", False),
     ("--", False)],
)  # fmt: skip
def test_queries_are_told_from_tables(text: str, query: bool) -> None:
    """A query may begin with comments or parentheses; a table may be called like a word of SQL."""
    assert is_query(text) is query


@pytest.mark.parametrize(
    ("text", "bare"),
    [("select 1;", "select 1"), ("select 1 ; -- done;\n;", "select 1"), ("select '--;' ;", "select '--;'"),
     ("select 1 -- note", "select 1"), ("select $a$;--$a$", "select $a$;--$a$"), ("select ';' /* ; */", "select ';'"),
     ("select '{}'", "select '{}'"), ('select ";"', 'select ";"'), ("select e'\\';'", "select e'\\';'")],
)  # fmt: skip
def test_what_stands_around_a_statement_goes(text: str, bare: str) -> None:
    """Semicolons and comments at the end go; those inside quoted text stay."""
    assert bare_query(text) == bare


def test_backslashes_are_mysqls() -> None:
    """In MySQL a backslash hides a quote, so that what follows it is still text."""
    assert bare_query(r"select 'a\'; x'; ", backslashes=True) == r"select 'a\'; x'"


@pytest.mark.parametrize("text", ["select 1; drop table t", "select 1;;select 2", "select ';'; x"])
def test_a_second_statement_is_refused(text: str) -> None:
    """One query is asked for; a second statement after it is never sent."""
    with pytest.raises(UsageError):
        bare_query(text)
