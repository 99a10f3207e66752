"""Undos that are kept with a target, where others may be able to write: believed only with the worker's MAC."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from chaosday.errors import LeaseError
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.record.key import KEY_VARIABLE, is_mac, mac


def lease_mac(place: str, lease_id: str, undo: bytes) -> str:
    """What is kept beside an undo; ``place`` and ``lease_id`` so that it cannot be carried elsewhere."""
    return mac("undo of a lease", place.encode(), lease_id.encode(), undo)


def is_ours(given: str, place: str, lease_id: str, undo: bytes) -> bool:
    """Whether this worker wrote the undo, for this lease in this place."""
    return is_mac(given, "undo of a lease", place.encode(), lease_id.encode(), undo)


@dataclass(frozen=True)
class StoredLease:
    """A lease as it was found: ``deadline_s`` in seconds since 1970, ``ours`` where the MAC says so."""

    lease: Lease
    deadline_s: float
    ours: bool

    def trusted(self, remembered: Undo | None = None) -> Undo:
        """The undo that may be run: the stored one where it is ours, else what the caller knows by itself."""
        if self.ours:
            return self.lease.undo
        if remembered is None:
            raise not_ours(self.lease.id)
        return remembered


def not_ours(lease_id: str) -> LeaseError:
    """Why an undo that was found is not run."""
    return LeaseError(
        f"lease {lease_id} was not signed with this worker's key, so that nothing of it is run; recover it where it "
        f"was armed, or with that worker's key in ${KEY_VARIABLE}"
    )


def listed(lease_id: str, read: Callable[[str], StoredLease | None]) -> list[LeaseState]:
    """One line of a list of leases; one that is not ours is told as such and never hides the others."""
    try:
        stored = read(lease_id)
    except LeaseError as error:
        return [LeaseState(id=lease_id, run="", fault="", remaining_s=0, detail=str(error))]
    if stored is None:
        return []
    lease, left_s = stored.lease, stored.deadline_s - time.time()
    detail = "" if stored.ours else "not signed by this worker"
    return [LeaseState(id=lease.id, run=lease.run, fault=lease.fault, remaining_s=left_s, detail=detail)]


def sealed(lease: Lease, deadline_s: float, place: str) -> bytes:
    """A lease as a document with its MAC."""
    said = lease.model_dump(mode="json")
    given = lease_mac(place, lease.id, _canonical(said))
    return orjson.dumps({"lease": said, "deadline": deadline_s, "mac": given})


def unsealed(document: bytes, lease_id: str, place: str) -> StoredLease:
    """The lease of such a document; ``LeaseError`` where it is none, or another one's."""
    try:
        said = orjson.loads(document)
        lease, deadline_s = Lease.model_validate(said["lease"]), float(said["deadline"])
        ours = is_ours(str(said.get("mac", "")), place, lease.id, _canonical(said["lease"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise LeaseError(f"the record of lease {lease_id} is none of chaosday's; remove it by hand") from None
    if lease.id != lease_id:
        raise LeaseError(f"the record of lease {lease_id} is that of {lease.id}: somebody copied it; remove it by hand")
    return StoredLease(lease, deadline_s, ours)


def _canonical(said: object) -> bytes:
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
