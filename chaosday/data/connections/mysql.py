"""A read-only session of MySQL or MariaDB, whose TLS is what was asked for and whose waits have an end."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
from collections.abc import Iterator
from typing import Any

from chaosday.data.connections.address import Address
from chaosday.data.connections.mysql_options import Options, of_address
from chaosday.data.connections.waiting import CONNECT_S, Patience, Waiting
from chaosday.errors import AccessDenied, CapabilityMissing, ChaosdayError, TargetUnreachable, UsageError

_DENIED = {1044, 1045, 1142, 1143, 1227, 1698, 3159}
_WRONG = {1049, 1054, 1064, 1060, 1109, 1146, 1248, 1305}
_LOCKED = {1205, 3572}
_WRITES = {1792}


class Session:
    """One connection that can only read; errors of the server are ours, in one line.

    ``native``: values arrive as Python's own types, and not as the text that the server writes.
    """

    def __init__(self, url: str, label: str, patience: Patience | None = None, *, native: bool = False) -> None:
        self.label = label
        self.patience = patience or Patience()
        self._options = of_address(Address.parse(url), label)
        self._native = native
        self._waiting: Waiting | None = None
        self.connection = _connected(self._options, label, native)
        self._thread_id = int(self.connection.thread_id())
        self._waiting = Waiting(label, self._doing, self._cut, self.patience)
        try:
            seconds = max(1, round(self.patience.lock_timeout_s))
            self.ask("set session transaction read only")
            self.ask(f"set session lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}")
        except ChaosdayError:
            self.close()
            raise

    def ask(self, sql: str) -> tuple[tuple[Any, ...], ...]:
        """The rows of a statement."""
        with self.errors(), self.connection.cursor() as cursor:
            cursor.execute(sql)
            rows: tuple[tuple[Any, ...], ...] = cursor.fetchall()
            return rows

    def rows(self, sql: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a statement in batches, as they come."""
        from pymysql.cursors import SSCursor

        with self.errors(), self.connection.cursor(SSCursor) as cursor:
            cursor.execute(sql)
            while batch := cursor.fetchmany(size):
                if self._waiting:
                    self._waiting.heard()
                yield batch

    def close(self) -> None:
        """End the session."""
        import pymysql

        if self._waiting:
            self._waiting.close()
        with contextlib.suppress(pymysql.Error):
            self.connection.close()

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Inside, the server is waited for with an end, and its errors are explained."""
        import pymysql

        waited = self._waiting.statement() if self._waiting else contextlib.nullcontext()
        try:
            with waited:
                yield
        except pymysql.Error as error:
            if self._waiting and self._waiting.silent:
                raise self._waiting.explained() from None
            raise self._explained(error) from None

    def _explained(self, error: Exception) -> ChaosdayError:
        if _number(error) in _LOCKED:
            return TargetUnreachable(
                f"the {self.label} side is locked by somebody else: given up after {self.patience.lock_timeout_s:g} s; "
                "end the lock's holder, or wait longer with --lock-timeout"
            )
        return explained(error, self.label)

    def _cut(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.connection._sock.shutdown(socket.SHUT_RDWR)

    def _doing(self) -> str:
        """What our session waits for; nothing where it works. Any refusal is an answer, too: the server lives."""
        import pymysql

        try:
            other = _connected(self._options, self.label, native=True)
        except (AccessDenied, UsageError):
            return ""
        try:
            with other.cursor() as cursor:
                cursor.execute("select state from information_schema.processlist where id = %s", (self._thread_id,))
                row = cursor.fetchone()
        except pymysql.Error as error:
            raise explained(error, self.label) from None
        finally:
            with contextlib.suppress(pymysql.Error):
                other.close()
        state = str(row[0] or "") if row else ""
        return f"a lock ({state[:1].lower()}{state[1:]})" if re.search(r"waiting.*lock|locked", state, re.I) else ""


def _connected(options: Options, label: str, native: bool) -> Any:
    try:
        import pymysql
    except ImportError:
        raise CapabilityMissing("MySQL needs a driver: pip install 'chaosday[databases]'") from None
    try:
        connection = pymysql.connect(
            **options.server(),
            password=options.password.encode(),
            charset="utf8mb4",
            connect_timeout=CONNECT_S,
            # Until it has logged us in a server owes an answer; afterwards a statement may take its time.
            read_timeout=CONNECT_S,
            autocommit=True,
            ssl=options.context,
            ssl_disabled=options.without_tls,
            **({} if native else {"conv": {}}),
        )
    except pymysql.Error as error:
        raise explained(error, label) from None
    except (ValueError, IndexError, AssertionError, RuntimeError, struct.error) as error:
        # The driver takes a greeting apart as it comes: another protocol ends in any of these.
        raise TargetUnreachable(f"the {label} side does not speak MySQL's protocol: {_line(error)}") from None
    connection._read_timeout = None
    return connection


def explained(error: Exception, label: str) -> ChaosdayError:
    """A database error as one line of ours."""
    number = _number(error)
    said = _line(error.args[1] if len(error.args) > 1 else error)
    if number in _DENIED:
        return AccessDenied(f"the {label} side refused us: {said}; grant SELECT to this user")
    if number in _WRITES:
        return UsageError(f"the {label} side's query writes, and a check only reads: {said}")
    if number in _WRONG:
        return UsageError(f"the {label} side cannot be read as asked: {said}")
    return TargetUnreachable(f"the {label} side gave no answer: {said}; check that it is up")


def _number(error: Exception) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _line(said: object) -> str:
    return re.sub(r"\s+", " ", str(said))[:300]
