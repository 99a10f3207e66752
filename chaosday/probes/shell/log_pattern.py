"""Lines in a log that should not be there, or should."""

from __future__ import annotations

from shlex import quote
from typing import Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Shell, Target


class LogPattern(Probe):
    """Counts the lines that fit ``pattern`` (an extended regular expression) among the last ``lines`` of ``path``;
    healthy between ``at_least`` and ``at_most``. A log that cannot be read is no answer."""

    kind: Literal["log.pattern"] = "log.pattern"
    path: str = Field(default="/var/log/syslog", pattern=r"^/[^\n]*$")
    pattern: str = Field(default="ERROR|FATAL|PANIC", min_length=1)
    lines: int = Field(default=1000, ge=1, le=1_000_000)
    at_least: int = Field(default=0, ge=0)
    at_most: int | None = Field(default=None, title="At most", ge=0)
    """None allows no line, or, with ``at_least``, any number."""
    timeout_s: float = Field(default=10, gt=0)

    def read(self, target: Target) -> ProbeReading:
        log = quote(self.path)
        # grep exits 1 where nothing fits and 2 where the pattern is none.
        script = (
            f"[ -r {log} ] || {{ echo 'it cannot be read' >&2; exit 3; }}\n"
            f"tail -n {self.lines} {log} | grep -cE -e {quote(self.pattern)}; [ $? -lt 2 ]\n"
        )
        try:
            done = target.capability(Shell).run(script, timeout_s=self.timeout_s)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        if done.code or not done.out.strip().isdigit():
            said = " ".join(done.err.split())[:200] or f"exit code {done.code}"
            return ProbeReading(probe=self.kind, healthy=None, words=f"{self.path}: {said}")
        count = int(done.out)
        at_most = self.at_most if self.at_most is not None else (count if self.at_least else 0)
        healthy = self.at_least <= count <= at_most
        words = f"{count} of the last {self.lines} lines of {self.path} fit {self.pattern}"
        return ProbeReading(probe=self.kind, healthy=healthy, value=count, unit="lines", words=words)
