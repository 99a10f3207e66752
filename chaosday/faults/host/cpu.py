"""Processor time is taken away."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.processes import mark

PERIOD_S = 0.1


class HostCpu(ScriptFault):
    """Keep ``cores`` processors busy for ``load_percent`` of the time, with nothing but ``sh``."""

    kind: Literal["host.cpu"] = "host.cpu"
    cores: int = Field(default=1, ge=1, le=1024)
    load_percent: float = Field(default=100, gt=0, le=100)

    tools = ("setsid", "nproc")

    @property
    def asked(self) -> float:
        """Processors' worth of work."""
        return self.cores * self.load_percent / 100

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        there = int(ask(shell, {"nproc": "nproc"})["nproc"])
        if self.cores > there:
            raise UsageError(f"{self.cores} cores asked for, the target has {there}")
        spin = f'for n in $(seq {self.cores}); do (while :; do :; done) & busy="$busy $!"; done; '
        on = PERIOD_S * self.load_percent / 100
        # Busy loops are stopped and continued in turn: a loop that looked at the time would spend it on that.
        pulse = f"while :; do kill -STOP $busy; sleep {PERIOD_S - on:.3f}; kill -CONT $busy; sleep {on:.3f}; done"
        means = Means(
            mechanism=f"{self.cores} busy loops of sh at {self.load_percent:g} %",
            inject=mark.start(context.lease_id, f"busy=; {spin}{pulse if self.load_percent < 100 else 'wait'}"),
            undo=mark.end(context.lease_id),
            residue=mark.residue(context.lease_id),
        )
        return Prepared(means)

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        # Time on a processor plus time spent waiting for one: on a busy machine we get less than we ask for,
        # and what we do not get is taken from others all the same.
        total = f"cat $(for p in $({mark.find(lease_id)}); do echo /proc/$p/schedstat; done) /dev/null | " + (
            "awk '{ sum += $1 + $2 } END { printf \"%.0f\\n\", sum }'"
        )
        script = f"date +%s%N; {total}; sleep 0.5; date +%s%N; {total}"
        t0, n0, t1, n1 = (int(float(word)) for word in shell.run(PATH + script, sudo=True).out.split())
        return Reading(value=round((n1 - n0) / (t1 - t0), 3), unit="cores", by="processor time used and waited for")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        words = f"asked {self.asked:g} cores' worth, measured {during.value:.2f}, before {baseline.value:.2f}"
        return during.value >= 0.6 * self.asked and baseline.value < 0.1, words
