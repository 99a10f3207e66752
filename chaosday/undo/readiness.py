"""What a watchdog has ready before it is needed: the programs of faults and targets, and targets that were reached."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, cast

from chaosday import registry
from chaosday.model.lease import LeaseHolder
from chaosday.model.target import Target
from chaosday.undo.undoing import Attempt


class Readiness:
    """Targets by the names that faults use, each as soon as it was reached; none whose secrets are not known here."""

    def __init__(self) -> None:
        self.targets: dict[str, Target] = {}
        self._begun: set[str] = set()

    def prepare(self, fault: str, name: str, target: Mapping[str, Any]) -> None:
        """Begin, beside whatever else is done; a target that cannot be reached is none that holds us up."""
        if name not in self._begun:
            self._begun.add(name)
            threading.Thread(target=self._prepared, args=(fault, name, target), daemon=True).start()

    def _prepared(self, fault: str, name: str, fields: Mapping[str, Any]) -> None:
        with Attempt("preparing"):
            registry.member("faults", fault)
            target = cast(Target, registry.member("targets", str(fields["kind"])).model_validate(fields))
            # Asking for its leases goes the very way that ending one goes.
            target.capability(LeaseHolder).leases()
            self.targets[name] = target
