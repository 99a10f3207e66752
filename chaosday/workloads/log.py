"""Log: messages are sent to the partitions of a topic and polled from them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from chaosday.clients.asking import FAILED, Asker, Asking, run_askers
from chaosday.clients.store_workload import StoreWorkload
from chaosday.model.target import Target
from chaosday.model.workload import Stop

LAST_POLLS_S = 45.0
"""Less than a driver is given to end: what was reached has to be written down."""
ENDS = "debug-topic-partitions"


class Log(StoreWorkload):
    """Each client sends numbers of its own, none twice, to random partitions, and polls all of them or those that its
    group gives it; when all have ended one more reads everything there is (Jepsen's ``kafka`` workload)."""

    kind: Literal["log"] = "log"

    partitions: int = Field(default=2, ge=1, le=64)
    """How many partitions the topic has."""
    replication: int = Field(default=0, ge=0, le=9)
    """How many copies of each there are; 0 is as many as there are brokers, three at most."""
    consumers: Literal["assign", "subscribe"] = "assign"
    """Whether each client reads every partition, or all clients are one group that shares them."""
    send_share: float = Field(default=0.6, ge=0, le=1)
    """The share of operations that send; the others poll."""
    transactions: bool = False
    """Whether operations are transactions of one to four sends and polls."""

    def prepare(self, target: Target) -> None:
        self.store_of(target).make(self.space, self._told())

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        asking = self.asking(target, directory, seed)
        # By process: a session that follows another is then the one that aborts what that had left open.
        options = {"transactional_id": list(range(asking.clients + 1)), **asking.options}
        asking = Asking(**{**vars(asking), "options": {**options, "transactional": self.transactions}})
        run_askers(asking, stop, self._step_for)
        self._read_everything(asking)

    def store_of(self, target: Target) -> Any:
        """The target's store."""
        from chaosday.model.store import Store

        return target.capability(Store)

    def _told(self) -> dict[str, Any]:
        copies = {"replication": self.replication} if self.replication else {}
        return {"partitions": self.partitions, **copies, **self.options}

    def _step_for(self, asker: Asker) -> Callable[[Asker], None]:
        message, placed = asker.process, False
        keys = list(range(self.partitions))

        def mop() -> list[Any]:
            nonlocal message
            if asker.reads_only or asker.rng.random() >= self.send_share:
                return ["poll"]
            message += self.clients
            return ["send", int(asker.rng.integers(self.partitions)), message]

        def step(asker: Asker) -> None:
            nonlocal placed
            if not placed:
                placed = asker.attempt(self.consumers, None, keys)[0]
                return
            mops = [mop() for _ in range(int(asker.rng.integers(1, 5)) if self.transactions else 1)]
            f = "txn" if self.transactions else str(mops[0][0])
            # After an answer that nobody got the session is another, which has to be given its partitions again.
            placed = asker.attempt(f, None, mops)[0]

        return step

    def _read_everything(self, asking: Asking) -> None:
        """One client more polls every partition from its beginning to its end; what it says is written down too."""
        asker = Asker(asking, asking.clients, threading.Event())
        keys = list(range(self.partitions))
        # However this ends, also by a kill: until somebody says that the end was reached, it was not.
        asker.recorder.end(asker.recorder.invoke(ENDS, None, keys), FAILED, None, "the last reads have not begun")
        until = time.monotonic() + LAST_POLLS_S
        placed = False
        while time.monotonic() < until:
            if not asker.connected():
                time.sleep(0.1)
                continue
            if not placed:
                placed = asker.attempt("assign", None, keys)[0]
                continue
            placed, _ = asker.attempt("poll", None, [["poll"]])
            if not placed:
                continue
            placed, reached = asker.attempt(ENDS, None, keys)
            if placed and all(reached.values()):
                break
        asker.disconnect()
