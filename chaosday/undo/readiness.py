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
        self._begun: set[tuple[str, str]] = set()

    def prepare(self, fault: str, name: str, target: Mapping[str, Any], *, reach: bool = True) -> None:
        """Begin, beside whatever else is done; a target that cannot be reached is none that holds us up.

        A second fault on a target is loaded as well. Without ``reach`` programs are loaded and nothing else.
        """
        asked = {("faults", fault), ("targets", str(target["kind"]))} | ({("reached", name)} if reach else set())
        fresh = asked - self._begun
        self._begun |= asked
        if fresh:
            reach = ("reached", name) in fresh
            threading.Thread(target=self._prepared, args=(fault, name, target, reach), daemon=True).start()

    def _prepared(self, fault: str, name: str, fields: Mapping[str, Any], reach: bool) -> None:
        with Attempt("preparing"):
            registry.member("faults", fault)
            kind = registry.member("targets", str(fields["kind"]))
            if not reach:
                return
            target = cast(Target, kind.model_validate(fields))
            # Asking for its leases goes the very way that ending one goes.
            target.capability(LeaseHolder).leases()
            self.targets[name] = target
