"""Torn windows: moments of an undisturbed run at which a reader finds an output neither as it was nor as it will be."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from chaosday.drills.pipelines.comparing import Comparator
from chaosday.drills.pipelines.drill import PipelineDrill
from chaosday.servers.copies import Copies

_PATIENCE = "select set_config('lock_timeout', '200ms', false), set_config('statement_timeout', %s, false)"
"""A reader who has to wait for a lock sees nothing torn; and nothing goes on while we look."""
_AT_MOST_S = 20.0
"""How long all looks together may take: a large output is not read after every one of a thousand commits."""

Digests = dict[str, tuple[int, str]]


@dataclass
class Windows:
    """Looks at the outputs when it is made, and after every ask that left something; each time as a new reader.

    Where the first look fails, or takes too long, there is nothing to compare with: nobody looks again.
    """

    copies: Copies
    value: PipelineDrill
    seen: list[tuple[str, Digests]] = field(default_factory=list)
    left_out: int = 0
    """After how many asks nobody looked."""
    before: Digests = field(init=False)
    _took_s: float = 0
    _blind: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        before = self._look()
        self.before = before or {}
        self._blind = before is None

    def committed(self, text: str) -> None:
        """The server has done an ask that left something."""
        found = None if self._blind or self._took_s > _AT_MOST_S else self._look()
        if found is None:
            self.left_out += 1
        else:
            self.seen.append((text, found))

    def torn(self, after: Digests) -> dict[str, list[str]]:
        """By output, the asks after which it was neither as before nor as ``after``, in order."""
        found: dict[str, list[str]] = {}
        for text, digests in self.seen:
            for name, end in after.items():
                if digests.get(name) not in (self.before.get(name), end):
                    found.setdefault(name, []).append(text)
        return found

    def _look(self) -> Digests | None:
        """The outputs now; None where the server does not say: too slow, or a table has gone while we looked."""
        import psycopg

        began = time.monotonic()
        until = began + _AT_MOST_S - self._took_s
        comparator = Comparator(self.copies, self.value)
        found: Digests = {}
        try:
            for store in self.value.servers:
                self._be_patient(comparator, store, until)
            for name, table in comparator.outputs("").items():
                self._be_patient(comparator, table.store, until)
                found[name] = comparator.digest("", table)
        except psycopg.Error:
            return None
        finally:
            # Nobody of ours may be connected when the server is asked whether it is alone.
            comparator.close()
            self._took_s += time.monotonic() - began
        return found

    def _be_patient(self, comparator: Comparator, store: str, until: float) -> None:
        left_ms = max(1, int((until - time.monotonic()) * 1000))
        comparator.connection(store, "").execute(_PATIENCE, (f"{left_ms}ms",))
