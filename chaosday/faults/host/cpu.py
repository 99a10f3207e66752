"""Processor time is taken away."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chaosday.errors import UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, UPTIME_NS, ask
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell
from chaosday.processes import mark

PERIOD_S = 0.1
IDLE_MOST = 0.1
"""Processors' worth of idling below which whoever waits for a processor waits because others use them."""
# A line: the time, time on a processor and waiting for one, idle time of all processors, all in ns; times that a
# quota has held our control group or one above it back.
_ACCOUNTS = """\
accounts() {
    pids=$(%s)
    ours=$(cat $(for p in $pids; do echo /proc/$p/schedstat; done) /dev/null 2>/dev/null |
        awk '{ used += $1; waited += $2 } END { printf "%%.0f %%.0f", used, waited }')
    idle=$(awk '$1 == "cpu" { printf "%%.0f", ($5 + $6) * 1e7 }' /proc/stat)
    throttled=$(for p in $pids; do cat /proc/$p/cgroup 2>/dev/null; done | awk -F: '
        $2 ~ /(^|,)cpu(,|$)/ { print "/sys/fs/cgroup/cpu" $3 } $1 == 0 { print "/sys/fs/cgroup" $3 }' | sort -u |
        while read -r g; do
            # Not the outermost: what holds everybody back alike is how large this machine is.
            while [ "${g#/sys/fs/cgroup/cpu/?}" != "$g" ] || { [ ! -e /sys/fs/cgroup/cpu ] && \\
                [ "${g#/sys/fs/cgroup/?}" != "$g" ]; }; do
                [ ! -r "$g/cpu.stat" ] || echo "$g/cpu.stat"
                g=${g%%/*}
            done
        done | sort -u | while read -r f; do cat "$f"; done |
        awk '$1 == "nr_throttled" { n += $2 } END { print n + 0 }')
    echo "$(%s) $ours $idle $throttled"
}
"""


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
        script = f"{_ACCOUNTS % (mark.find(lease_id), UPTIME_NS)}accounts; sleep 0.5; accounts"
        before, after = (
            [float(word) for word in line.split()] for line in shell.run(PATH + script, sudo=True).out.splitlines()
        )
        took, used, waited, idle, throttled = (now - then for then, now in zip(before, after, strict=True))
        # On a busy machine we get less than we ask for, and what we do not get is taken from others all the same. Not
        # so where a quota holds us back, or where processors stand idle: then nobody misses what we wait for.
        contended = not throttled and idle / took < IDLE_MOST
        value = round((used + (waited if contended else 0)) / took, 3)
        words = "processor time used" + (" and waited for" if contended else f", {waited / took:.2f} waited for")
        return Reading(value=value, unit="cores", by=words + (", held back by a quota" if throttled else ""))

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        words = (
            f"asked {self.asked:g} cores' worth, measured {during.value:.2f} ({during.by}), before {baseline.value:.2f}"
        )
        dose = 0.6 * self.asked <= during.value <= 1.25 * self.asked + 0.15
        return dose and baseline.value < 0.1, words
