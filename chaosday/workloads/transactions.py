"""Transactions: several reads and writes done together, at a stated isolation level."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from chaosday.clients.asking import Asker, run_askers
from chaosday.clients.store_workload import StoreWorkload
from chaosday.model.target import Target
from chaosday.model.workload import Stop

Style = Literal["list-append", "read-append", "rw-register", "long-fork"]


class Transactions(StoreWorkload):
    """What Elle judges. A value is never written twice, so that a read names the transaction it saw.

    ``list-append``: one to ``most`` reads and appends of a few lists that make place for new ones as they fill.
    ``read-append``: read a list and append to the same one: two that read the same state show a lost update.
    ``rw-register``: the same as list-append with registers. ``long-fork``: single writes of keys that are
    written once, and reads of a group of two (Jepsen's ``long-fork``).
    """

    kind: Literal["transactions"] = "transactions"
    style: Style = "list-append"
    key_count: int = Field(default=4, ge=1, le=1000)
    """How many are in use at a time."""
    writes_a_key: int = Field(default=40, ge=1)
    """After about so many of its own writes a client moves on to the next key."""
    most: int = Field(default=4, ge=1, le=20)

    group_ms: int = Field(default=25, ge=1, le=10_000)
    """How long a group of a long-fork is being written."""

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        steps: dict[Style, Callable[[Asker], Callable[[Asker], None]]] = {
            "list-append": self._mixed,
            "rw-register": self._mixed,
            "read-append": self._read_append,
            "long-fork": self._long_fork,
        }
        run_askers(self.asking(target, directory, seed), stop, steps[self.style])

    def _values(self, asker: Asker) -> itertools.count[int]:
        return itertools.count(asker.process + 1, self.clients)

    def _mixed(self, asker: Asker) -> Callable[[Asker], None]:
        values, first, wrote = self._values(asker), 0, 0
        write = "w" if self.style == "rw-register" else "append"

        def step(asker: Asker) -> None:
            nonlocal first, wrote
            mops: list[list[Any]] = []
            for _ in range(int(asker.rng.integers(1, self.most + 1))):
                key = first + int(asker.rng.integers(self.key_count))
                reads = asker.reads_only or asker.rng.random() < 0.5
                mops.append(["r", key, None] if reads else [write, key, next(values)])
            asker.attempt("txn", None, mops)
            wrote += sum(mop[0] == write for mop in mops)
            if wrote >= self.writes_a_key:
                first, wrote = first + 1, 0

        return step

    def _read_append(self, asker: Asker) -> Callable[[Asker], None]:
        values, first, wrote = self._values(asker), 0, 0

        def step(asker: Asker) -> None:
            nonlocal first, wrote
            key = first + int(asker.rng.integers(self.key_count))
            mops: list[list[Any]] = [["r", key, None]]
            if not asker.reads_only:
                mops.append(["append", key, next(values)])
            asker.attempt("txn", None, mops)
            wrote += 1
            if wrote >= self.writes_a_key:
                first, wrote = first + 1, 0

        return step

    def _long_fork(self, asker: Asker) -> Callable[[Asker], None]:
        """Pairs of clients that write share a group for ``group_ms``: one writes its first key, the other its second,
        at the same time. Readers ask for the groups that are being written."""
        pair, place = divmod(asker.process, 2)
        pairs = max((self.clients - self.readers) // 2, 1)
        length_s, last = self.group_ms / 1000, -1

        def step(asker: Asker) -> None:
            nonlocal last
            turn = int(time.monotonic() / length_s)
            if asker.reads_only:
                group = turn * pairs + int(asker.rng.integers(pairs))
                asker.attempt("txn", None, [["r", 2 * group, None], ["r", 2 * group + 1, None]])
                return
            if turn == last:
                time.sleep(max(0.0, (turn + 1) * length_s - time.monotonic()))
                turn += 1
            last = turn
            asker.attempt("txn", None, [["w", 2 * (turn * pairs + pair) + place, 1]])

        return step
