"""A Lease: the undo of a fault, stored on the target's side with a deadline, before the fault starts."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from pydantic import Field

from chaosday.model.base import Model


class Undo(Model):
    """What ends a fault, as data: whoever finds it can run it, without us and without knowing why.

    On a shell target ``script`` is POSIX ``sh``; it is idempotent, safe before a finished inject,
    and touches only what carries the lease's mark. ``residue_script`` prints one line for each thing
    of ours that is still there and nothing when all is clean. Holders that are not shells (the fault
    proxy, a cloud scheduler) read ``data`` instead.
    """

    script: str = ""
    residue_script: str = ""
    data: dict[str, str | int | float | bool | None] = {}


class Lease(Model):
    """An undo, whose it is, and when it runs by itself.

    ``id`` is also the mark by which everything the fault makes is known to be ours. The deadline is
    ``ttl_s`` after it was armed or last renewed, on the target's own monotonic clock.
    """

    id: str = Field(pattern=r"^cd-[a-z0-9-]{4,60}$")
    run: str
    fault: str
    target: str
    undo: Undo
    ttl_s: float = Field(gt=0)


class LeaseState(Model):
    """A lease as found on a target: ``remaining_s`` is negative when it is overdue."""

    id: str
    run: str
    fault: str
    remaining_s: float
    healed: bool = False
    detail: str = ""


@runtime_checkable
class LeaseHolder(Protocol):
    """The target's side of leases. ``arm`` returns only when the undo is durable and its timer runs."""

    def arm(self, lease: Lease) -> None:
        """Store the undo and start its timer; ``LeaseError`` if either cannot be done."""

    def renew(self, lease_id: str, ttl_s: float) -> None:
        """Move the deadline to ``ttl_s`` from now; ``LeaseError`` if it already fired."""

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        """Run the undo now and forget the lease. Any number of times, from any process.

        A lease that is not stored any more has fired, or was healed; ``undo`` is then run again all the
        same, because a fault injected after its lease had fired is ended by nothing else.
        """

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        """What is still there, one line each: what the undo's residue script finds, and the lease itself."""

    def leases(self) -> list[LeaseState]:
        """Every lease of ours that this target holds, healed or not."""
