"""A cluster that decides by itself which of its members leads, and can be asked to decide otherwise."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from chaosday.model.base import Model


class ClusterMember(Model):
    """One member, as the cluster sees it."""

    name: str
    role: str
    """In the cluster's own word: ``leader``, ``replica``, ``sync_standby``."""
    state: str = ""
    """In the cluster's own word: ``running``, ``streaming``, ``stopped``."""
    timeline: int | None = None
    lag_bytes: int | None = None
    """How far it is behind the leader; None where that is not known."""
    leads: bool = False
    """Whether it leads, and runs."""
    follows: bool = False
    """Whether it has from the leader what the leader writes."""
    synchronous: bool = False
    """Whether commits wait for it."""

    @property
    def words(self) -> str:
        """It in a few words."""
        return f"{self.name} {self.role} {self.state}".strip()


@runtime_checkable
class Failover(Protocol):
    """A cluster with one leader. Names of members are the cluster's own."""

    def members(self) -> list[ClusterMember]:
        """All that it knows; ``TargetUnreachable`` where none of them answers."""

    def switchover(self, leader: str, candidate: str, timeout_s: float) -> None:
        """Let ``leader`` hand over in good order, to ``candidate`` or, where that is empty, to whom it will; returns
        when another one leads and the former leader follows. ``TargetUnreachable`` in the cluster's own words."""

    def failover(self, candidate: str, timeout_s: float) -> None:
        """Make ``candidate`` lead though nobody does; returns when it does."""

    def reinit(self, member: str, timeout_s: float) -> None:
        """Throw a member's data away and copy the leader's; returns when it follows."""
