"""A MariaDB or MySQL database."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, SecretStr

from chaosday.clients.answering import answering
from chaosday.data.connections.mysql_options import password_kept
from chaosday.errors import AccessDenied, CapabilityMissing, TargetUnreachable
from chaosday.model.store import Store
from chaosday.model.target import Target
from chaosday.processes.limits.sockets import BoundedSocket
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.mariadb import MariaDBStore

DENIED = (1044, 1045, 1049, 1142, 1227)


class MariaDB(Target):
    """A server and a database on it. The password comes from ``password``, else from the variable named by
    ``password_env``, else from ``~/.my.cnf``."""

    kind: Literal["mariadb"] = "mariadb"
    host: str = "127.0.0.1"
    port: int = Field(default=3306, ge=1, le=65535)
    user: str = "root"
    database: str = "test"
    password: SecretStr | None = None
    password_env: str = "MYSQL_PWD"

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Store."""
        return {Store: MariaDBStore(self.connect, self._where())}

    def reach(self) -> str:
        """Ask it for its version."""
        connection = self.connect(5)
        import pymysql

        try:
            with answering(self._where(), pymysql.Error, OSError), connection.cursor() as cursor:
                cursor.execute("select version(), @@hostname, @@port")
                version, _, port = cursor.fetchone()
            return f"MariaDB {version}, as {self.user}@{self.host}:{port}/{self.database}"
        finally:
            connection.close()

    def _where(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"

    def connect(self, timeout_s: float, port: int | None = None) -> Any:
        """A new connection in autocommit mode; errors are ours, in one line, without secrets."""
        try:
            import pymysql
        except ImportError:
            raise CapabilityMissing("MariaDB needs PyMySQL: pip install 'chaosday[databases]'") from None
        given = self.password.get_secret_value() if self.password else os.environ.get(self.password_env, "")
        secret = given or password_kept()
        try:
            connection = pymysql.connect(
                host=self.host, port=port or self.port, user=self.user, password=secret, database=self.database,
                read_timeout=timeout_s, write_timeout=timeout_s, autocommit=True, defer_connect=True,
            )  # fmt: skip
            wire = socket.create_connection((self.host, port or self.port), timeout_s)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            # The library's time-outs are for each piece of an answer.
            connection.connect(BoundedSocket.around(wire, timeout_s))
            return connection
        except (pymysql.Error, OSError, *GARBLED) as error:
            code = error.args[0] if error.args else 0
            where = self._where()
            if code in DENIED:
                raise AccessDenied(f"{where} refuses us (error {code})") from None
            raise TargetUnreachable(f"{where} does not answer (error {code})") from None
