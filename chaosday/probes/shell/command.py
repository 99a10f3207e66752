"""A command of your own as a probe: dbt test, a health script, curl."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chaosday.errors import ChaosdayError
from chaosday.model.probe import Probe, ProbeReading
from chaosday.model.target import Shell, Target

COMMAND_NOT_FOUND = (126, 127)


class Command(Probe):
    """Healthy when ``run`` (POSIX ``sh``) exits 0; with ``at_least`` or ``at_most`` also when the number that it
    prints last is within. A command that cannot be started is no answer."""

    kind: Literal["command"] = "command"
    run: str = Field(default="true", min_length=1)
    at_least: float | None = Field(default=None, title="At least")
    at_most: float | None = Field(default=None, title="At most")
    timeout_s: float = Field(default=30, gt=0)

    def commands(self) -> list[str]:
        return [self.run]

    def read(self, target: Target) -> ProbeReading:
        try:
            done = target.capability(Shell).run(self.run, timeout_s=self.timeout_s)
        except ChaosdayError as error:
            return ProbeReading(probe=self.kind, healthy=None, words=str(error))
        printed = (done.out.strip() or done.err.strip()).splitlines()
        said = printed[-1][:200] if printed else "it printed nothing"
        if done.code in COMMAND_NOT_FOUND:
            return ProbeReading(probe=self.kind, healthy=None, words=f"it could not be started: {said}")
        words = f"exit code {done.code}: {said}"
        value = _number(done.out)
        if done.code != 0 or (self.at_least is None and self.at_most is None):
            return ProbeReading(probe=self.kind, healthy=done.code == 0, value=value, words=words)
        if value is None:
            return ProbeReading(probe=self.kind, healthy=None, words=f"it printed no number: {said}")
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return ProbeReading(probe=self.kind, healthy=low and high, value=value, words=words)


def _number(printed: str) -> float | None:
    """The last word, where it is one."""
    try:
        return float(printed.rsplit(maxsplit=1)[-1])
    except (ValueError, IndexError):
        return None
