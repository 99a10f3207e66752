"""The durability ledger: every acknowledged write is there, and nothing else is."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from chaosday.clients.ledger import is_ledger, operations
from chaosday.clients.ledger_comparison import compare
from chaosday.errors import EvidenceMissing, MalformedInput
from chaosday.model.check import Check
from chaosday.model.evidence import Evidence
from chaosday.model.finding import KEYS_SHOWN, Finding, judged
from chaosday.statistics import loss_upper_bound


class LedgerCheck(Check):
    """Compares what the store acknowledged with what it holds after the fault.

    Set algebra over attempts and rows, as in Jepsen's set-full and total-queue checkers, with
    versions, checksums and insertion order added. What proves nothing is never counted: an unknown
    operation may be there or not (``recovered`` where it is), and order is judged only where one
    insert was acknowledged before another one began.
    """

    kind: Literal["ledger"] = "ledger"
    store: str = Field(default="survivor", description="Name of the rows that were read back")
    as_of: str = Field(default="", description="Station of a failover drill at which they were; empty: at the end")

    needs: ClassVar[tuple[str, ...]] = ("history", "rows")
    blind_to: ClassVar[tuple[str, ...]] = (
        "damage to tables other than the ledger's own",
        "writes that the store never acknowledged",
        "older values that were shown during the run and are right again at its end",
    )

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the rows called ``store`` by the history; nothing acknowledged is inconclusive."""
        history = evidence.history()
        if self.as_of:
            # What ended after that moment may be in the rows, and need not.
            history = history.as_of(cut_of(evidence.observation("failover"), self.as_of))
        table = evidence.rows(self.store)
        if not is_ledger(table):
            raise MalformedInput(f"rows/{self.store} lacks ledger columns; it has {', '.join(table.column_names)}")
        compared = compare(table, history)

        owed = compared.owed
        return judged(
            self.kind,
            examined=len(operations(history)) if owed else 0,
            anomalies=compared.anomalies,
            unsure=[] if owed else ["no write was acknowledged, so none can have been lost"],
            blind_to=list(self.blind_to),
            result={
                **operations(history).counts(),
                "store": self.store,
                "rows": table.num_rows,
                "acknowledged_rows": owed,
                "recovered": len(compared.recovered),
                "recovered_keys": compared.recovered[:KEYS_SHOWN].tolist(),
                "loss_upper_bound_95": loss_upper_bound(compared.missed, owed),
            },
        )


def cut_of(said: Any, station: str) -> int:
    """When the rows of a failover drill's station began to be read, in nanoseconds of the history's clock."""
    stations = said.get("stations") if isinstance(said, dict) else None
    for each in stations or []:
        if isinstance(each, dict) and each.get("name") == station and isinstance(each.get("cut_ns"), int):
            return int(each["cut_ns"])
    raise EvidenceMissing(f"the drill did not come to its station {station}")
