"""The gate of files: what a run does to its files is asked of the same gate as what it asks of its stores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chaosday.drills.pipelines.points import file_act
from chaosday.mechanisms.wire.conversation import Gate, Leave
from chaosday.mechanisms.wire.proxy import WireProxy
from chaosday.processes.call_end import CallEnd


@dataclass(frozen=True)
class FileGate:
    """Decides about the files of the run whose gate it is; what stops these stops what goes through the proxy."""

    proxy: WireProxy
    gate: Gate

    def changes(self, text: str, thread: int, go: Callable[[], bool], end: CallEnd | None) -> bool:
        """As ``file_acts.Decides``."""
        return self.proxy.gate.beside(self.gate, lambda gate: _decided(gate, text, thread, go, end))


def _decided(gate: Gate, text: str, thread: int, go: Callable[[], bool], end: CallEnd | None) -> bool:
    ask = file_act(text, thread)
    leave = gate.arrived(ask)
    if leave is Leave.STOP:
        return False
    if end is None or (leave is Leave.GO and not gate.hears_of_all):
        go()
        return True
    if not end.begin(go):
        return True  # its process has died in the middle
    still = True
    try:
        still = gate.answered(ask) is Leave.STOP
    finally:
        end.leave(still=still)
    return not still
