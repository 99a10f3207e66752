"""Which processes a process fault means."""

from __future__ import annotations

import os
import random
import shlex
from dataclasses import dataclass

from chaosday.errors import Refused, TargetUnreachable
from chaosday.model.target import Processes, ProcessIdentity, Shell, Target
from chaosday.processes.process_table import ProcessTable, identity, read_table


@dataclass(frozen=True)
class Choice:
    """By a file that holds the number, by arguments, or the target's own; ``count`` 0 is all of them."""

    pid_file: str
    pattern: str
    tree: bool
    count: int
    seed: int


def chosen(target: Target, choice: Choice, *, empty_is_fine: bool = False) -> list[ProcessIdentity]:
    """The processes, each main one followed by its descendants (with ``tree``); ``TargetUnreachable`` if none runs."""
    shell = target.capability(Shell)
    table = read_table(shell)
    ourselves = _own_line(table)
    roots = _roots(target, shell, table, choice, ourselves)
    if not roots and not empty_is_fine:
        where = choice.pid_file or (repr(choice.pattern) if choice.pattern else "the target")
        raise TargetUnreachable(f"no process of {where} runs: there is nothing to hurt")
    if choice.count and len(roots) > choice.count:
        roots = sorted(random.Random(choice.seed).sample(roots, choice.count))
    if not choice.tree:
        rows = {root: table.rows[root] for root in roots}
    else:
        rows = {row.pid: row for root in roots for row in table.tree(root)}
    if own := sorted(set(rows) & ourselves):
        named = f"process {own[0]} ({table.rows[own[0]].command[:60]})"
        raise Refused(f"{named} is this run or what it was started by: a run does not hurt what has to heal it")
    if not choice.tree:
        return [row.identity for row in rows.values()]
    return [row.identity.model_copy(update={"root": root_of(row.pid, roots, table)}) for row in rows.values()]


def fresh_members(table: ProcessTable, known: list[ProcessIdentity]) -> list[ProcessIdentity]:
    """Live descendants of these that are not among them: born since they were chosen."""
    pids = {process.pid for process in known}
    found = {row.pid: row for each in known if table.find(each) for row in table.tree(each.pid)}
    return [row.identity for pid, row in sorted(found.items()) if pid not in pids]


def _own_line(table: ProcessTable) -> set[int]:
    """The numbers of this very process and its ancestors, as far as they are in the table: by number and start, so
    that another host's table has none of them."""
    pid, found = os.getpid(), set()
    while pid in table.rows and pid not in found and identity(pid).started == table.rows[pid].started:
        found.add(pid)
        pid = table.rows[pid].parent
    return found


def roots_of(processes: list[ProcessIdentity]) -> list[ProcessIdentity]:
    """The main ones: those that are nobody's descendant here."""
    return [process for process in processes if process.root in (0, process.pid)]


def root_of(pid: int, roots: list[int], table: ProcessTable) -> int:
    """Which of ``roots`` a process descends from."""
    while pid not in roots and pid in table.rows and table.rows[pid].parent != pid:
        pid = table.rows[pid].parent
    return pid


def _roots(target: Target, shell: Shell, table: ProcessTable, choice: Choice, ourselves: set[int]) -> list[int]:
    if choice.pid_file:
        said = shell.run(f"head -n 1 <{shlex.quote(choice.pid_file)}").out.strip()
        return [int(said)] if said.isdigit() and (row := table.rows.get(int(said))) and row.alive else []
    if choice.pattern:
        # The pattern may stand in our own arguments, and in those of the shell that started us.
        found = [row.pid for row in table.matching(choice.pattern) if row.pid not in ourselves]
    else:
        found = [process.pid for process in target.capability(Processes).processes()]
        found = [pid for pid in found if pid in table.rows]
    # A child that matches as well goes with its parent.
    return [pid for pid in found if not _has_ancestor(pid, set(found), table)]


def _has_ancestor(pid: int, others: set[int], table: ProcessTable) -> bool:
    seen = {pid}
    while pid in table.rows and (pid := table.rows[pid].parent) not in seen:
        if pid in others:
            return True
        seen.add(pid)
    return False
