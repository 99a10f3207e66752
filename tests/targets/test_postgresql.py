"""The PostgreSQL target, against a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from chaosday.errors import AccessDenied, ChaosdayError, InvalidExperiment, TargetUnreachable
from chaosday.mechanisms.hosts.postgres_tools import PostgresTools, server_of
from chaosday.model.experiment import parse
from chaosday.model.target import Postgres
from chaosday.servers.ports import free_port
from chaosday.servers.postgres import Node
from chaosday.targets.postgresql import PostgreSQL

CANARY = "canary-5f2e-secret"


def target_of(node: Node, **changes: object) -> PostgreSQL:
    fields = {"port": node.port, "password": SecretStr(node.password)} | changes
    return PostgreSQL.model_validate(fields)


def test_it_says_what_answered(pair: tuple[Node, Node]) -> None:
    """Reaching a server tells its version and its role."""
    primary, standby = pair
    assert ", primary," in target_of(primary).reach()
    assert ", standby," in target_of(standby).reach()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"password": SecretStr(CANARY)}, AccessDenied, "authentication failed"),
        ({"database": "nowhere"}, AccessDenied, "does not exist"),
        ({"user": "nobody_here", "password": SecretStr(CANARY)}, AccessDenied, "refuses us"),
        ({"port": 0}, TargetUnreachable, "refused"),
        ({"host": "no-such-host.invalid"}, TargetUnreachable, "does not answer"),
    ],
)
def test_what_cannot_be_reached_is_one_line(
    pair: tuple[Node, Node], changes: dict[str, object], error: type[ChaosdayError], words: str
) -> None:
    """A refusal and a missing server are told apart, in one line that never holds the password."""
    if changes.get("port") == 0:
        changes = {"port": free_port()}
    with pytest.raises(error) as raised:
        target_of(pair[0], **changes).reach()
    message = str(raised.value)
    assert words in message
    assert "\n" not in message
    assert CANARY not in message
    assert raised.value.__cause__ is None


def test_a_url_stands_for_the_single_fields() -> None:
    """A URL is taken apart."""
    target = PostgreSQL.model_validate({"url": "postgresql://ann@db.example:6543/sales?sslmode=require"})
    assert (target.host, target.port, target.user, target.database) == ("db.example", 6543, "ann", "sales")
    assert (target.sslmode, target.password) == ("require", None)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{CANARY}@db/sales",
        f"postgres://ann@db/sales?password={CANARY}",
        f"postgresql://:{CANARY}@db/s",
    ],
)
def test_a_url_with_a_password_is_refused(url: str) -> None:
    """With where it may be instead, and without repeating it."""
    with pytest.raises(InvalidExperiment) as refused:
        parse({"title": "t", "targets": {"db": {"kind": "postgresql", "url": url}}, "checks": [{"kind": "ledger"}]})
    assert "targets.db" in str(refused.value) and "~/.pgpass" in str(refused.value)
    assert CANARY not in str(refused.value)


def test_a_url_of_another_kind_is_refused() -> None:
    """mysql:// is not a PostgreSQL."""
    with pytest.raises(ValidationError, match="postgresql://"):
        PostgreSQL.model_validate({"url": "mysql://x/y"})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, {}),
        ({"sslmode": "require"}, {"PGSSLMODE": "require"}),
        (
            {"sslmode": "prefer", "tls": {"server_name": "db.test"}},
            {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system", "PGHOSTADDR": "127.0.0.1"},
        ),
    ],
)
def test_postgresql_s_programs_are_told_how_it_is_reached(
    fields: dict[str, Any], said: dict[str, str], tmp_path: Path
) -> None:
    """As our own connections are: the password would go to anybody who answers there."""
    (tmp_path / "psql").write_text('#!/bin/sh\necho "host $2"\nenv | grep ^PG | grep -v TIMEOUT\n')
    (tmp_path / "psql").chmod(0o700)
    at = server_of(PostgreSQL.model_validate(fields))
    told = PostgresTools(tmp_path).run("psql", *at.arguments, at=at).lines
    assert told[0] == f"host {'db.test' if 'tls' in fields else '127.0.0.1'}"
    assert dict(each.split("=", 1) for each in told[1:]) == said


def test_every_address_of_a_host_is_tried_under_the_name_that_was_given() -> None:
    """As libpq does for a name of its own: one server there may listen by IPv6 alone."""
    found = PostgreSQL.model_validate({"host": "::1", "tls": {"server_name": "db.test"}}).libpq()
    assert (found["host"], found["hostaddr"]) == ("db.test", "::1")


def test_the_password_comes_from_the_named_variable(pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a password field the environment variable is asked."""
    monkeypatch.setenv("SALES_PASSWORD", pair[0].password)
    target = PostgreSQL(port=pair[0].port, password_env="SALES_PASSWORD")
    with target.capability(Postgres).connect() as connection:
        assert connection.execute("select 1").fetchone() == (1,)
