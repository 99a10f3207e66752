"""Queue: messages go in, and all of them are taken out in the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from chaosday.clients.asking import Asker, last_word, run_askers
from chaosday.clients.store_workload import StoreWorkload
from chaosday.model.target import Target
from chaosday.model.workload import Stop


class Queue(StoreWorkload):
    """Each client enqueues numbers of its own, none twice; when all have ended the queue is drained
    (Jepsen's ``total-queue``)."""

    kind: Literal["queue"] = "queue"

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        asking = self.asking(target, directory, seed)
        run_askers(asking, stop, self._step_for)
        last_word(asking, "drain")

    def _step_for(self, asker: Asker) -> Callable[[Asker], None]:
        message = asker.process

        def step(asker: Asker) -> None:
            nonlocal message
            asker.attempt("enqueue", None, message)
            message += self.clients

        return step
