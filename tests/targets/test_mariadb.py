"""Where a MariaDB target's password comes from, when the experiment does not say."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from chaosday.targets.mariadb import MariaDB


@pytest.mark.parametrize(
    ("field", "variable", "file", "used"),
    [
        ("field", "variable", "file", "field"),
        ("", "variable", "file", "variable"),
        ("", "", "file", "file"),
        ("", "", "'fi le'", "fi le"),
        ("", "", "", ""),
    ],
)
def test_the_nearest_password_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, variable: str, file: str, used: str
) -> None:
    """The field, the variable, the option file of MySQL's own clients, in this order."""
    pymysql = pytest.importorskip("pymysql")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MYSQL_PWD", variable)
    if file:
        (tmp_path / ".my.cnf").write_text(f"[client]\nssl-future = 1\npassword = {file}\n[mysqld]\npassword = no\n")
    # A server that says nothing: what it would be told is looked at before it is.
    monkeypatch.setattr(pymysql.connections.Connection, "connect", lambda self, wire: wire.close())
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        connection = MariaDB(port=port, password=SecretStr(field) if field else None).connect(5)
    assert connection.password == used.encode()
