"""Torn windows: moments of an undisturbed run at which a reader finds an output neither as it was nor as it will be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.servers.copies import Copies

_PATIENCE = "set lock_timeout = '200ms'; set statement_timeout = '20s'"
"""A reader who has to wait for a lock sees nothing torn; and nothing goes on while we look."""
_AT_MOST_S = 20.0
"""How long all looks together may take: a large output is not read after every one of a thousand commits."""

Digests = dict[str, tuple[int, str]]


@dataclass
class Windows:
    """Looks at the outputs when it is made, and after every ask that left something; each time as a new reader."""

    copies: Copies
    value: PipelineDrill
    seen: list[tuple[str, Digests]] = field(default_factory=list)
    left_out: int = 0
    """After how many asks nobody looked."""
    before: Digests = field(init=False)
    _took_s: float = 0

    def __post_init__(self) -> None:
        self.before = self._look()

    def committed(self, text: str) -> None:
        """The server has done an ask that left something."""
        import psycopg

        if self._took_s > _AT_MOST_S:
            self.left_out += 1
            return
        began = time.monotonic()
        try:
            self.seen.append((text, self._look()))
        except psycopg.OperationalError:
            self.left_out += 1
        self._took_s += time.monotonic() - began

    def torn(self, after: Digests) -> dict[str, list[str]]:
        """By output, the asks after which it was neither as before nor as ``after``, in order."""
        found: dict[str, list[str]] = {}
        for text, digests in self.seen:
            for name, end in after.items():
                if digests.get(name) not in (self.before.get(name), end):
                    found.setdefault(name, []).append(text)
        return found

    def _look(self) -> Digests:
        comparator = Comparator(self.copies, self.value)
        try:
            for store in self.value.stores:
                comparator.connection(store, "").execute(_PATIENCE)
            return {name: comparator.digest("", table) for name, table in comparator.outputs("").items()}
        finally:
            # Nobody of ours may be connected when the server is asked whether it is alone.
            comparator.close()
