"""A Store: a system that workloads ask operations of, one at a time, through its own client library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

Options = Mapping[str, Any]
"""Names and plain values; what they mean is up to the store."""


class NoEffect(Exception):
    """The operation was refused, and provably changed nothing; the message says why, in the store's words."""


class Unanswered(Exception):
    """Nobody knows whether the operation happened; the message says what was seen. The session is of no more use."""


class Session(Protocol):
    """One client's connection; one operation at a time."""

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """Do ``f`` and return its result; ``NoEffect`` or ``Unanswered`` where it was not acknowledged.

        ``f`` is one of the history's: ``read`` and ``write`` of a register by key; ``add`` to, and ``read``
        (without a key) of, a set; ``txn``, a list of ``[f, key, value]`` done together, whose result is the same
        list with what was read; ``enqueue`` to, and ``drain`` of, a queue; ``generate``, which claims an
        identifier that nobody has.
        """

    def close(self) -> None:
        """Let go of the connection; any number of times."""


@runtime_checkable
class Store(Protocol):
    """What a target offers whose clients can be asked. ``space`` keeps runs apart: a suffix of a table, a prefix."""

    def make(self, space: str, options: Options) -> None:
        """Make whatever the operations need; any number of times."""

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """A new connection; ``TargetUnreachable`` or ``AccessDenied`` in words."""

    def drop(self, space: str) -> None:
        """Take away what ``make`` made; any number of times."""
