"""How fast a workload goes while it runs: what its clients have recorded since the last look."""

from __future__ import annotations

from pathlib import Path

from chaosday.clock import Clock

WINDOW_S = 1.0
_ACKNOWLEDGED = b'"status":"ok"'


class LiveRate:
    """Counts acknowledged operations in the files that clients are still writing; reads only what is new."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory, self._clock = directory, clock
        self._read: dict[Path, int] = {}
        self._total = self._before = 0
        self._since_ns = clock.monotonic_ns()
        self._per_s = 0.0

    def per_s(self) -> float:
        """Acknowledged operations a second over the last whole window; 0 before the first one is over."""
        now_ns = self._clock.monotonic_ns()
        seconds = (now_ns - self._since_ns) / 1e9
        if seconds >= WINDOW_S:
            total = self.total()
            self._per_s, self._before = (total - self._before) / seconds, total
            self._since_ns = now_ns
        return self._per_s

    def total(self) -> int:
        """Acknowledged operations so far."""
        self._total += sum(self._new(path) for path in self._directory.glob("client-*.jsonl"))
        return self._total

    def _new(self, path: Path) -> int:
        """Those in whole lines after where the last look ended: the last line may be half written."""
        with path.open("rb") as file:
            file.seek(self._read.get(path, 0))
            whole, line_end, _ = file.read().rpartition(b"\n")
        self._read[path] = self._read.get(path, 0) + len(whole) + len(line_end)
        return whole.count(_ACKNOWLEDGED)
