"""Which account a server of the lab runs under: PostgreSQL refuses uid 0, so root steps down."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing


@dataclass(frozen=True)
class Account:
    """An unprivileged account; ``uid`` is None where we are one ourselves and nothing has to change."""

    uid: int | None = None
    gid: int | None = None

    def popen_arguments(self) -> dict[str, Any]:
        """What ``subprocess`` needs to start a child under this account."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Make ``path`` belong to the account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def can_enter(self, directory: Path) -> bool:
        """Whether the account may pass through every folder down to ``directory``."""
        if self.uid is None:
            return True
        for folder in [directory, *directory.parents]:
            if folder.exists() and not folder.stat().st_mode & 0o001 and folder.stat().st_uid != self.uid:
                return False
        return True


def owner_of(path: Path) -> Account:
    """Whoever owns ``path``, where that is somebody else and we may become them."""
    owner = path.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        return Account()
    return Account(owner.st_uid, owner.st_gid)


def unprivileged() -> Account:
    """Ourselves if we are not root; else whoever called ``sudo``; else ``nobody``."""
    if os.geteuid() != 0:
        return Account()
    sudo_uid = int(os.environ.get("SUDO_UID", "0"))
    if sudo_uid > 0:
        return Account(sudo_uid, int(os.environ.get("SUDO_GID", sudo_uid)))
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CapabilityMissing(
            "PostgreSQL refuses to run as root and there is no user 'nobody' to step down to"
        ) from None
    return Account(nobody.pw_uid, nobody.pw_gid)
