"""Which account a server of the lab runs under: PostgreSQL refuses uid 0, so root steps down."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaosday.errors import CapabilityMissing, ForeignState, TargetUnreachable

LONGEST_WORDS = 4096
_SHELL_S = 60.0


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
        """Make a file or folder of ours belong to the account; ``ForeignState`` for what was put in its place."""
        if self.uid is None or self.gid is None:
            return
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise ForeignState(f"{path} is left alone: it is a link, or not ours ({error.strerror})") from None
        try:
            found = os.fstat(handle)
            whole = stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
            if not whole or found.st_uid not in (os.geteuid(), self.uid):
                raise ForeignState(f"{path} is left alone: it is not what was made there")
            os.fchown(handle, self.uid, self.gid)
        finally:
            os.close(handle)

    def write(self, path: Path, text: str, *, append: bool = False) -> None:
        """A file of the account's own, for nobody else, written with no more rights than the account has.

        Where it may write, it may put a link to anything; ``ForeignState`` where there is one.
        """
        way = ">>" if append else ">"
        self._sh(f'umask 077; [ ! -h "$1" ] && cat {way}"$1"', path, text)

    def remove(self, path: Path) -> None:
        """Take a file of the account's away, if it is there."""
        self._sh('rm -f -- "$1"', path)

    def close(self, folder: Path) -> None:
        """Close a folder of the account's to everybody else."""
        self._sh('[ ! -h "$1" ] && chmod 700 -- "$1"', folder)

    def end_of(self, path: Path) -> str:
        """The last of a file as the account may read it, empty where it may not."""
        done = self._ran('[ -f "$1" ] && tail -c "$2" -- "$1"', path, str(LONGEST_WORDS))
        return done.stdout if done.returncode == 0 else ""

    def _sh(self, script: str, path: Path, text: str = "") -> None:
        done = self._ran(script, path, stdin=text)
        if done.returncode:
            why = (done.stderr.strip().splitlines() or ["it is a link"])[-1]
            raise ForeignState(f"{path} is left alone: {why}")

    def _ran(self, script: str, *words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", script, "sh", *map(str, words)]
        environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C"}
        try:
            return subprocess.run(
                command, input=stdin, capture_output=True, text=True, errors="replace", check=False, cwd="/",
                env=environment, timeout=_SHELL_S, **self.popen_arguments(),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise TargetUnreachable(f"{words[0]} could not be reached within {_SHELL_S:g} s") from None

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
