"""The switch file of a process under ``chaosday exec``: its leases, its rules, and what they have done."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import orjson

from chaosday.errors import LeaseError, Refused, TargetUnreachable
from chaosday.model.lease import Lease, LeaseState, Undo
from chaosday.record.owned import OTHERS_MAY_WRITE


@runtime_checkable
class PythonSwitch(Protocol):
    """A running Python program whose functions can be hurt."""

    def inject(self, lease_id: str, rule: dict[str, Any]) -> None:
        """Put a rule into force until the lease's deadline; ``LeaseError`` where it is not armed."""

    def struck(self, rule_id: str) -> int:
        """How many calls the rule has hurt, by the count that the program itself keeps."""

    def watched(self) -> bool:
        """Whether the program runs and watches its switch."""


class SwitchFile:
    """Leases and rules in the switch file, which the program's own hook obeys until their deadline and no longer.

    Deadlines are CLOCK_MONOTONIC of the machine, which the program reads too: an end needs nobody.
    """

    def __init__(self, path: Path, pid: int) -> None:
        self._path = path
        self._pid = pid

    def watched(self) -> bool:
        try:
            started = Path(f"/proc/{self._pid}/environ").read_bytes()
        except OSError:
            return False
        return f"CHAOSDAY_SWITCH={self._path}".encode() in started.split(b"\0")

    def arm(self, lease: Lease) -> None:
        with self._changed() as content:
            if any(each["id"] == lease.id for each in content["leases"]):
                raise LeaseError(f"{lease.id} is armed already")
            given = {"id": lease.id, "run": lease.run, "fault": lease.fault, "until": time.monotonic() + lease.ttl_s}
            content["leases"].append(given)

    def renew(self, lease_id: str, ttl_s: float) -> None:
        with self._changed() as content:
            lease = self._live(content, lease_id)
            lease["until"] = time.monotonic() + ttl_s
            for rule in content["rules"]:
                if rule["lease"] == lease_id:
                    # A new name, so that the program takes the rule up again with its new deadline.
                    rule["until"], rule["id"] = lease["until"], f"{lease_id}/{time.monotonic_ns()}"

    def inject(self, lease_id: str, rule: dict[str, Any]) -> None:
        with self._changed() as content:
            lease = self._live(content, lease_id)
            named = {"id": f"{lease_id}/{time.monotonic_ns()}", "lease": lease_id, "until": lease["until"]}
            content["rules"].append({**rule, **named})

    def heal(self, lease_id: str, undo: Undo | None = None) -> None:
        if not self._path.exists():
            return
        with self._changed() as content:
            content["leases"] = [each for each in content["leases"] if each["id"] != lease_id]
            content["rules"] = [each for each in content["rules"] if each["lease"] != lease_id]

    def residue(self, lease_id: str, undo: Undo | None = None) -> list[str]:
        content = self._content()
        left = [f"lease {lease_id}" for each in content["leases"] if each["id"] == lease_id]
        return left + [f"rule {each['at']}" for each in content["rules"] if each["lease"] == lease_id]

    def leases(self) -> list[LeaseState]:
        now = time.monotonic()
        return [
            LeaseState(id=each["id"], run=each["run"], fault=each["fault"], remaining_s=each["until"] - now)
            for each in self._content()["leases"]
        ]

    def struck(self, rule_id: str) -> int:
        try:
            told = orjson.loads(Path(f"{self._path}.{self._pid}").read_bytes())
        except (OSError, ValueError):
            return 0
        return sum(count for name, count in told.items() if name.startswith(f"{rule_id}/"))

    def _live(self, content: dict[str, Any], lease_id: str) -> dict[str, Any]:
        for lease in content["leases"]:
            if lease["id"] == lease_id and lease["until"] > time.monotonic():
                found: dict[str, Any] = lease
                return found
        raise LeaseError(f"{lease_id} is not armed, or over: nothing was injected")

    def _content(self) -> dict[str, Any]:
        empty: dict[str, Any] = {"leases": [], "rules": []}
        with suppress(FileNotFoundError):
            try:
                return empty | dict(orjson.loads(self._path.read_bytes() or b"{}"))
            except ValueError:
                raise TargetUnreachable(f"the switch file {self._path} is not JSON: remove it") from None
        return empty

    @contextmanager
    def _changed(self) -> Iterator[dict[str, Any]]:
        """Read, change, and replace the file as a whole, one of us at a time."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        found = self._path.parent.stat()
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & OTHERS_MAY_WRITE:
            # The program would not believe it either: see the hook.
            raise Refused(f"others may write the folder of {self._path}: keep the switch in one of your own")
        with open(os.open(f"{self._path}.lock", os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as lock:  # noqa: PTH123
            fcntl.flock(lock, fcntl.LOCK_EX)
            content = self._content()
            yield content
            fresh = Path(f"{self._path}.new")
            fresh.unlink(missing_ok=True)
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as file:  # noqa: PTH123
                file.write(orjson.dumps(content))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
