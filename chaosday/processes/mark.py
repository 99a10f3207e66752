"""How processes that a fault starts are known to be ours: the lease's id in their environment.

A pid file would name a stranger as soon as its process ended and the number was used again; the
environment is the process's own, is inherited by whatever it starts, and cannot be lost.

The grep of busybox ends a line at a NUL, and an environment is one line with a NUL between its variables: there the
NULs are made ends of lines first, at the price of a process each.
"""

from __future__ import annotations

from shlex import quote

VARIABLE = "CHAOSDAY_MARK"


def mark(lease_id: str) -> str:
    """The assignment itself. The brackets keep ``cd-a-1`` from being found in ``cd-a-12``."""
    return f"{VARIABLE}=<{lease_id}>"


def start(lease_id: str, command: str) -> str:
    """Shell text that starts ``command`` (more shell text) detached, silent, and marked.

    It waits until the mark is there: a heal between fork and exec would not see the process.
    """
    return (
        f"env {quote(mark(lease_id))} setsid sh -c {quote(command)} </dev/null >/dev/null 2>&1 &\n"
        "while kill -0 $! 2>/dev/null; do\n"
        f"    case $(tr '\\0' '\\n' 2>/dev/null </proc/$!/environ) in (*{quote(mark(lease_id))}*) break ;; esac\n"
        "    sleep 0.01 2>/dev/null || sleep 1\n"
        "done\n"
    )


def visible() -> str:
    """Shell text that prints "yes" where the mark of a process can be read, and nothing where it cannot."""
    # Not the last command: a shell becomes that one, and what it had opened of itself is empty then.
    own = "tr '\\0' '\\n' 2>/dev/null </proc/$$/environ; :"
    return f"case $(env {quote(mark('asked'))} sh -c {quote(own)}) in (*{quote(mark('asked'))}*) echo yes ;; esac"


def find(lease_id: str) -> str:
    """Shell text that prints the pid of every process of ours with the mark, one a line.

    Ours by its real user: anybody can write the mark into an environment of their own, and a set-uid program that is
    started with it runs under the effective user of somebody else.
    """
    mine = quote(mark(lease_id))
    return (
        "if printf 'a\\0b\\n' | grep -qF b; then "
        f"grep -lsF {mine} /proc/[0-9]*/environ; else for p in /proc/[0-9]*/environ; do "
        f"case $(tr '\\0' '\\n' 2>/dev/null <$p) in (*{mine}*) echo $p ;; esac; done; fi 2>/dev/null | "
        "while IFS=/ read -r _ _ p _; do "
        'grep -qs "^Uid:[[:space:]]*$(id -ru)[[:space:]]" "/proc/$p/status" && echo "$p"; done'
    )


def end(lease_id: str) -> str:
    """Shell text that ends every process with the mark and fails if one is left after 5 s.

    Asked first (strace detaches cleanly on TERM), killed from the third time on; continued as well,
    because a stopped process only hears KILL.
    """
    return (
        "tries=0\n"
        f'while pids=$({find(lease_id)}); [ -n "$pids" ] && [ $tries -lt 100 ]; do\n'
        "    if [ $tries -lt 2 ]; then kill -TERM $pids 2>/dev/null; kill -CONT $pids 2>/dev/null\n"
        "    else kill -KILL $pids 2>/dev/null; fi\n"
        "    tries=$((tries + 1)); sleep 0.05 2>/dev/null || sleep 1\n"
        "done\n"
        f'[ -z "$({find(lease_id)})" ] || exit 1\n'
    )


def residue(lease_id: str) -> str:
    """Shell text that prints one line for each process with the mark that is still there."""
    return f"for pid in $({find(lease_id)}); do echo \"process $pid $(tr '\\0' ' ' </proc/$pid/cmdline)\"; done\n"
