"""The order of each log, from what was sent and polled, and what follows from it for every message.

Jepsen, ``jepsen.tests.kafka``: offsets of sends count where the sender provably committed, those of polls always, for
a consumer must never be given what may still be taken back. Holes in the offsets (markers of transactions) are no
messages: positions are dense, and of several messages at one offset one stands for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from chaosday.model.history import FAILED, OK, UNKNOWN
from chaosday.record.logs import POLL, SEND, Ints, Logs

NONE = -1
_DENSE = 8


@dataclass(frozen=True)
class Messages:
    """Every key and value that was sent or polled, as one number: ``of`` for each entry, ``key`` and ``value`` back."""

    of: Ints
    key: Ints
    value: Ints

    def __len__(self) -> int:
        return len(self.key)

    @classmethod
    def coded(cls, logs: Logs) -> Messages:
        """Number them; entries that are neither sent nor polled have ``NONE``."""
        real = logs.f <= POLL
        key, value = logs.key[real], logs.value[real]
        home = np.full(logs.values, NONE, dtype=np.int64)
        home[value] = key
        of = np.full(len(logs.row), NONE, dtype=np.int64)
        if logs.values <= _DENSE * len(key) + 1024 and (home[value] == key).all():
            of[real] = value  # each value belongs to one key: it is its own number
            return cls(of, home, np.arange(logs.values))
        pairs, codes = np.unique(key.astype(np.int64) * logs.values + value, return_inverse=True)
        of[real] = codes
        return cls(of, pairs // max(logs.values, 1), pairs % max(logs.values, 1))


def distinct(numbers: Ints) -> Ints:
    """Sorted, each once: in a third of the time that ``np.unique`` takes for it by hashing."""
    if (numbers[1:] > numbers[:-1]).all():
        return numbers
    ordered = np.sort(numbers)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])] if len(ordered) else ordered


class Orders:
    """The logs as they were observed; ``status`` is one code a row, as in a history.

    ``place`` is a key and an offset at which some message was seen, in order; ``index`` its dense position in its log.
    ``at`` gives a message's position in the chosen order (of several the last), ``first`` and ``last`` the positions
    where it was seen at all; ``NONE`` where it was not.
    """

    def __init__(self, logs: Logs, messages: Messages, status: NDArray[np.int8]) -> None:
        self.logs, self.messages, self.status = logs, messages, status
        count = len(messages)
        self.sends = np.flatnonzero(logs.f == SEND)
        self.polls = np.flatnonzero(logs.f == POLL)
        self.sent, self.polled = messages.of[self.sends], messages.of[self.polls]
        self.writer = np.full(count, NONE, dtype=np.int64)
        self.writer[self.sent] = logs.row[self.sends]
        self.read_ok = np.zeros(count, dtype=bool)
        self.read_ok[self.polled[status[logs.row[self.polls]] == OK]] = True
        self.committed = self._committed()
        self._place()

    def _committed(self) -> NDArray[np.bool_]:
        """Rows that provably took effect: acknowledged, or unknown with a message that an answered poll saw."""
        proven = np.zeros(len(self.status), dtype=bool)
        proven[self.logs.row[self.sends][self.read_ok[self.sent]]] = True
        committed: NDArray[np.bool_] = (self.status == OK) | ((self.status == UNKNOWN) & proven)
        return committed

    def _place(self) -> None:
        logs, count = self.logs, len(self.messages)
        counts = (logs.f == POLL) | (logs.f == SEND)
        counts[self.sends] = self.committed[logs.row[self.sends]]
        seen = np.flatnonzero(counts & (logs.offset >= 0))
        span = int(logs.offset[seen].max(initial=0)) + 1
        if span > 2**62 // max(logs.keys, 1):
            offsets = distinct(logs.offset[seen])
            spot = logs.key[seen].astype(np.int64) * len(offsets) + np.searchsorted(offsets, logs.offset[seen])
        else:
            offsets, spot = None, logs.key[seen].astype(np.int64) * span + logs.offset[seen]
        places, of_seen = np.unique(spot, return_inverse=True)
        size = span if offsets is None else len(offsets)
        self.place_key = places // size
        self.place_offset = places % size if offsets is None else offsets[places % size]
        starts = np.searchsorted(self.place_key, np.arange(logs.keys + 1))
        self.starts = starts
        self.index = np.arange(len(places)) - starts[self.place_key]
        # Which messages were seen where, each once, in order of the place.
        both = distinct(of_seen.astype(np.int64) * max(count, 1) + self.messages.of[seen])
        self.pair_place, self.pair_message = both // max(count, 1), both % max(count, 1)
        self.first = self._table(self.pair_message[::-1], self.index[self.pair_place][::-1])
        self.last = self._table(self.pair_message, self.index[self.pair_place])
        new = np.diff(self.pair_place, prepend=NONE) != 0
        self.chosen = self.pair_message[new]
        self.at = self._table(self.chosen, self.index)

    def _table(self, message: Ints, value: Ints) -> Ints:
        table = np.full(len(self.messages), NONE, dtype=np.int64)
        table[message] = value
        return table

    @cached_property
    def failed(self) -> NDArray[np.bool_]:
        """Messages that an operation sent which provably failed."""
        failed = np.zeros(len(self.messages), dtype=bool)
        failed[self.sent[self.status[self.logs.row[self.sends]] == FAILED]] = True
        return failed

    def name(self, message: int) -> object:
        """A message's value, to be shown."""
        return self.logs.value_names[int(self.messages.value[message])]

    def key_name(self, key: int) -> object:
        """A key, to be shown."""
        return self.logs.key_names[int(key)]

    def between(self, key: int, low: int, high: int) -> list[object]:
        """The chosen messages of a log between two positions, the first few."""
        start = int(self.starts[key])
        return [self.name(message) for message in self.chosen[start + low + 1 : start + high][:_DENSE].tolist()]
