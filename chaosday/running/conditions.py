"""What a fault waits for, asked again and again while a run goes on."""

from __future__ import annotations

from collections.abc import Callable
from shlex import quote

from chaosday.errors import ChaosdayError
from chaosday.model.experiment import LogLine, When
from chaosday.model.probe import Probe
from chaosday.model.target import Shell, Target
from chaosday.running.live import LiveRun
from chaosday.safety.reading import Reader

READING_S = 5.0
"""A reading is waited for so long; one that hangs keeps neither the other faults nor the end of the run waiting."""
LOG_S = 5.0


class Condition:
    """Whether it has come true since this was made; once true it stays so. ``said`` is what was last seen.

    The first ``hits_seen`` hits of the run do not count.
    """

    def __init__(self, when: When, run: LiveRun, hits_seen: int = 0) -> None:
        self.when, self.said, self.true = when, "nothing was seen yet", False
        self._run, self._hits_seen = run, hits_seen
        self._ask: Callable[[], bool] = self._asking()
        self.begin()

    def begin(self) -> None:
        """Wait from now; what came since it was made counts as well."""
        self._until_ns = self._run.clock.monotonic_ns() + int(self.when.at_most_s * 1e9)

    def holds(self) -> bool:
        """Ask once more, unless it has come true already."""
        self.true = self.true or self._ask()
        return self.true

    def late(self) -> bool:
        """Whether it was waited for as long as was allowed."""
        return not self.true and self._run.clock.monotonic_ns() > self._until_ns

    def missed(self) -> str:
        """Why the run says nothing: what was waited for, and what was seen of it last."""
        return f"waited {self.when.at_most_s:g} s for {self.when.words}; last seen: {self.said}"

    def _asking(self) -> Callable[[], bool]:
        when, run = self.when, self._run
        if when.probe is not None:
            return _Crossing(when, when.probe, run.targets[when.probe.target], self._say).ask
        if when.log is not None:
            return _Log(when.log, run.targets[when.log.target], self._say).ask
        return self._acknowledged if when.acknowledged is not None else self._bitten

    def _say(self, words: str) -> None:
        self.said = words

    def _acknowledged(self) -> bool:
        count = self._run.workloads.acknowledged()
        self.said = f"{count:,} operations"
        return count >= (self.when.acknowledged or 0)

    def _bitten(self) -> bool:
        hits = self._run.hits[self._hits_seen :]
        self.said = ", ".join(f"{fault} {'bit' if bit else 'did not bite'}" for fault, bit in hits) or "no fault"
        return (self.when.bitten, True) in hits


class _Crossing:
    def __init__(self, when: When, probe: Probe, target: Target, say: Callable[[str], None]) -> None:
        self._when, self._say = when, say
        self._reader = Reader(probe, target)

    def ask(self) -> bool:
        reading = self._reader.read(READING_S)
        self._say(reading.words)
        when = self._when
        if when.healthy is not None:
            return reading.healthy is when.healthy
        if reading.value is None:
            return False
        return reading.value > when.above if when.above is not None else reading.value < (when.below or 0)


class _Log:
    """Where the log ended is asked first; one that is shorter later was begun anew and is read from its start."""

    def __init__(self, line: LogLine, target: Target, say: Callable[[str], None]) -> None:
        self._line, self._say = line, say
        self._shell: Shell = target.capability(Shell)
        self._from = self._size()

    def ask(self) -> bool:
        path = quote(self._line.path)
        script = (
            f'size=$(wc -c < {path}) || exit 3; from={self._from}; [ "$size" -ge "$from" ] || from=0\n'
            f"tail -c +$((from + 1)) {path} | grep -cE -e {quote(self._line.pattern)}; [ $? -lt 2 ]\n"
        )
        done = self._shell.run(script, timeout_s=LOG_S)
        if done.code:
            self._say(" ".join(done.err.split())[:200] or f"exit code {done.code}")
            return False
        self._say(f"{done.out.strip()} new lines fit")
        return done.out.strip() not in ("", "0")

    def _size(self) -> int:
        done = self._shell.run(f"wc -c < {quote(self._line.path)}", timeout_s=LOG_S)
        if done.code or not done.out.strip().isdigit():
            raise ChaosdayError(f"the log {self._line.path} cannot be read: {' '.join(done.err.split())[:200]}")
        return int(done.out)
