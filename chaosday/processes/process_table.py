"""The process table, read through any shell, and processes that cannot be mistaken for later ones.

A number alone is re-used; number and start together are not. On Linux the start is in clock ticks since
boot (``/proc/PID/stat``, field 22, proc(5)) beside the boot's own id, and not ``ps -o lstart``: that one is
reckoned from the wall clock and moves when the clock is set, which is one of our faults. Elsewhere
``lstart`` is what there is.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaosday.errors import CapabilityMissing, UsageError
from chaosday.model.target import ProcessIdentity, Shell

SIGNALS = ("KILL", "TERM", "INT", "HUP", "QUIT", "ABRT", "SEGV", "STOP", "CONT", "USR1", "USR2")

# `ps` of busybox knows no -A, and small images have no ps at all; /proc is then read file by file.
_TABLE = """\
if [ -r /proc/self/stat ]; then
  echo "boot $(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  cat /proc/[0-9]*/stat 2>/dev/null
  echo =
  ps -A -ww -o pid= -o args= 2>/dev/null || ps -o pid,args 2>/dev/null || for d in /proc/[0-9]*; do
    echo "${d#/proc/} $(tr '\\0\\n' '  ' 2>/dev/null <"$d/cmdline")"
  done
else
  ps -A -ww -o pid= -o ppid= -o state= -o time= -o lstart= -o args=
fi
"""

# Prints the start of process $1 in the same words as the table; nothing when it is gone or a zombie.
STARTED_FUNCTION = """\
started() {
  if [ -r /proc/self/stat ]; then
    s=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    set -f
    # shellcheck disable=SC2086
    set -- ${s##*) }
    [ "$1" = Z ] || [ "$1" = X ] || echo "${20}@$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)"
  else
    case $(ps -o state= -p "$1" 2>/dev/null) in Z*|'') return 0 ;; esac
    # shellcheck disable=SC2046
    echo $(ps -o lstart= -p "$1")
  fi
}
"""


@dataclass(frozen=True)
class ProcessRow:
    """One process as it stands: ``state`` is the first letter of ps (R, S, D, T, Z ...), CPU time in seconds."""

    pid: int
    parent: int
    state: str
    started: str
    cpu_s: float
    command: str

    @property
    def identity(self) -> ProcessIdentity:
        """The process, told apart from any later one of the same number."""
        return ProcessIdentity(pid=self.pid, started=self.started, command=self.command)

    @property
    def alive(self) -> bool:
        """Not a zombie: one that only waits for its parent to look."""
        return self.state not in ("Z", "X")


class ProcessTable:
    """A reading of every process of a target at one moment."""

    def __init__(self, rows: Iterable[ProcessRow]) -> None:
        self.rows = {row.pid: row for row in rows}

    def find(self, identity: ProcessIdentity) -> ProcessRow | None:
        """The very process, if it still runs."""
        row = self.rows.get(identity.pid)
        return row if row is not None and row.alive and row.started == identity.started else None

    def matching(self, pattern: str) -> list[ProcessRow]:
        """Live processes whose arguments match a regular expression, lowest number first."""
        try:
            wanted = re.compile(pattern)
        except re.error as error:
            raise UsageError(f"pattern {pattern!r} is not a regular expression: {error}") from None
        found = (row for row in self.rows.values() if row.alive and wanted.search(row.command))
        return sorted(found, key=lambda row: row.pid)

    def tree(self, root: int) -> list[ProcessRow]:
        """The live process ``root`` first, then its live descendants, parents before children."""
        children: dict[int, list[ProcessRow]] = {}
        for row in self.rows.values():
            children.setdefault(row.parent, []).append(row)
        found, waiting = [], [self.rows[root]] if root in self.rows else []
        while waiting:
            row = waiting.pop(0)
            if row.alive:
                found.append(row)
            waiting.extend(child for child in children.get(row.pid, []) if child.pid != row.pid)
        return found


def read_table(shell: Shell) -> ProcessTable:
    """Every process that the shell's side has, in one round trip."""
    result = shell.run(_TABLE)
    if result.code != 0 and not result.out:
        raise CapabilityMissing("the process table cannot be read: neither /proc nor ps; install procps")
    if result.out.startswith("boot "):
        return ProcessTable(_linux_rows(result.out))
    return ProcessTable(_ps_rows(result.out))


def identity(pid: int) -> ProcessIdentity:
    """The identity of a process of this machine; ``started`` is empty if it does not run."""
    if Path("/proc/self/stat").exists():
        try:
            raw = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return ProcessIdentity(pid=pid, started="")
        row = _stat_row(raw, boot(), {})
        return row.identity if row and row.alive else ProcessIdentity(pid=pid, started="")
    listed = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    alive = listed and not listed[0].startswith("Z")
    return ProcessIdentity(pid=pid, started=" ".join(listed[1:]) if alive else "")


def is_running(process: ProcessIdentity) -> bool:
    """Whether that very process still runs on this machine."""
    return bool(process.started) and identity(process.pid).started == process.started


def boot() -> str:
    """The id of this machine's boot, empty where the system has none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def signal_script(processes: Sequence[ProcessIdentity], signal: str) -> str:
    """POSIX ``sh`` that signals exactly these processes and prints the number of each one that it signalled.

    It is quiet about those that are gone, so that it can be run any number of times.
    """
    if signal not in SIGNALS:
        raise UsageError(f"no signal {signal!r}; there are {', '.join(SIGNALS)}")
    calls = [f"send {process.pid} '{_quoted(process.started)}'" for process in processes]
    send = f'send() {{ [ "$(started "$1")" = "$2" ] && kill -{signal} "$1" 2>/dev/null && echo "$1"; return 0; }}\n'
    return STARTED_FUNCTION + send + "\n".join([*calls, ":"]) + "\n"


# After a ``signal_script``: signals those noted beside the lease as well, a number and a start on each line.
SIGNAL_NOTED = """\
notes=${0%/*}/notes
if [ -f "$notes" ]; then
  while read -r pid start; do send "$pid" "$start"; done <"$notes"
fi
"""


def note_script(processes: Sequence[ProcessIdentity], path: str) -> str:
    """POSIX ``sh`` that adds these to the notes of a lease; fails where they cannot be written."""
    words = " ".join(f"{process.pid} {shlex.quote(process.started)}" for process in processes)
    return f'set -- {words}\nwhile [ $# -gt 0 ]; do echo "$1 $2"; shift 2; done >>{shlex.quote(path)} || exit 1\n'


def alive_script(processes: Sequence[ProcessIdentity], *, state: str = "") -> str:
    """POSIX ``sh`` that prints one line for each of these that still runs (in ``state``, if given)."""
    test = '[ "$(started "$1")" = "$2" ]'
    if state:
        test += ' && case $(ps -o state= -p "$1" 2>/dev/null || sed \'s/.*) //\' "/proc/$1/stat") in'
        test += f" {state}*) true ;; *) false ;; esac"
    show = f'show() {{ if {test}; then echo "process $1 $3"; fi; }}\n'
    words = f"is still in state {state}" if state else "still runs"
    calls = [f"show {process.pid} '{_quoted(process.started)}' '{words}'" for process in processes]
    return STARTED_FUNCTION + show + "\n".join([*calls, ":"]) + "\n"


def _quoted(text: str) -> str:
    return text.replace("'", "'\\''")


def _linux_rows(out: str) -> list[ProcessRow]:
    stats, _, listed = out.partition("\n=\n")
    first, *lines = stats.splitlines()
    commands: dict[int, str] = {}
    for line in listed.splitlines():
        number, _, command = line.strip().partition(" ")
        if number.isdigit():
            commands[int(number)] = command.strip()
    rows = (_stat_row(line, first.removeprefix("boot "), commands) for line in lines)
    return [row for row in rows if row is not None]


def _stat_row(line: str, boot: str, commands: dict[int, str]) -> ProcessRow | None:
    """A row from ``/proc/PID/stat``; the name in brackets may itself hold brackets and blanks."""
    head, _, rest = line.rpartition(") ")
    number, fields = head.partition(" (")[0], rest.split()
    if not number.isdigit() or len(fields) < 20:
        return None
    return ProcessRow(
        pid=int(number),
        parent=int(fields[1]),
        state=fields[0],
        started=f"{fields[19]}@{boot}",
        cpu_s=(int(fields[11]) + int(fields[12])) / 100,
        command=commands.get(int(number)) or head.partition(" (")[2],
    )


def _ps_rows(out: str) -> list[ProcessRow]:
    rows = []
    for line in out.splitlines():
        parts = line.split(None, 9)
        if len(parts) < 9 or not parts[0].isdigit():
            continue
        pid, parent, state, cpu, *rest = parts
        seconds = 0.0
        for part in cpu.replace("-", ":").split(":"):
            seconds = seconds * 60 + float(part)
        command = rest[5] if len(rest) > 5 else ""
        rows.append(ProcessRow(int(pid), int(parent), state[:1], " ".join(rest[:5]), seconds, command))
    return rows
