"""Finding the cgroup of a process on a target, of version 1 or 2, and what it has used so far."""

from __future__ import annotations

from dataclasses import dataclass
from shlex import quote
from typing import Literal

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.mechanisms.hosts.tools import ask
from chaosday.model.target import Shell
from chaosday.processes.process_table import read_table

Limit = Literal["cpu", "memory", "io"]
CONTROLLER = {"cpu": "cpu", "memory": "memory", "io": "blkio"}


@dataclass(frozen=True)
class Group:
    """A group's directory, and which version of the interface it has."""

    directory: str
    version: int


def pid_of(shell: Shell, unit: str, pattern: str) -> int:
    """The main process of a systemd unit, or the first that matches a pattern."""
    if unit:
        pid = ask(shell, {"pid": f"systemctl show --property MainPID --value {quote(unit)}"})["pid"]
        if not pid.isdigit() or pid == "0":
            raise UsageError(f"unit {unit} has no main process; is it running?")
        return int(pid)
    if not pattern:
        raise UsageError("name the group by unit, or by a pattern that its process matches")
    found = read_table(shell).matching(pattern)
    if not found:
        raise UsageError(f"no process matches {pattern!r}")
    return found[0].pid


def of(shell: Shell, pid: int, limit: Limit) -> Group:
    """The group of ``pid`` that has the say over ``limit``."""
    found = ask(shell, {"groups": f"cat /proc/{pid}/cgroup", "mounts": "cat /proc/self/mounts"})
    mounts = [line.split() for line in found["mounts"].splitlines()]
    lines = [line.split(":", 2) for line in found["groups"].splitlines()]
    for _, controllers, path in lines:
        if CONTROLLER[limit] in controllers.split(","):
            for _, where, kind, options, *_ in mounts:
                if kind == "cgroup" and CONTROLLER[limit] in options.split(","):
                    return Group(f"{where}{path}".rstrip("/"), 1)
    for _, controllers, path in lines:
        for _, where, kind, *_ in mounts:
            if not controllers and kind == "cgroup2":
                group = Group(f"{where}{path}".rstrip("/"), 2)
                if limit in ask(shell, {"c": f"cat {quote(group.directory)}/cgroup.controllers"})["c"].split():
                    return group
    raise CapabilityMissing(
        f"process {pid} is in no cgroup that limits {limit}; is the controller mounted and enabled?"
    )


def device_of(shell: Shell, path: str) -> str:
    """Major and minor number, with a colon, of the disk that holds ``path``."""
    number = ask(shell, {"d": f"stat -c %d {quote(path)}"})["d"]
    if not number.isdigit():
        raise UsageError(f"{path} is not there")
    major, minor = int(number) >> 8 & 0xFFF, int(number) & 0xFF | int(number) >> 12 & 0xFFF00
    if not major:
        raise CapabilityMissing(
            f"{path} is not on a disk of its own (a memory or network file system cannot be limited)"
        )
    return f"{major}:{minor}"


def account(group: Group, limit: Limit, device: str) -> str:
    """Shell text that prints what the group has used: nanoseconds, times at the limit, or bytes written."""
    here = quote(group.directory)
    if limit == "cpu":
        if group.version == 2:
            return f"awk '/^usage_usec/ {{ print $2 \"000\" }}' {here}/cpu.stat"
        elsewhere = quote(group.directory.replace("/cpu/", "/cpuacct/", 1))
        return f"cat {here}/cpuacct.usage 2>/dev/null || cat {elsewhere}/cpuacct.usage"
    if limit == "memory":
        if group.version == 2:
            return f"awk '/^max/ {{ print $2 }}' {here}/memory.events"
        return f"cat {here}/memory.failcnt"
    if group.version == 2:
        return f"{{ grep '^{device} ' {here}/io.stat || echo wbytes=0; }} | sed 's/.*wbytes=\\([0-9]*\\).*/\\1/'"
    # Version 1 keeps no account of a group before it is throttled; the whole disk's it has to be then.
    major, minor = device.split(":")
    return f"awk '$1 == {major} && $2 == {minor} {{ printf \"%.0f\\n\", $10 * 512 }}' /proc/diskstats"
