"""Set: elements are added, and all of them are read in the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from chaosday.clients.asking import Asker, last_word, run_askers
from chaosday.clients.store_workload import StoreWorkload
from chaosday.model.target import Target
from chaosday.model.workload import Stop


class Set(StoreWorkload):
    """Each client adds numbers of its own, none twice; when all have ended the whole set is read (Jepsen's ``set``)."""

    kind: Literal["set"] = "set"

    def run(self, target: Target, directory: Path, stop: Stop, seed: int) -> None:
        asking = self.asking(target, directory, seed)
        run_askers(asking, stop, self._step_for)
        last_word(asking, "read")

    def _step_for(self, asker: Asker) -> Callable[[Asker], None]:
        next_element = asker.process

        def step(asker: Asker) -> None:
            nonlocal next_element
            asker.attempt("add", None, next_element)
            next_element += self.clients

        return step
