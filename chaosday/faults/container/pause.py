"""A container stands still, and its connections stay open."""

from __future__ import annotations

from typing import Any, Literal

from chaosday.mechanisms.hosts.containers import ContainerFault
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared
from chaosday.mechanisms.hosts.tools import PATH
from chaosday.model.fault import PlanContext, Reading
from chaosday.model.target import Shell

FROZEN = """
v1=$(sed -n 's/^[0-9]*:freezer://p' /proc/$pid/cgroup 2>/dev/null)
v2=$(sed -n 's/^0:://p' /proc/$pid/cgroup 2>/dev/null)
grep -qsx FROZEN "/sys/fs/cgroup/freezer$v1/freezer.state" && echo frozen && continue
grep -qsx 'frozen 1' "/sys/fs/cgroup$v2/cgroup.events" && echo frozen
"""


class ContainerPause(ContainerFault):
    """Freezes every process of containers by their control group; heal thaws them."""

    kind: Literal["container.pause"] = "container.pause"

    def prepare(self, shell: Shell, context: PlanContext) -> Prepared:
        victims = self.victims(shell)
        listed = " ".join(victims.values())
        # A note of our own: a container that somebody else has paused since stays paused.
        note = f"/run/chaosday-{context.lease_id}.paused"
        paused = f"[ \"$({self.engine} inspect -f '{{{{.State.Paused}}}}' $id 2>/dev/null)\" = true ]"
        means = Means(
            mechanism=f"{self.engine} pause (freezer)",
            inject=f"for id in {listed}; do echo $id >> {note} && {self.engine} pause $id >/dev/null || exit 1; done\n",
            undo=(
                f"[ -e {note} ] || exit 0\n"
                f"for id in $(cat {note}); do\n"
                f"    ! {paused} || {self.engine} unpause $id >/dev/null || exit 1\n"
                f"done\nrm -f {note}\n"
            ),
            residue=f'[ ! -e {note} ] || echo "containers paused by us: $(tr "\\n" " " < {note})"\n',
        )
        status = "; ".join(f"{self.engine} inspect -f '{{{{.State.Status}}}}' {each}" for each in victims.values())
        affected = tuple(f"container {name}" for name in victims)
        return Prepared(means, {"mains": self.mains(shell, victims)}, {"status": status}, affected)

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        pids = " ".join(main.partition(":")[0] for main in data["mains"])
        frozen = shell.run(f"{PATH}for pid in {pids}; do\n{FROZEN}done\n", sudo=True).out.split()
        return Reading(value=len(frozen), unit="frozen containers", by="their control group's own state")

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        asked = len(data["mains"])
        return during.value == asked, f"{during.value:g} of {asked} are frozen; before, {baseline.value:g}"
