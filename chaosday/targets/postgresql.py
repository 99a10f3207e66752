"""A PostgreSQL database, reached with libpq's own rules for passwords and TLS."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, SecretStr, model_validator

from chaosday.data.connections.address import SECRET_OPTIONS
from chaosday.errors import AccessDenied, TargetUnreachable
from chaosday.model.lease import LeaseHolder
from chaosday.model.sql import Sql
from chaosday.model.store import Store
from chaosday.model.target import Postgres, Route, ServerFiles, Target
from chaosday.model.tls import Tls, known_by, tls_trouble
from chaosday.model.variable import Variable
from chaosday.processes.limits.within import GARBLED
from chaosday.stores.postgresql import PostgreSQLStore, database
from chaosday.undo.table_leases import TableLeases

# https://www.postgresql.org/docs/18/errcodes-appendix.html: class 28 is invalid authorization,
# 3D000 a database that does not exist, 42501 a privilege that is missing.
DENIED = ("28", "3D", "42501")
REACH_S = 10.0


class PostgreSQL(Target):
    """A PostgreSQL server and database. The password comes from ``password``, else from the variable
    named by ``password_env``, else from libpq's own places (``~/.pgpass``, a service file); ``url`` takes none."""

    kind: Literal["postgresql"] = "postgresql"
    offers_with: ClassVar[Mapping[type[Any], str]] = {ServerFiles: "data_directory"}
    host: str = "127.0.0.1"
    port: int = Field(default=5432, ge=1, le=65535)
    user: str = "postgres"
    database: str = "postgres"
    password: SecretStr | None = None
    password_env: Variable = "PGPASSWORD"
    sslmode: str = ""
    tls: Tls | None = Field(default=None, description="How it is reached over TLS; nothing: as sslmode says")
    via: str = ""
    """Name of a proxy_route target to connect through, instead of directly."""
    data_directory: Path | None = None
    """Where its data lies, if on this machine: needed by page checks and by rejoin."""
    bin_directory: Path | None = None
    """Where pg_amcheck, pg_checksums, pg_rewind are, if not on the PATH."""

    @model_validator(mode="before")
    @classmethod
    def _from_url(cls, data: Any) -> Any:
        """``url: postgresql://user@host:port/database?sslmode=...`` stands for the single fields."""
        if not isinstance(data, dict) or "url" not in data:
            return data
        fields = dict(data)
        try:
            parts = urlsplit(str(fields.pop("url")))
        except ValueError:
            # The words of the standard library repeat the address.
            raise ValueError("url cannot be read as an address: quote what is special in it") from None
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError("url has to begin with postgresql://")
        try:
            port = parts.port
        except ValueError:
            raise ValueError("the port in url is not a number up to 65535") from None
        query = parse_qs(parts.query, keep_blank_values=True)
        if unknown := sorted(query.keys() - {"sslmode"} - SECRET_OPTIONS):
            raise ValueError(
                f"url has {', '.join(unknown)}, which a target does not follow there; see its fields and tls"
            )
        if parts.password or SECRET_OPTIONS & query.keys():
            raise ValueError(
                "leave the password out of url, which is copied and shown as addresses are: it is taken from the "
                "variable that password_env names, from ~/.pgpass, or from a block"
            )
        found: dict[str, Any] = {
            "host": parts.hostname,
            "port": port,
            "user": unquote(parts.username) if parts.username else None,
            "database": unquote(parts.path.lstrip("/")) or None,
            "sslmode": query.get("sslmode", [None])[0],
        }
        return {name: value for name, value in found.items() if value is not None} | fields

    def capabilities(self) -> Mapping[type[Any], Any]:
        offered: dict[type[Any], Any] = {
            Postgres: self,
            Sql: database(self),
            Store: PostgreSQLStore(self),
            LeaseHolder: TableLeases(self),
        }
        return offered | {ServerFiles: self} if self.data_directory else offered

    def on_port(self, port: int) -> Self:
        """Another server on the same host, with the same account."""
        return self.model_copy(update={"port": port})

    def through(self, route: Target) -> PostgreSQL:
        """The same database, reached by way of a route."""
        host, port = route.capability(Route).address()
        tls = known_by(self.tls, self.host)
        return self.model_copy(update={"host": host, "port": port, "via": "", "tls": tls})

    def fences(self, affected: Sequence[str]) -> list[str]:
        return [f"postgresql {self.host}:{self.port}/{self.database}"]

    def name(self) -> str:
        """Where it is, without secrets: user@host:port/database."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"

    def secret(self) -> str | None:
        """The password, if it was given to us; None leaves it to libpq."""
        if self.password is not None:
            return self.password.get_secret_value()
        return os.environ.get(self.password_env) or None

    def libpq(self) -> dict[str, str]:
        """Host and TLS in libpq's words: for connections of ours, and for PostgreSQL's own programs."""
        options = {"host": self.host} | ({"sslmode": self.sslmode} if self.sslmode else {})
        return options | (_tls_options(self.tls, self.host) if self.tls is not None else {})

    def connect(self, *, timeout_s: float = 5, autocommit: bool = True, answer_s: float = 0) -> Any:
        """A new psycopg connection; ``TargetUnreachable`` or ``AccessDenied`` in one line without secrets."""
        import psycopg

        from chaosday.processes.limits.postgres import BoundedConnection

        options: dict[str, Any] = self.libpq()
        if (password := self.secret()) is not None:
            options["password"] = password
        try:
            connection = BoundedConnection.connect(
                port=self.port,
                user=self.user,
                dbname=self.database,
                # libpq rounds 1 up to 2 seconds: its granularity is whole seconds.
                connect_timeout=max(1, round(timeout_s)),
                autocommit=autocommit,
                application_name="chaosday",
                **options,
            )
        # A server that is none makes libpq and psycopg say what they will.
        except (psycopg.Error, *GARBLED) as error:
            # psycopg's frames hold the error, and the socket: without them both go now, and not some time.
            raise self._explained(error.with_traceback(None)) from None
        connection.answer_s = answer_s
        return connection

    def reach(self) -> str:
        import psycopg

        with self.connect(answer_s=REACH_S) as connection:
            try:
                version, standby = connection.execute(
                    "select current_setting('server_version'), pg_is_in_recovery()"
                ).fetchone()
            except psycopg.Error as error:
                raise self._explained(error) from None
        return f"PostgreSQL {version}, {'standby' if standby else 'primary'}, as {self.name()}"

    def _explained(self, error: Exception) -> TargetUnreachable | AccessDenied:
        # A connection error carries no SQLSTATE in psycopg: the words are all there is.
        words = " ".join(str(error).split())
        if why := tls_trouble(error, self.tls):
            return TargetUnreachable(f"{self.name()} does not answer: {why}")
        if self.tls is None and "no encryption" in words:
            return AccessDenied(f"{self.name()} refuses us without TLS (pg_hba.conf): set tls")
        state = getattr(error, "sqlstate", None) or ""
        denials = ("authentication failed", "no password supplied", "does not exist", "not permitted", "pg_hba.conf")
        if state.startswith(DENIED) or any(denial in words for denial in denials):
            why = next((denial for denial in denials if denial in words), "permission denied")
            if "does not exist" in words:
                why = words.rsplit("FATAL:", 1)[-1].strip()
            return AccessDenied(f"{self.name()} refuses us: {why}; check user, password and database")
        return TargetUnreachable(f"{self.name()} does not answer: {_reason(words)}")


def _tls_options(tls: Tls, host: str) -> dict[str, str]:
    """The same in libpq's words; it takes the name to verify for the host, and the address beside it."""
    tls.context()  # what cannot be read is said by its field
    files = {
        "sslrootcert": tls.ca_file or "system",
        "sslcert": tls.certificate_file,
        "sslkey": tls.key_file or tls.certificate_file,
    }
    options = {"sslmode": "verify-full"} | {name: path for name, path in files.items() if path}
    if tls.server_name and not host.startswith("/"):
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except OSError:
            raise TargetUnreachable(f"{host} is no host that is known here") from None
        # libpq tries one after the other, as it does with a name's; each wants the name beside it.
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        options |= {"host": ",".join([tls.server_name] * len(addresses)), "hostaddr": ",".join(addresses)}
    return options


def _reason(words: str) -> str:
    for known in ("Connection refused", "timeout expired", "server closed the connection", "could not translate host"):
        if known.lower() in words.lower():
            return known.lower()
    return words.rsplit(":", 1)[-1].strip()[:200] or "no reason given"
