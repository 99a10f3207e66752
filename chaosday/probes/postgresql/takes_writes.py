"""Whether a server acknowledges writes, by a write that leaves nothing."""

from __future__ import annotations

import contextlib
import threading
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import GRACE_S, Probe, ProbeReading
from chaosday.model.target import Postgres, Target

WRITE = "select pg_logical_emit_message(true, 'chaosday', '')"
"""A record in the write-ahead log and nothing else, whose commit waits for standbys as every commit does."""


class PostgresTakesWrites(Probe):
    """Healthy where a commit was acknowledged, and not where it was refused or nobody listens.

    A commit that hangs on its standbys is no answer. It is cancelled, so that no session of ours stays there waiting;
    the server says done then, and has only a warning for it, which is no acknowledgement.
    """

    kind: Literal["postgresql.takes_writes"] = "postgresql.takes_writes"
    timeout_ms: int = Field(default=1000, ge=1)

    def read(self, target: Target) -> ProbeReading:
        import psycopg

        timeout_s, warned = self.timeout_ms / 1000, list[str]()
        try:
            with target.capability(Postgres).connect(timeout_s=timeout_s, answer_s=timeout_s + GRACE_S) as connection:
                connection.add_notice_handler(lambda said: warned.append(_words(said)))
                # No time-out of the server's ends the wait of a commit (``finish_xact_command`` in postgres.c).
                limit = threading.Timer(timeout_s, lambda: _cancel(connection))
                limit.start()
                try:
                    connection.execute(WRITE)
                finally:
                    limit.cancel()
                    limit.join()
        except psycopg.Error as error:
            # Without a state nobody has said anything. A standby has one, but no class of its own for it.
            why = " ".join(str(error).split())[:200] if error.sqlstate else "no answer"
            return self._said(False if error.sqlstate else None, f"the write failed: {why}")
        except ChaosdayError as error:
            return self._said(False if "connection refused" in str(error).lower() else None, str(error))
        return self._said(None, f"done, but {warned[0]}") if warned else self._said(True, "a write was acknowledged")

    def _said(self, healthy: bool | None, words: str) -> ProbeReading:
        return ProbeReading(probe=self.kind, healthy=healthy, words=words)


def _cancel(connection: Any) -> None:
    import psycopg

    with contextlib.suppress(psycopg.Error, OSError):
        connection.cancel()


def _words(said: Any) -> str:
    return " ".join(str(said.message_primary).split())
