"""What pg_amcheck prints when it finds damage, added to what it printed."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from chaosday.model.corruption import Corruption, NotApplicable, Planted
from chaosday.model.evidence import Evidence


class AmcheckReport(Corruption):
    """Adds one report for each of ``size`` blocks, in the tool's own form, with its exit code.

    This shows that a report would be read, not that pg_amcheck would have made one: for that, see what
    it is blind to.
    """

    kind: Literal["amcheck_report"] = "amcheck_report"
    observation: str = Field(default="amcheck", description="Name of the tool's saved output")

    stores: ClassVar[tuple[str, ...]] = ("amcheck",)

    def plant(self, evidence: Evidence, size: int, rng: np.random.Generator) -> Planted:
        if not evidence.has(f"observations/{self.observation}"):
            raise NotApplicable("pg_amcheck was not run")
        said = evidence.observation(self.observation)
        if not isinstance(said, dict) or "lines" not in said:
            raise NotApplicable(f"observation {self.observation} is not the saved output of pg_amcheck")
        relation = f"postgres.chaosday.ledger_{int(rng.integers(1 << 30))}"
        blocks = [int(block) for block in rng.choice(1_000_000, size, replace=False)]
        lines = [*said["lines"]]
        for block in blocks:
            lines.append(f'heap table "{relation}", block {block}, offset {int(rng.integers(1, 200))}:')
            lines.append("    line pointer to page offset 8190 with length 60 ends beyond maximum page offset 8192")
        damaged = said | {"lines": lines, "exit_code": 2}
        keys: frozenset[int | str] = frozenset(f"{relation} block {block}" for block in blocks)
        return Planted(evidence.replaced(observations={self.observation: damaged}), keys)
