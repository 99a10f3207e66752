"""Injection on a shell target that cannot outlive its lease, whatever is cut or killed half-way."""

from __future__ import annotations

from shlex import quote
from typing import Protocol, runtime_checkable

from chaosday.errors import CapabilityMissing, LeaseError
from chaosday.mechanisms.hosts.tools import PATH
from chaosday.model.lease import Lease, LeaseHolder
from chaosday.model.target import Shell, Target

LEASE_GONE = 75


@runtime_checkable
class ShellGuard(Protocol):
    """A lease holder that can say, to a script on its own host, whether a lease still stands."""

    def armed_test(self, lease_id: str) -> str:
        """POSIX ``sh`` that is true while the lease is armed and its undo has not begun."""

    def notes(self, lease_id: str) -> str:
        """A file on the host that the lease's undo finds as ``"${0%/*}/notes"``."""


def guarded(target: Target, lease: Lease, script: str, *, stdin: str = "", timeout_s: float = 30) -> str:
    """Run an injecting script on the target; what it printed. ``LeaseError`` where the lease had ended.

    Between our last look at the lease and the act, the lease may fire: our network is cut, or we are
    killed and the undo runs while the script is still on its way. So the host itself looks, before the
    act and after it, and an act that was overtaken is undone again by the very script that did it.
    """
    holder = target.capability(LeaseHolder)
    if not isinstance(holder, ShellGuard):
        raise CapabilityMissing(f"the leases of a {target.kind} target cannot guard an injection by script")
    armed = holder.armed_test(lease.id)
    whole = (
        f"armed() {{ {armed}; }}\n"
        f'armed || {{ echo "lease {lease.id} has ended" >&2; exit {LEASE_GONE}; }}\n'
        f"( {PATH}{script}\n)\ncode=$?\narmed && exit $code\n"
        f'sh -c {quote(lease.undo.script)} >&2; echo "lease {lease.id} ended meanwhile" >&2; exit {LEASE_GONE}\n'
    )
    result = target.capability(Shell).run(PATH + whole, timeout_s=timeout_s, stdin=stdin, sudo=True)
    if result.code == LEASE_GONE:
        raise LeaseError(f"nothing was injected: lease {lease.id} has fired or was healed")
    if result.code:
        said = " ".join((result.err or result.out).split())[:300]
        raise CapabilityMissing(f"the target could not inject {lease.fault}: {said or f'exit code {result.code}'}")
    return result.out
