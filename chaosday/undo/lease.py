"""Leases on anything that has a shell: the front of ``lease.sh``, one round trip a verb.

The first lease brings the script and keeps it under its own hash in the lease directory; it goes with the last lease.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from functools import cache
from importlib import resources

from chaosday.errors import AccessDenied, LeaseError, Refused, UsageError
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.model.target import Shell, ShellResult
from chaosday.processes.login import state_folder

ROOT_STATE_DIR = "/var/lib/chaosday/leases"
_SEPARATOR = "--residue--"
NOT_INSTALLED = 97
UNSAFE = 98
_WORD = re.compile(r"^[A-Za-z0-9._:@+-]+$")


@cache
def lease_script() -> str:
    """The text of ``lease.sh``."""
    return resources.files("chaosday.undo").joinpath("lease.sh").read_text()


@cache
def safe_function() -> str:
    """The text of ``safe.sh``: a function that looks whether a directory is ours alone."""
    return resources.files("chaosday.undo").joinpath("safe.sh").read_text()


class ShellLeases:
    """A ``LeaseHolder`` over any ``Shell``; holds no connection and no state of its own.

    What lies in the state directory is run, the lease script as well as the undos. It is therefore looked at first, and
    ``Refused`` where anybody else may write it: then nothing in it is read, not even to list it.
    """

    def __init__(self, shell: Shell, state_dir: str = ROOT_STATE_DIR, *, sudo: bool = False) -> None:
        self._shell = shell
        self._state = state_dir
        self._sudo = sudo
        digest = hashlib.sha256(lease_script().encode()).hexdigest()[:16]
        self._installed = f"{state_dir}/lease-{digest}.sh"

    def arm(self, lease: Lease) -> None:
        """Store the undo, start its watcher, and return when both are sure; ``LeaseError`` if not."""
        for word in (lease.run, lease.fault):
            if not _WORD.match(word):
                raise UsageError(f"{word!r} cannot name a lease: use letters, digits and . _ : @ + -")
        if _SEPARATOR in lease.undo.script.splitlines():
            raise UsageError(f"an undo may not hold the line {_SEPARATOR}")
        scripts = f"{lease.undo.script}\n{_SEPARATOR}\n{lease.undo.residue_script}\n"
        words = ("arm", lease.id, _centiseconds(lease.ttl_s), lease.run, lease.fault)
        self._checked(self._call(*words, stdin=scripts), f"lease {lease.id} could not be armed")

    def renew(self, lease_id: str, ttl_s: float) -> None:
        """Move the deadline to ``ttl_s`` from now; ``LeaseError`` if it already fired."""
        self._checked(self._call("renew", lease_id, _centiseconds(ttl_s)), f"lease {lease_id} could not be renewed")

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Run the undo and forget the lease; ``LeaseError`` with the undo's last words if it fails."""
        script = undo.script if undo else ""
        result = self._call("heal", lease_id, stdin=script)
        if result.code == UNSAFE and script:
            # What is stored there is not to be believed; what the caller remembers is.
            self._run("exec sh", script)
        self._checked(result, f"lease {lease_id} could not be healed")

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        """What the residue script finds now, and the lease itself while it is stored."""
        result = self._call("residue", lease_id, stdin=undo.residue_script if undo else "")
        said = self._checked(result, f"residue of lease {lease_id} could not be read")
        return [line for line in said.splitlines() if line.strip()]

    def leases(self) -> list[LeaseState]:
        """Every lease under the state directory; negative ``remaining_s`` is overdue."""
        said = self._checked(self._call("list"), "leases could not be listed")
        found = []
        for line in said.splitlines():
            lease_id, run, fault, left, state, detail = line.split(" ", 5)
            found.append(
                LeaseState(id=lease_id, run=run, fault=fault, remaining_s=int(left) / 100, detail=f"{state}, {detail}")
            )
        return found

    def armed_test(self, lease_id: str) -> str:
        """``sh``, to be run on the target, that is true while the lease is armed and its undo has not begun."""
        state = shlex.quote(f"{self._state}/{lease_id}/state")
        return f'{{ read -r lease_state <{state}; }} 2>/dev/null && [ "$lease_state" = armed ]'

    def notes(self, lease_id: str) -> str:
        """The file on the target in which an injection notes what its undo has to know, which finds it as
        ``"${0%/*}/notes"``; it goes with the lease."""
        return f"{self._state}/{lease_id}/notes"

    def _call(self, *words: str, stdin: str = "") -> ShellResult:
        """One verb. The script is read whole before it runs: the end of another lease may take its file away."""
        state, installed = shlex.quote(self._state), shlex.quote(self._installed)
        look = f"safe {state} || exit {UNSAFE}; "
        run = f'exec sh -c "$S" {installed} ' + " ".join(shlex.quote(word) for word in (self._state, *words))
        absent = f"exit {NOT_INSTALLED}"
        if words[0] == "arm":
            # Looked at once more after it was made: what is there then could be somebody else's.
            made = f"{{ (umask 077; mkdir -p {state} 2>/dev/null); safe {state}; }}"
            look = f'[ -d {state} ] && had=1 || had=; {look}[ "$had" ] || {made} || exit {UNSAFE}; '
            # The script comes in the command, because the input is the undo's; its first lease needs it anyway.
            whole = f"S={shlex.quote(lease_script())}; CHAOSDAY_LEASE_SH=$S; export CHAOSDAY_LEASE_SH; {run}"
            return self._run(f"{safe_function()}\n{look}{whole}", stdin)
        if words[0] == "list":
            # Nothing of ours there means that nothing is leased; the answer needs no script.
            absent = f'for d in {state}/cd-*; do [ -d "$d" ] && exit {NOT_INSTALLED}; done; exit 0'
        if words[0] == "renew":
            # The end of another lease may have taken the script away while this one was being put in place.
            gone = shlex.quote(f"lease {words[1]} is gone: it fired or was healed")
            absent = f"[ -d {state}/{words[1]} ] && exit {NOT_INSTALLED}; echo {gone} >&2; exit 3"
        if words[0] in ("heal", "residue"):
            # No such lease: what came on standard input is all there is to run.
            places = f"{state}/{words[1]} {state}/.new-{words[1]}.*"
            absent = f'for d in {places}; do [ -d "$d" ] && exit {NOT_INSTALLED}; done; exec sh'
        look = f"{safe_function()}\n{look}"
        result = self._run(f"{look}S=$(cat {installed} 2>/dev/null) || {{ {absent}; }}; {run}", stdin)
        if result.code != NOT_INSTALLED:
            return result
        # The script comes in the command, because the input is the undo's.
        return self._run(f"{look}S={shlex.quote(lease_script())}; {run}", stdin)

    def _run(self, script: str, stdin: str = "") -> ShellResult:
        return self._shell.run(script, stdin=stdin, timeout_s=60, sudo=self._sudo)

    def _checked(self, result: ShellResult, failed: str) -> str:
        if result.code == 0:
            return result.out
        lines = (result.err or result.out).strip().splitlines() or [f"exit code {result.code}"]
        if result.code == UNSAFE:
            raise Refused(f"{failed}: {lines[-1]}; give a state directory that only this user may write")
        if "ermission denied" in result.err:
            raise AccessDenied(f"{failed}: {lines[-1]}; choose a state directory that this user may write")
        raise LeaseError(f"{failed}: {lines[-1]}")


def default_state_dir() -> str:
    """Where leases of this machine are kept: under /var/lib as root, in the user's state directory otherwise."""
    if os.geteuid() == 0:
        return ROOT_STATE_DIR
    return str(state_folder() / "leases")


def _centiseconds(seconds: float) -> str:
    return str(max(1, round(seconds * 100)))
