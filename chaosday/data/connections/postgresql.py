"""A read-only session of PostgreSQL, whose TLS is what was asked for and whose waits have an end."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaosday.data.connections.address import Address
from chaosday.data.connections.waiting import CONNECT_S, Patience, Waiting
from chaosday.errors import AccessDenied, ChaosdayError, TargetUnreachable, UsageError

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir")
_ENCRYPTED = ("require", "verify-ca", "verify-full")
_DENIED = re.compile(
    r"authentication failed|permission denied|no pg_hba\.conf entry|no password supplied", re.IGNORECASE
)
_DOING = b"""
select coalesce((select 'a lock on ' || coalesce(c.relname, l.locktype) from pg_locks l
                 left join pg_class c on c.oid = l.relation where l.pid = %(pid)s and not l.granted limit 1),
                'a lock'),
       (select string_agg(format('process %%s (%%s, %%s)', p, coalesce(b.usename, '?'), coalesce(b.state, '?')), ', ')
        from unnest(pg_blocking_pids(%(pid)s)) p left join pg_stat_activity b on b.pid = p)
where cardinality(pg_blocking_pids(%(pid)s)) > 0"""


class Session:
    """One connection that can only read; errors of the server are ours, in one line without the statement."""

    def __init__(self, url: str, label: str, patience: Patience | None = None) -> None:
        self.label = label
        self.patience = patience or Patience()
        self._url = url
        self._waiting: Waiting | None = None
        self.connection = connected(url, label)
        self._pid = self.connection.info.backend_pid
        self._waiting = Waiting(label, self._doing, self._cut, self.patience)
        try:
            with self.errors():
                self.connection.execute(b"set session characteristics as transaction read only")
                milliseconds = max(1, int(self.patience.lock_timeout_s * 1000))
                self.connection.execute(b"select set_config('lock_timeout', %s, false)", (f"{milliseconds}ms",))
        except ChaosdayError:
            self.close()
            raise

    def close(self) -> None:
        """End the session."""
        if self._waiting:
            self._waiting.close()
        self.connection.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Inside, the server is waited for with an end, and its errors are explained."""
        import psycopg

        waited = self._waiting.statement() if self._waiting else contextlib.nullcontext()
        try:
            with waited:
                yield
        except psycopg.errors.LockNotAvailable:
            raise TargetUnreachable(
                f"the {self.label} side is locked by somebody else: given up after {self.patience.lock_timeout_s:g} s; "
                "end the lock's holder, or wait longer with --lock-timeout"
            ) from None
        except psycopg.Error as error:
            if self._waiting and self._waiting.silent:
                raise self._waiting.explained() from None
            raise explained(error, self.label) from None

    def heard(self) -> None:
        """Something came from the server."""
        if self._waiting:
            self._waiting.heard()

    def single(self, query: str) -> None:
        """Refuse what is not one statement that stands by itself.

        Sent as text, PostgreSQL runs every statement in it: ``select 1) t; commit; drop table t; --`` closes
        our parenthesis. Parsed for a prepared statement it has to be one, and whole.
        """
        with self.errors():
            from psycopg import pq

            found = self.connection.pgconn.prepare(b"", query.encode())
            if found.status != pq.ExecStatus.COMMAND_OK:
                said = found.error_message.decode(errors="replace")
                raise UsageError(f"the {self.label} side cannot be read as asked: {_first(said)}")

    def _cut(self) -> None:
        # Closed under libpq its descriptor could be somebody else's next moment; shut down, it reads as ended.
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.connection.fileno())) as same:
            same.shutdown(socket.SHUT_RDWR)

    def _doing(self) -> str:
        """What our session waits for; nothing where it works. Any refusal is an answer, too: the server lives."""
        import psycopg

        try:
            with connected(self._url, self.label) as other:
                row = other.execute(_DOING, {"pid": self._pid}).fetchone()
        except (AccessDenied, UsageError):
            return ""
        except psycopg.Error as error:
            raise explained(error, self.label) from None
        return f"{row[0]}, held by {row[1]}" if row else ""


def connected(url: str, label: str) -> Connection:
    """A connection that the server has accepted, encrypted where that was asked for."""
    import psycopg

    _checked_tls(Address.parse(url).options, label)
    try:
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_S, application_name="chaosday", prepare_threshold=None
        )
    except psycopg.ProgrammingError:
        raise UsageError(f"the {label} side's URL cannot be read by PostgreSQL's client") from None
    except psycopg.Error as error:
        raise explained(error, label) from None
    # A service file or the environment may have asked for more than the URL.
    asked = {option.keyword.decode(): (option.val or b"").decode() for option in connection.pgconn.info}
    try:
        _checked_tls(asked, label)
        if asked.get("sslmode") in _ENCRYPTED and not connection.pgconn.ssl_in_use:
            raise UsageError(f"the {label} side is reached by a unix socket, which knows no TLS: leave sslmode out")
    except UsageError:
        connection.close()
        raise
    return connection


def _checked_tls(options: Mapping[str, str], label: str) -> None:
    """Refuse what libpq would leave out without a word.

    Below verify-ca it takes no notice of a root certificate that is not there, and with ``prefer`` it goes on
    without TLS where the server has none.
    """
    named = [name for name in _FILES if options.get(name)]
    for name in named:
        path = Path(options[name]).expanduser()
        if not path.exists() and not (name == "sslrootcert" and options[name] == "system"):
            raise UsageError(f"the {label} side's {name} names no file")
    mode = options.get("sslmode") or ("require" if options.get("ssl") == "true" else "prefer")
    if named and mode not in _ENCRYPTED:
        raise UsageError(
            f"the {label} side's {named[0]} is of no effect with sslmode={mode}: write sslmode=verify-full"
        )


def explained(error: psycopg.Error, label: str) -> ChaosdayError:
    """A database error as one line of ours, without the statement that caused it."""
    from psycopg import errors

    said = _first(str(error)) or type(error).__name__
    if isinstance(error, (errors.InsufficientPrivilege, errors.InvalidAuthorizationSpecification)) or _DENIED.search(
        str(error)
    ):
        remedy = "grant CONNECT and SELECT to this user"
        if "row-level security" in said:
            remedy = "it would hide rows from us: use a role with BYPASSRLS, or the table's owner"
        return AccessDenied(f"the {label} side refused us: {said}; {remedy}")
    if isinstance(error, errors.ReadOnlySqlTransaction):
        return UsageError(f"the {label} side's query writes, and a check only reads: {said}")
    wrong = isinstance(error, (errors.ProgrammingError, errors.DataError, errors.NotSupportedError))
    if wrong or re.search(r"invalid \w+ value", said):
        return UsageError(f"the {label} side cannot be read as asked: {said}")
    return TargetUnreachable(f"the {label} side gave no answer: {said}; check that it is up and let it finish")


def _first(said: str) -> str:
    line = next((line for line in said.splitlines() if line.strip()), "")
    return line.split("LINE ")[0].removeprefix("ERROR:").strip()
