"""Kafka-like logs keep what they acknowledged, in one order, and show nothing that was taken back."""

from __future__ import annotations

from typing import ClassVar, Literal

from chaosday.checkers.base import HistoryCheck, ResultMap, finding_of
from chaosday.checkers.kafka import check_kafka
from chaosday.model.evidence import Evidence
from chaosday.model.finding import Finding
from chaosday.model.history import History


class Kafka(HistoryCheck):
    """Sends and polls as Jepsen's kafka workload judges them.

    Named are lost-write, unseen, duplicate, inconsistent-offsets, G1a, precommitted-read, poll-skip, nonmonotonic-poll
    and nonmonotonic-send, the same within operations (``int-``), cycles (G0, G1c, with real time), and unwritten-read.
    ``int-send-skip`` and G0 are told and never a violation; poll-skip and nonmonotonic-poll are none where consumers
    subscribe, and G1c is none with ``ww_deps``.
    """

    kind: Literal["kafka"] = "kafka"
    model: ClassVar[str] = "kafka"
    asks: ClassVar[tuple[str, ...]] = (
        "send",
        "poll",
        "txn",
        "assign",
        "subscribe",
        "crash",
        "debug-topic-partitions",
    )
    blind_to: ClassVar[tuple[str, ...]] = (
        "messages behind the last one that anybody polled, if they were not acknowledged",
    )

    ww_deps: bool = False
    """Whether the order of a log says which of two transactions came first."""
    sub_via: tuple[Literal["assign", "subscribe"], ...] | None = None
    """How consumers get their keys; by default as the history shows it."""
    allow: tuple[str, ...] = ()
    """Anomalies that this system does not promise to be without, such as ``duplicate`` of a producer that is not
    idempotent."""

    def analyse(self, history: History) -> ResultMap:
        """Judge all logs together."""
        subscribed = None if self.sub_via is None else "subscribe" in self.sub_via
        return check_kafka(history, ww_deps=self.ww_deps, subscribed=subscribed, allow=self.allow)

    def judge(self, evidence: Evidence) -> Finding:
        """Judge the history of a run; what is found and allowed is no anomaly of the finding."""
        result = self.analyse(evidence.history())
        return finding_of(self.kind, result | {"anomaly-types": result["bad-error-types"]}, list(self.blind_to))
