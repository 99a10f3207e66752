"""A store in memory that is right, and wrong in exactly one way where a switch says so."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from chaosday.model.store import NoEffect, Options, Session

SHARE = 0.05
"""Of the operations that a switch can spoil, so many it does."""
WAIT_S = 0.002
"""How long a transaction that is not alone leaves others time to get in between."""


class Broken:
    """Registers, a set, a queue and lists. Operations are done one at a time, and transactions as a whole."""

    def __init__(self, switch: str = "", seed: int = 1) -> None:
        self.switch = switch
        self._dice = random.Random(seed)
        self._lock = threading.RLock()
        self._written: dict[int, list[int]] = {}
        self._set: list[int] = []
        self._queue: list[int] = []
        self._lists: dict[int, list[int]] = {}
        self._old: dict[int, list[int]] = {}

    def ask(self, f: str, key: Any, value: Any) -> Any:
        """One operation."""
        if f == "txn":
            return self._transaction(value)
        acts: dict[str, Callable[[Any, Any], Any]] = {
            "read": self._read, "write": self._write, "add": self._add,
            "enqueue": self._enqueue, "drain": self._drain,
        }  # fmt: skip
        with self._lock:
            return acts[f](key, value)

    def make(self, space: str, options: Options) -> None:
        """It is there."""

    def session(self, space: str, timeout_s: float, options: Options) -> Session:
        """All of them are the store itself."""
        return self

    def close(self) -> None:
        """Nothing is open."""

    def drop(self, space: str) -> None:
        """It goes with its server."""

    def _spoils(self, switch: str) -> bool:
        return self.switch == switch and self._dice.random() < SHARE

    def _write(self, key: Any, value: Any) -> None:
        written = self._written.setdefault(key, [])
        written.append(value)
        if self._spoils("resurrected_value") and len(written) > 3:
            written.append(written[-4])

    def _read(self, key: Any, _: Any) -> Any:
        if key is None:
            return [*self._set, *([10**9] if self.switch == "forged_element" else [])]
        written = self._written.get(key, [])
        if self._spoils("stale_read") and len(written) > 3:
            return written[-4]
        if self._spoils("torn_value") and written:
            return written[-1] ^ (1 << 30)
        return written[-1] if written else None

    def _add(self, _: Any, value: Any) -> None:
        if not self._spoils("lost_write"):
            self._set.append(value)

    def _enqueue(self, _: Any, value: Any) -> None:
        if not self._spoils("lost_message"):
            self._queue.append(value)

    def _drain(self, _: Any, __: Any) -> list[int]:
        found, self._queue = self._queue, []
        return [*found, *([10**9] if self.switch == "forged_message" else [])]

    def _transaction(self, mops: list[list[Any]]) -> list[list[Any]]:
        alone: dict[str, Callable[[list[list[Any]]], list[list[Any]]]] = {
            "dirty_read": self._exposed_and_aborted,
            "intermediate_read": self._piecemeal,
            "write_skew": self._from_a_snapshot,
            "lost_update": self._from_a_snapshot,
        }
        if self.switch in alone:
            return alone[self.switch](mops)
        with self._lock:
            if self._spoils("stale_transaction") and all(mop[0] == "r" for mop in mops):
                return [["r", key, list(self._old.get(key, [])) or None] for _, key, _ in mops]
            if self._dice.random() < SHARE:
                self._old = {key: list(items) for key, items in self._lists.items()}
            return self._apply(mops, self._lists)

    def _apply(self, mops: list[list[Any]], lists: dict[int, list[int]]) -> list[list[Any]]:
        done = []
        for f, key, value in mops:
            items = lists.setdefault(key, [])
            if f == "append":
                items.append(value)
                if self._spoils("duplicate"):
                    items.append(value)
                done.append([f, key, value])
                continue
            seen = list(items)
            if self._spoils("reordered") and len(seen) > 1:
                seen[0], seen[1] = seen[1], seen[0]
            done.append([f, key, seen or None])
        return done

    def _exposed_and_aborted(self, mops: list[list[Any]]) -> list[list[Any]]:
        with self._lock:
            done = self._apply(mops, self._lists)
            if self._dice.random() > SHARE:
                return done
        time.sleep(WAIT_S)
        with self._lock:
            for f, key, value in mops:
                if f == "append" and value in self._lists[key]:
                    self._lists[key].remove(value)
        raise NoEffect("aborted")

    def _piecemeal(self, mops: list[list[Any]]) -> list[list[Any]]:
        done = []
        for mop in mops:
            with self._lock:
                done += self._apply([mop], self._lists)
            time.sleep(WAIT_S / 4)
        return done

    def _from_a_snapshot(self, mops: list[list[Any]]) -> list[list[Any]]:
        """Reads from a copy, and appends to what is there by then; write skew looks at what was written, as snapshot
        isolation does, and a lost update does not even do that."""
        touched = {key for f, key, _ in mops if f == "append"}
        with self._lock:
            copy = {key: list(items) for key, items in self._lists.items()}
        time.sleep(WAIT_S)
        with self._lock:
            if self.switch == "write_skew" and any(copy.get(key, []) != self._lists.get(key, []) for key in touched):
                raise NoEffect("somebody else wrote it")
            done = self._apply(mops, copy)
            for f, key, value in mops:
                if f == "append":
                    self._lists.setdefault(key, []).append(value)
            return done
