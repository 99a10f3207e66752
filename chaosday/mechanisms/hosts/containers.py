"""Containers of one host: which ones a fault means, and what it does to them through podman or docker."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field

from chaosday.errors import ForeignState, UsageError
from chaosday.mechanisms.hosts.means import Means
from chaosday.mechanisms.hosts.script_fault import Prepared, ScriptFault
from chaosday.mechanisms.hosts.tools import PATH, ask, need
from chaosday.model.fault import Bite, FaultPlan, Reading
from chaosday.model.target import Shell, Target
from chaosday.model.words import CONTAINER, PROCESS, said

_PLAIN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"


class ContainerFault(ScriptFault):
    """What faults of containers have in common: the choice, and the main process as the kernel sees it."""

    engine: Literal["podman", "docker"] = "podman"
    name: str = Field(default="", pattern=f"{_PLAIN}|^$", description="One container; empty takes those with the label")
    label: str = Field(default="", pattern=r"^[A-Za-z0-9_./-]*(=[A-Za-z0-9_./-]*)?$", description="key or key=value")
    count: int = Field(default=1, ge=1, le=1000, description="How many at most, of those with the label, by name")

    def victims(self, shell: Shell) -> dict[str, str]:
        """Identity by name of the containers that are meant; all of them run and none is paused."""
        need(shell, self.engine)
        if not (self.name or self.label):
            raise UsageError(f"{self.kind} needs the name of a container, or a label")
        form = "{{.Names}} {{.ID}} {{.Status}}"
        chosen = f"label={self.label}" if self.label else f"name=^{re.escape(self.name)}$"
        listed = ask(shell, {"all": f"{self.engine} ps -a --no-trunc --filter '{chosen}' --format '{form}'"})["all"]
        rows = sorted(line.split(None, 2) for line in listed.splitlines())
        if self.name:
            rows = [row for row in rows if row[0] == self.name]
        if not rows:
            raise UsageError(f"{self.engine} has no container {self.name or 'with the label ' + self.label}")
        for name, _, status in rows[: self.count]:
            if "paused" in status.lower():
                raise ForeignState(f"container {name} was paused by somebody else; unpause it first")
            if not status.startswith("Up"):
                raise UsageError(f"container {name} is not running ({status}); start it first")
        return {name: said("container", identity, CONTAINER) for name, identity, _ in rows[: self.count]}

    def mains(self, shell: Shell, victims: dict[str, str]) -> list[str]:
        """``pid:start`` of each container's main process, its start in ticks since the machine's."""
        found = ask(shell, {"all": "\n".join(main_process(self.engine, each) for each in victims.values())})["all"]
        return [said("container's main process", each, PROCESS) for each in found.split()]


class ContainerEnd(ContainerFault):
    """A container whose main process ends, and that is started again when the fault does."""

    def ended(self, shell: Shell, lease_id: str, act: str, mechanism: str) -> Prepared:
        """``act`` is what the engine does to one container (``kill -s KILL``)."""
        victims = self.victims(shell)
        # A note of our own, a line a container: one that somebody else has ended since is none of our business.
        note = f"/run/chaosday-{lease_id}.containers"
        running = f"[ \"$({self.engine} inspect -f '{{{{.State.Running}}}}' $id 2>/dev/null)\" = true ]"
        listed = " ".join(victims.values())
        means = Means(
            mechanism=mechanism,
            inject=f"for id in {listed}; do echo $id >> {note} && {self.engine} {act} $id >/dev/null || exit 1; done\n",
            undo=(
                f"[ -e {note} ] || exit 0\n"
                f"for id in $(cat {note}); do\n"
                # Removed by somebody in the meantime: there is nothing to start.
                f"    {self.engine} inspect $id >/dev/null 2>&1 || continue\n"
                f"    {running} || {self.engine} start $id >/dev/null || exit 1\n"
                f"done\nrm -f {note}\n"
            ),
            residue=f'[ ! -e {note} ] || echo "containers ended by us: $(tr "\\n" " " < {note})"\n',
        )
        status = " ; ".join(
            f"{self.engine} inspect -f '{{{{.Name}}}} {{{{.State.Running}}}}' {each} || echo gone"
            for each in victims.values()
        )
        data = {"mains": self.mains(shell, victims)}
        return Prepared(means, data, {"running": status}, affected=tuple(f"container {name}" for name in victims))

    def measure(self, shell: Shell, lease_id: str, data: dict[str, Any], *, hurt: bool) -> Reading:
        start = _start_of("${main%:*}")
        look = f'[ "$({start})" != ${{main#*:}} ] || echo up'
        script = f"for main in {' '.join(data['mains'])}; do\n{look}\ndone\n"
        up = shell.run(PATH + script, sudo=True).out.split()
        return Reading(value=len(up), unit="main processes that still run", by="/proc/PID/stat")

    def look(self, target: Target, plan: FaultPlan) -> Bite | None:
        """A container that somebody started again has another main process."""
        bite = self.looked(target, plan)
        asked = f"{{ {plan.data['dump']['running']}; }} | grep -c ' true$'"
        again = int(ask(target.capability(Shell), {"again": asked})["again"] or 0)
        if not again:
            return bite
        return bite.model_copy(update={"bit": False, "why": f"{again} of {len(plan.affected)} containers run again"})

    def bites(self, baseline: Reading, during: Reading, data: dict[str, Any]) -> tuple[bool, str]:
        why = f"{baseline.value:g} main processes ran before, {during.value:g} of them still do"
        return baseline.value > 0 and during.value == 0, why


def main_process(engine: str, identity: str) -> str:
    """Shell text that prints ``pid:start`` of a container's main process."""
    return f"pid=$({engine} inspect -f '{{{{.State.Pid}}}}' {identity}) && echo $pid:$({_start_of('$pid')})"


def _start_of(pid: str) -> str:
    return f"sed 's/.*) //' /proc/{pid}/stat 2>/dev/null | cut -d' ' -f20"
