"""One experiment per target: a fencing lease that expires, with a number that only ever grows.

Fencing as in Kleppmann, "How to do distributed locking" (2016): a holder that was paused past its deadline wakes up
with an old token, and whoever checks the token refuses it. Leases are files, one a target, in a folder that all
who run experiments on that target share; every change is made under the file's lock. Deadlines use the machine's
monotonic clock and its boot, so that a skewed date moves nothing; a holder on this machine whose process has ended
gives way at once, one on another machine when its deadline by the wall clock has passed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from chaosday.clock import Clock, SystemClock
from chaosday.errors import Refused
from chaosday.model.base import Model
from chaosday.model.target import ProcessIdentity
from chaosday.processes.process_table import identity, is_running
from chaosday.processes.umask import appended_as_given, folder_as_given

TTL_S = 60.0
COMPACT_BYTES = 256 * 1024


class FenceToken(Model):
    """A hold on one target: ``number`` grows by one with every holder that there ever was."""

    target: str
    number: int
    run: str


class Fences:
    """The fencing leases in a folder; safe for any number of threads and processes."""

    def __init__(self, folder: Path, clock: Clock | None = None) -> None:
        self._folder, self._clock = folder, clock or SystemClock()

    def take(self, target: str, run: str, ttl_s: float = TTL_S) -> FenceToken:
        """Become the holder; ``Refused`` names the run that is, and when it gives way."""
        with self._held(target) as held:
            left_s = self._left_s(held)
            if held.get("run") and left_s > 0:
                raise Refused(
                    f"one experiment per target: run {held['run']} holds {target} for {left_s:.0f} s more at the most"
                )
            token = FenceToken(target=target, number=int(held.get("number", 0)) + 1, run=run)
            held.clear()
            held.update(token.model_dump() | self._until(ttl_s))
            return token

    def renew(self, token: FenceToken, ttl_s: float = TTL_S) -> None:
        """Stay the holder; ``Refused`` where somebody else has become it since."""
        with self._held(token.target) as held:
            self._require(held, token)
            held.update(self._until(ttl_s))

    def check(self, token: FenceToken) -> None:
        """Before each act: ``Refused`` for an old token, or one whose time is over."""
        with self._held(token.target) as held:
            self._require(held, token)

    def release(self, token: FenceToken) -> None:
        """Give way; nothing happens where that was done already. The number stays."""
        with self._held(token.target) as held:
            if held.get("number") == token.number:
                held.pop("run", None)

    def _require(self, held: dict[str, Any], token: FenceToken) -> None:
        if held.get("number") != token.number or held.get("run") != token.run or self._left_s(held) <= 0:
            raise Refused(f"this run no longer holds {token.target}: its hold ran out, or another run took it")

    def _left_s(self, held: dict[str, Any]) -> float:
        if "deadline_ns" not in held:
            return 0.0
        if held.get("boot") == _boot():
            owner = ProcessIdentity(pid=int(held["pid"]), started=str(held["started"]))
            if not is_running(owner):
                return 0.0
            return (int(held["deadline_ns"]) - self._clock.monotonic_ns()) / 1e9
        return (int(held["wall_deadline_ns"]) - self._clock.wall_ns()) / 1e9

    def _until(self, ttl_s: float) -> dict[str, Any]:
        ours = identity(os.getpid())
        span_ns = int(ttl_s * 1e9)
        return {
            "deadline_ns": self._clock.monotonic_ns() + span_ns,
            "wall_deadline_ns": self._clock.wall_ns() + span_ns,
            "boot": _boot(),
            "pid": ours.pid,
            "started": ours.started,
            "host": socket.gethostname(),
        }

    @contextmanager
    def _held(self, target: str) -> Iterator[dict[str, Any]]:
        """What the target's file says, to be changed in place; written back, whole, under its lock."""
        slug = re.sub(r"[^A-Za-z0-9]+", "-", target).strip("-")[:60]
        path = self._folder / f"{slug}-{hashlib.sha256(target.encode()).hexdigest()[:12]}.json"
        folder_as_given(self._folder)
        with appended_as_given(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            raw = file.read()
            held = _read(raw, path)
            before = dict(held)
            yield held
            if held != before:
                # Appended, the last whole line counts: a write that is cut short loses no number.
                file.write(b"\n" + orjson.dumps(held))
                file.flush()
                os.fsync(file.fileno())
                if len(raw) > COMPACT_BYTES:
                    file.truncate(0)
                    file.write(orjson.dumps(held))


def _read(raw: bytes, path: Path) -> dict[str, Any]:
    """The last whole line; a file without one that holds anything is in somebody's way."""
    for line in reversed(raw.splitlines()):
        try:
            said = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(said, dict):
            return said
    if raw.strip():
        raise Refused(f"{path} is no fencing lease: look at it, and remove it when no experiment runs")
    return {}


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"{socket.gethostname()} without a boot id"
