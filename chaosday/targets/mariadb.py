"""A MariaDB or MySQL database."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, SecretStr

from chaosday.clients.answering import answering
from chaosday.data.connections.mysql_options import password_kept
from chaosday.errors import AccessDenied, CapabilityMissing, TargetUnreachable
from chaosday.model.lease import LeaseHolder
from chaosday.model.sql import Sql
from chaosday.model.store import Store
from chaosday.model.target import Route, Target
from chaosday.model.tls import Tls, known_by, tls_trouble
from chaosday.model.variable import Variable
from chaosday.processes.limits.sockets import BoundedSocket, bounded_tls
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.mariadb import MariaDBStore, dialect
from chaosday.stores.sql import Database
from chaosday.undo.row_leases import RowLeases

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
    password_env: Variable = "MYSQL_PWD"
    tls: Tls | None = Field(default=None, description="How it is reached over TLS; nothing: as the server offers")
    unix_socket: str = Field(default="", description="Path of its socket on this machine, in place of host and port")
    via: str = ""
    """Name of a proxy_route target to connect through, instead of directly."""

    def capabilities(self) -> Mapping[type[Any], Any]:
        """Sql, Store and LeaseHolder."""
        sql = Database(dialect, lambda timeout_s, answer_s: self.connect(timeout_s, answer_s=answer_s), self._where())
        return {Sql: sql, Store: MariaDBStore(self.connect, self._where()), LeaseHolder: RowLeases(sql)}

    def through(self, route: Target) -> Self:
        """The same database, reached by way of a route."""
        host, port = route.capability(Route).address()
        tls = known_by(self.tls, self.host)
        return self.model_copy(update={"host": host, "port": port, "via": "", "tls": tls, "unix_socket": ""})

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

    def secret(self) -> str:
        """Its password; empty where there is none."""
        given = self.password.get_secret_value() if self.password else os.environ.get(self.password_env, "")
        return given or password_kept()

    def _where(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.database}"

    def connect(self, timeout_s: float, port: int | None = None, *, answer_s: float = 0) -> Any:
        """A new connection in autocommit mode, which waits ``answer_s`` (0: ``timeout_s``) for each answer; errors are
        ours, in one line, without secrets."""
        answer_s = answer_s or timeout_s
        try:
            import pymysql
        except ImportError:
            raise CapabilityMissing("MariaDB needs PyMySQL: pip install 'chaosday[databases]'") from None
        secret = self.secret()
        try:
            # Without an authority that was named nobody's certificate can be verified: as the server offers, then.
            ways: dict[str, Any] = {"ssl": self.tls.context(bounded_tls(answer_s))} if self.tls else {}
            if self.unix_socket:
                ways = {"unix_socket": self.unix_socket}
            connection = pymysql.connect(
                host=self.host, port=port or self.port, user=self.user, password=secret, database=self.database,
                read_timeout=answer_s, write_timeout=answer_s, autocommit=True, defer_connect=True, **ways,
            )  # fmt: skip
            # The library's time-outs are for each piece of an answer.
            connection.connect(BoundedSocket.around(self._wire(timeout_s, port or self.port), answer_s))
            return connection
        except (pymysql.Error, OSError, *GARBLED) as error:
            code = error.args[0] if error.args else 0
            where = self._where()
            if code in DENIED:
                more = "; where it asks for a client's certificate, set tls.certificate_file and tls.key_file"
                bare = self.tls is None or not self.tls.certificate_file
                raise AccessDenied(
                    f"{where} refuses us (error {code}){more if bare and code == 1045 else ''}"
                ) from None
            why = tls_trouble(error, self.tls) or f"(error {code if isinstance(code, int) else type(error).__name__})"
            if code == 3159:
                why = "it takes nobody without TLS: set tls"
            raise TargetUnreachable(f"{where} does not answer: {why}") from None

    def _wire(self, timeout_s: float, port: int) -> socket.socket:
        if self.unix_socket:
            wire = socket.socket(socket.AF_UNIX)
            wire.settimeout(timeout_s)
            wire.connect(self.unix_socket)
            return wire
        wire = socket.create_connection((self.host, port), timeout_s)
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return wire
