"""Where packets are hurt, and the one connection that never is: ours to the target."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Control:
    """The connection by which we hold the target: our address as the target sees it, and its port."""

    peer: str
    port: int

    @classmethod
    def parse(cls, ssh_connection: str) -> Control | None:
        """From sshd's SSH_CONNECTION; None where there is none, as on this machine itself."""
        words = ssh_connection.split()
        return cls(words[0].partition("%")[0], int(words[3])) if len(words) == 4 else None


@dataclass(frozen=True)
class Scene:
    """Where packets are hurt: whose lease, which connection is spared, on which interface."""

    lease_id: str
    control: Control | None
    device: str
